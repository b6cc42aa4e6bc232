"""Hook of a retraining that records the architecture of its network in checkpoints."""
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ...registry import HOOKS


@HOOKS.register_module()
class GenotypeHook(Hook):
    """Puts the content of the architecture file into ``meta['architecture']`` of each checkpoint.

    So tools/test.py and tools/export.py need no path of the file. A model that
    is not built from an architecture gets none.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        model: Any = runner.model.module if is_model_wrapper(runner.model) else runner.model
        genotype = getattr(model, 'genotype', None) or getattr(getattr(model, 'backbone', None), 'genotype', None)
        if genotype is not None:
            checkpoint['meta']['architecture'] = genotype.to_dict()
