"""Hook that records the version of imtnas_mm in checkpoints."""
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ... import __version__
from ...registry import HOOKS


@HOOKS.register_module()
class VersionHook(Hook):
    """Puts ``imtnas_mm_version`` into ``meta`` of each checkpoint, beside mmengine's ``mmengine_version``."""

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        checkpoint['meta']['imtnas_mm_version'] = __version__
