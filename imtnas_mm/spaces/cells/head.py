"""The main classifier of cell networks, and the auxiliary classifier of their training, as a head of mmpretrain."""
from typing import Any

from mmcv.cnn import build_norm_layer
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from ...registry import MODELS

POOL = 5


class AuxiliaryTower(nn.Module):
    """ReLU, 5x5 average pool, 1x1 convolution to 128, 2x2 convolution to 768, linear (Liu et al., 2019, DARTS).

    The 2x2 convolution takes a map of 8x8 (CIFAR) or 7x7 (ImageNet) to 1x1.
    The output of a larger map is averaged.

    Args:
        in_channels (int): channels of the feature map.
        num_classes (int): outputs of the linear layer.
        stride (int): the stride of the pool: 3 for CIFAR's 8x8, 2 for
            ImageNet's 7x7.
        last_norm (bool): normalise after the 2x2 convolution. DARTS does so for
            CIFAR. For ImageNet its authors forgot this norm and kept it so.
        norm_cfg (dict): the config of the norms.
    """

    def __init__(self, in_channels: int, num_classes: int, stride: int = 3, last_norm: bool = True,
                 norm_cfg: dict[str, Any] = dict(type='BN')) -> None:  # noqa: B006
        super().__init__()
        self.smallest = POOL + stride  # map side whose pooled side is 2
        norms = [build_norm_layer(norm_cfg, width)[1] for width in ((128, 768) if last_norm else (128, ))]
        self.features = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(POOL, stride, count_include_pad=False), nn.Conv2d(in_channels, 128, 1, bias=False), norms[0],
            nn.ReLU(), nn.Conv2d(128, 768, 2, bias=False), *norms[1:], nn.ReLU(), nn.AdaptiveAvgPool2d(1),
            nn.Flatten())
        self.fc = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Feature map [N, in_channels, H, W] -> scores [N, num_classes]."""
        if min(x.shape[2:]) < self.smallest:
            raise ValueError(f'the auxiliary classifier needs a map of at least {self.smallest}x{self.smallest}, not '
                             f'{x.shape[2]}x{x.shape[3]}; train on larger images or set model.head.auxiliary=None')
        return self.fc(self.features(x))


@MODELS.register_module()
class CellHead(LinearClsHead):
    """Global average pool and linear classifier, and an auxiliary classifier while training.

    This head of mmpretrain takes the feature maps of ``CellNet`` themselves, so
    the classifier needs no neck. With ``auxiliary``, its loss reads the last
    two maps of a backbone that trains with ``auxiliary=True``. It logs
    ``loss_cls`` and the weighted ``loss_auxiliary``, whose sum is trained.
    Evaluation uses the main classifier alone. A test with
    ``model.head.auxiliary=None`` builds only that and loads the same
    checkpoint.

    Args:
        num_classes (int): outputs of the linear layers.
        in_channels (int): channels of both feature maps: 16 times CellNet's
            channels.
        auxiliary (dict, optional): ``stride``, ``last_norm`` and ``norm_cfg``
            of :class:`AuxiliaryTower`. None builds the main classifier alone.
        auxiliary_weight (float): the weight of the auxiliary loss.
        init_cfg (dict, optional): PyTorch's initialisation by default.
        loss (dict): an mmpretrain loss, for both classifiers. Its type has a
            scope, so that the head is the same under another library's default
            scope.
        kwargs: ``topk`` and ``cal_acc`` of ``ClsHead``.
    """
    # children whose weights a checkpoint may hold although this model is built without them
    training_only = ('auxiliary', )

    def __init__(self,
                 num_classes: int,
                 in_channels: int = 576,
                 auxiliary: dict[str, Any] | None = None,
                 auxiliary_weight: float = .4,
                 init_cfg: dict[str, Any] | None = None,
                 loss: dict[str, Any] = dict(type='mmpretrain.CrossEntropyLoss', loss_weight=1.),  # noqa: B006
                 **kwargs: Any) -> None:
        super().__init__(num_classes, in_channels, init_cfg=init_cfg, loss=loss, **kwargs)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.auxiliary_weight = auxiliary_weight
        self.auxiliary = None if auxiliary is None else AuxiliaryTower(in_channels, num_classes, **auxiliary)

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Feature maps, the last of them [N, in_channels, H, W] -> [N, in_channels]."""
        return self.pool(feats[-1]).flatten(1)

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[DataSample], **kwargs: Any) -> dict[str, Tensor]:
        """The losses of ``ClsHead``; in training with the auxiliary classifier, ``loss_cls`` and ``loss_auxiliary``."""
        losses = super().loss(
            feats,  # pyright: ignore[reportArgumentType]  # mmpretrain declares a tuple of one map and takes any number
            data_samples, **kwargs)
        if self.auxiliary is None or not self.training:
            return losses
        if len(feats) < 2 or feats[-2].shape[1] != self.in_channels:
            raise ValueError(f'model.head.auxiliary: the backbone gave maps of {[feat.shape[1] for feat in feats]} '
                             f'channels, but the last two must have {self.in_channels}; set '
                             'model.backbone.auxiliary=True')
        scores = self.auxiliary(feats[-2])
        auxiliary = self._get_loss(scores, data_samples, **kwargs)['loss']
        return dict(loss_cls=losses.pop('loss'), loss_auxiliary=self.auxiliary_weight * auxiliary, **losses)
