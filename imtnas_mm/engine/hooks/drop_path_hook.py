"""Hook that raises the drop path rate from epoch to epoch."""
from typing import Any

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ...registry import HOOKS


@HOOKS.register_module()
class DropPathHook(Hook):
    """Before epoch e of E (from 0), edges of a network are dropped at e / E times its ``drop_path``, as in DARTS.

    The network has the method ``scale_drop_path``, as ``CellNet`` has. The rate is logged as ``drop_path``.
    """

    def before_train(self, runner: Runner) -> None:
        self.networks: list[Any] = [module for module in runner.model.modules() if hasattr(module, 'scale_drop_path')]
        if not self.networks:
            model = runner.model.module if is_model_wrapper(runner.model) else runner.model
            raise ValueError(f'DropPathHook: no part of {type(model).__name__} has a drop path to set; model.backbone '
                             'must be a network with scale_drop_path, such as CellNet')

    def before_train_epoch(self, runner: Runner) -> None:
        for network in self.networks:
            self.rate = network.scale_drop_path(runner.epoch / runner.max_epochs)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None,
                         outputs: dict[str, Any] | None = None) -> None:
        runner.message_hub.update_scalar('train/drop_path', self.rate)
