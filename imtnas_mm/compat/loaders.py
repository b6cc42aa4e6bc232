"""Undocumented parts of PyTorch's dataloaders."""
import weakref
from collections.abc import Callable

from torch.utils.data import DataLoader

from .private import TORCH, Private

NAMES = (
    Private(
        'torch.utils.data.DataLoader._get_iterator', '',
        'replaced on a dataloader, to learn the processes of its workers once they have started', seen=TORCH),
    Private(
        'torch.utils.data.dataloader._MultiProcessingDataLoaderIter', '',
        'its attribute _workers has the processes; an iterator without workers has none', seen=TORCH),
    Private(
        'torch.utils.data.DataLoader._iterator', '',
        'keeps persistent workers alive; without it they end', undefined='before the first epoch, where it is None',
        seen=TORCH),
)


def on_start_of_workers(loader: DataLoader, act: Callable[[list[int]], object]) -> None:
    """Call ``act`` with the process ids of the workers whenever a dataloader has started workers."""
    make, reference = type(loader)._get_iterator, weakref.ref(loader)

    def get_iterator():
        alive = reference()
        assert alive is not None  # its method runs
        iterator = make(alive)
        act([worker.pid for worker in getattr(iterator, '_workers', ())])
        return iterator
    loader._get_iterator = get_iterator


def end_persistent_workers(loader: DataLoader) -> None:
    loader._iterator = None
