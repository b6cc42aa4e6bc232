"""Where the tests with a device compute."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch


def test_the_cpu_always_and_a_gpu_where_there_is_one(device, request):
    assert device.type == request.node.callspec.id.replace('pretended', 'cuda')
    x = torch.full((2, 2), 1 + 2**-12, device=device)
    assert (x @ x).eq(2 * (1 + 2**-12)**2).all()  # in TF32 the factors were 1


@pytest.mark.parametrize('arguments', [[], ['-n', '1']], ids=['alone', 'xdist'])
def test_without_a_gpu_its_tests_are_skipped(arguments):
    actual = subprocess.run([sys.executable, '-m', 'pytest', '--device', 'cuda', __file__, *arguments],
                           cwd=Path(__file__).parents[1], env=dict(os.environ, CUDA_VISIBLE_DEVICES=''),
                           capture_output=True, text=True, timeout=120)
    assert actual.returncode == 0, actual.stdout + actual.stderr
    assert 'skipped: --device cuda needs a GPU, and PyTorch sees none' in actual.stdout + actual.stderr
