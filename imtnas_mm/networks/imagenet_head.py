"""The classifier of the mobile networks."""
from mmcv.cnn import ConvModule
from mmpretrain.models.heads import LinearClsHead
from torch import nn

from ..registry import MODELS


@MODELS.register_module()
class ImageNetHead(LinearClsHead):
    """1x1 convolution, norm, ReLU6; global average pool; dropout; linear.

    An mmpretrain head that takes the feature map itself: the classifier needs
    no neck. Its ``loss`` and ``predict`` are those of ``ClsHead``.

    Args:
        num_classes (int): of the linear layer.
        in_channels (int): of the feature map; 320 for the MBConv layouts.
        hidden_channels (int): of the 1x1 convolution.
        dropout (float): before the linear layer.
        norm_cfg (dict): of the 1x1 convolution.
        act_cfg (dict): its activation.
        loss (dict): an mmpretrain loss. The scope is named so that the head is
            the same under another library's default scope.
        kwargs: ``topk`` and ``cal_acc`` of ``ClsHead``.
    """

    def __init__(self,
                 num_classes,
                 in_channels=320,
                 hidden_channels=1280,
                 dropout=.2,
                 norm_cfg=dict(type='BN'),  # noqa: B006
                 act_cfg=dict(type='ReLU6'),  # noqa: B006
                 loss=dict(type='mmpretrain.CrossEntropyLoss', loss_weight=1.),  # noqa: B006
                 init_cfg=None,
                 **kwargs):
        if init_cfg is None:
            init_cfg = [
                dict(type='Kaiming', layer='Conv2d'),
                dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
                dict(type='Normal', layer='Linear', std=.01)
            ]
        super().__init__(num_classes, hidden_channels, init_cfg=init_cfg, loss=loss, **kwargs)
        self.conv = ConvModule(in_channels, hidden_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)

    def pre_logits(self, feats):
        """Feature maps, the last [N, in_channels, H, W] -> [N, hidden_channels]."""
        return self.dropout(self.pool(self.conv(feats[-1])).flatten(1))
