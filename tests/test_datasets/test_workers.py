"""Which worker processes are whose."""
import multiprocessing

import torch
from torch.utils.data import DataLoader

from imtnas_mm.datasets import workers


def test_a_dead_workers_number_may_be_another_users(monkeypatch):
    def refused(pid, number):
        raise PermissionError
    monkeypatch.setitem(workers._NAMES, 1, 'old_dataloader')
    monkeypatch.setattr(workers.os, 'kill', refused)
    loader = workers.watch_workers(DataLoader(torch.zeros(2), num_workers=1), 'some_dataloader')
    iterator = iter(loader)
    own = {process.pid for process in multiprocessing.active_children()}
    assert len(list(iterator)) == 2 and 1 not in workers._NAMES
    assert [pid for pid, name in workers._NAMES.items() if name == 'some_dataloader' and pid in own]
