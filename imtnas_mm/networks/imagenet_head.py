"""The classifier of mobile networks, as a head of mmpretrain."""
from typing import Any

from mmcv.cnn import ConvModule
from mmpretrain.models.heads import LinearClsHead
from torch import Tensor, nn

from ..registry import MODELS


@MODELS.register_module()
class ImageNetHead(LinearClsHead):
    """1x1 convolution, norm, ReLU6; global average pool; dropout; linear.

    This head of mmpretrain takes the feature map itself, so the classifier
    needs no neck. ``loss`` and ``predict`` are those of ``ClsHead``.

    Args:
        num_classes (int): outputs of the linear layer.
        in_channels (int): channels of the feature map; 320 for the MBConv
            layouts.
        hidden_channels (int): channels of the 1x1 convolution.
        dropout (float): the rate before the linear layer.
        norm_cfg (dict): the norm of the 1x1 convolution.
        act_cfg (dict): the activation of the 1x1 convolution.
        loss (dict): an mmpretrain loss. Its type has a scope, so that the head
            is the same under another library's default scope.
        init_cfg (dict or list[dict], optional): the initialisation of mobile
            networks by default.
        kwargs: ``topk`` and ``cal_acc`` of ``ClsHead``.
    """

    def __init__(self,
                 num_classes: int,
                 in_channels: int = 320,
                 hidden_channels: int = 1280,
                 dropout: float = .2,
                 norm_cfg: dict[str, Any] = dict(type='BN'),  # noqa: B006
                 act_cfg: dict[str, Any] = dict(type='ReLU6'),  # noqa: B006
                 loss: dict[str, Any] = dict(type='mmpretrain.CrossEntropyLoss', loss_weight=1.),  # noqa: B006
                 init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
                 **kwargs: Any) -> None:
        if init_cfg is None:
            init_cfg = [
                dict(type='Kaiming', layer='Conv2d'),
                dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
                dict(type='Normal', layer='Linear', std=.01)
            ]
        super().__init__(
            num_classes, hidden_channels,
            init_cfg=init_cfg,  # pyright: ignore[reportArgumentType]  # mmengine takes a list, its heads declare a dict
            loss=loss, **kwargs)
        self.conv = ConvModule(in_channels, hidden_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Feature maps, the last of them [N, in_channels, H, W] -> [N, hidden_channels]."""
        return self.dropout(self.pool(self.conv(feats[-1])).flatten(1))
