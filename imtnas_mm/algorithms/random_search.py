"""Random search, the baseline of all methods: a random architecture without any training."""
from collections.abc import Sequence
from typing import Any

from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..registry import MODELS
from .one_round import OneRoundSearch
from .stages.stage import Stage
from .unused import set_apart, tell_unused

# options of other methods and their defaults
WITHOUT_TRAINING = dict(
    hypergradient='exact', arch_steps=1, unroll_batch='val', architecture_batches=1, loss_normalization='running_mean',
    virtual_step=None, virtual_rates=None, amp=False, tf32=False, recompute='none', replay=False, keep_graphs=False,
    train_weights=None, val_weights=None, cost=None)


@MODELS.register_module()
class RandomSearch(OneRoundSearch):
    """The seed draws A once, and nothing is trained. Derivation and retraining are the same as for other methods.

    The logits are independent normal numbers of variance 1, so that all
    candidates of a choice are equally likely.

    Args:
        args: of :class:`OneRoundSearch`.
        architecture (dict, optional): of :class:`Architecture`; another
            ``init_std`` than 1 is not used, and the log says so.
        options: of :class:`OneRoundSearch`. They are checked as for other methods.
            The log names the options that have no effect.
    """

    def __init__(self, *args: Any, architecture: dict[str, Any] | None = None, **options: Any) -> None:
        settings = dict(architecture or {})
        super().__init__(*args, architecture={**settings, 'init_std': 1.}, **{**options, 'cost': None})
        self.architecture_batches = 1  # none is read
        unused = set_apart(options, WITHOUT_TRAINING)
        if settings.get('init_std', 1.) != 1.:
            unused.insert(0, f'model.architecture.init_std={settings["init_std"]!r}')
        tell_unused('RandomSearch', unused, 'A is drawn once with a standard deviation of 1, and nothing is trained')

    def active_stages(self) -> tuple[Stage, ...]:
        return ()

    def update_architecture(self, batches: Sequence[dict[str, dict]],
                            optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        return {}

    def step_optimisers(self, optim_wrapper: OptimWrapperDict) -> None:
        """Does nothing: nothing has a gradient."""
