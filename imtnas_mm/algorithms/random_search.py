"""Random search, the baseline of all methods: a random architecture without any training."""
from typing import Any

from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..registry import MODELS
from .joint_search import JointSearch
from .stage import Stage


@MODELS.register_module()
class RandomSearch(JointSearch):
    """The seed draws A once, and nothing is trained. Derivation and retraining are the same as for other methods.

    The logits are independent normal numbers of variance 1, so that all
    candidates of a choice are equally likely.

    Args:
        args, options: of :class:`JointSearch`.
        architecture (dict, optional): of other methods, not used.
    """

    def __init__(self, *args: Any, architecture: dict[str, Any] | None = None, **options: Any) -> None:
        super().__init__(*args, architecture=dict(init_std=1.), **options)

    def active_stages(self) -> tuple[Stage, ...]:
        return ()

    def update_architecture(self, batches: dict[str, dict], optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        return {}

    def step_optimisers(self, optim_wrapper: OptimWrapperDict) -> None:
        """Does nothing: nothing has a gradient."""
