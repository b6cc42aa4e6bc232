"""Which worker processes are whose."""
import multiprocessing
import os
import signal
import subprocess

import torch
from torch.utils.data import DataLoader

from helpers.workers import end_workers
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


class Slow:
    """A worker that has died, and that nobody has waited for, when the call that ends it returns."""

    def __init__(self, process):
        self.process, self.join = process, process.join

    def terminate(self):
        self.process.terminate()
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)


def as_at_their_start(worker_id):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_workers_that_a_test_left_end_without_an_error():
    """PyTorch takes the end of a worker that has hardly started for a fault, wherever the test that follows is."""
    before = multiprocessing.active_children()
    iterator = iter(DataLoader(torch.zeros(8), num_workers=2, worker_init_fn=as_at_their_start))
    left = [process for process in multiprocessing.active_children() if process not in before]
    next(iterator)
    assert len(left) == 2
    end_workers([Slow(process) for process in left])
    assert not any(process.is_alive() for process in left)
    subprocess.run(['true'], check=True)  # another process ends
    del iterator
