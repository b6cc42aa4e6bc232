"""A network of timm as the backbone of a detector."""
from collections.abc import Sequence
from typing import Any

from mmpretrain.models.backbones import TIMMBackbone

from ..registry import MODELS
from .derived import FreezableStages


@MODELS.register_module()
class TIMMPyramid(FreezableStages, TIMMBackbone):
    """mmpretrain's ``TIMMBackbone`` with feature maps of several strides and stages that can be frozen.

    It takes timm's networks of the EfficientNet family (``conv_stem``, ``bn1``
    and ``blocks``: MnasNet, MixNet, Single-Path NAS, ...). The names of the
    weights are those of ``TIMMBackbone``, so a classifier's checkpoint fits.

    Args:
        model_name (str): the name in timm.
        out_indices (tuple[int]): indices of timm's features; feature i has
            stride 2 ** (i + 1).
        frozen_stages (int): -1 freezes nothing, 0 the stem, n also the first n
            of timm's ``blocks``. Frozen parts have no gradient and stay in
            evaluation mode.
        norm_eval (bool): keep batch normalisation in evaluation mode.
        kwargs: options of ``TIMMBackbone``.

    Raises:
        ValueError: if the network is of another family, or ``frozen_stages``
            is out of its range.
    """
    timm_model: Any  # a model of timm, whose attributes timm declares nowhere

    def __init__(self, model_name: str, out_indices: Sequence[int] = (2, 3, 4), frozen_stages: int = -1,
                 norm_eval: bool = False, **kwargs: Any) -> None:
        super().__init__(model_name, features_only=True, out_indices=tuple(out_indices), **kwargs)
        if [name for name, _ in self.timm_model.named_children()] != ['conv_stem', 'bn1', 'blocks']:
            raise ValueError(f"model_name={model_name!r} must be a network of timm's EfficientNet family")
        number = len(self.timm_model.blocks)
        if frozen_stages not in range(-1, number + 1):
            raise ValueError(f'frozen_stages={frozen_stages!r}: {model_name} takes -1 to {number}')
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self._freeze()

    @property
    def out_channels(self) -> tuple[int, ...]:
        """tuple[int]: the channels of the outputs."""
        return tuple(self.timm_model.feature_info.channels())

    def _freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        timm_model = self.timm_model
        for module in (timm_model.conv_stem, timm_model.bn1, *timm_model.blocks[:self.frozen_stages]):
            module.eval()
            module.requires_grad_(False)
