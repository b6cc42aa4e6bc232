"""A search space of one's own: two layers, each a 3x3 or a 5x5 convolution. search_kernels.py searches it."""
from mmcv.cnn import ConvModule

from imtnas_mm.registry import MODELS
from imtnas_mm.spaces import LayeredNet, LayeredSpace, LayeredSupernet

WIDTHS = (3, 16, 64)


def convolution(index, kernel, norm_cfg):
    """The option ``kernel`` of layer ``index``; it halves the resolution."""
    return ConvModule(WIDTHS[index], WIDTHS[index + 1], kernel, stride=2, padding=kernel // 2, norm_cfg=norm_cfg)


SPACE = LayeredSpace(
    name='kernels', title='Kernels', options=[(3, 5), (3, 5)], channels=WIDTHS[1:], layer=convolution)


@MODELS.register_module()
class KernelSupernet(LayeredSupernet):
    space = SPACE


@MODELS.register_module()
class KernelNet(LayeredNet):
    space = SPACE


SPACE.register(KernelNet)
