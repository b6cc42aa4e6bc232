"""Hook that names the dataloaders of mmengine's loops, so that the error of a dead worker can name its dataloader."""
from mmengine.hooks import Hook
from torch.utils.data import DataLoader

from ...compat.runner import built_loops
from ...datasets.workers import watch_workers
from ...registry import HOOKS


@HOOKS.register_module()
class WorkersHook(Hook):
    """Calls :func:`watch_workers` on every dataloader that a loop has as ``dataloader`` or in ``loaders``."""

    def before_run(self, runner):
        for part, loop in built_loops(runner).items():
            loaders = {f'{part}_dataloader': getattr(loop, 'dataloader', None)}
            loaders.update((f'{part}_dataloader.{name}', loader)
                           for name, loader in (getattr(loop, 'loaders', None) or {}).items())
            for name, loader in loaders.items():
                if isinstance(loader, DataLoader):
                    watch_workers(loader, name)
