import pytest
import torch

from helpers.tiny_run import data, quick_runs  # noqa: F401


@pytest.fixture(autouse=True)
def without_gpus(monkeypatch):
    """Comparisons are the same on a machine with GPUs; tests of these pretend to have some."""
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
