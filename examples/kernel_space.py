"""A search space of one's own: two stages, each a 3x3 or a 5x5 convolution. search_kernels.py searches it."""
from mmcv.cnn import ConvModule
from torch import nn

from imtnas_mm.genotype import Genotype, check_object
from imtnas_mm.networks import DerivedNet
from imtnas_mm.registry import MODELS
from imtnas_mm.space_format import SpaceFormat, register_space
from imtnas_mm.spaces import SearchSpace

KERNELS, WIDTHS = (3, 5), (16, 64)


def stages_of(kernels, affine=True):
    """Per stage its convolutions, one per kernel; each halves the resolution."""
    norm_cfg = dict(type='BN', affine=affine, track_running_stats=affine)
    return nn.ModuleList(
        nn.ModuleList(ConvModule(width, out, kernel, 2, kernel // 2, norm_cfg=norm_cfg) for kernel in row)
        for width, out, row in zip((3, *WIDTHS), WIDTHS, kernels, strict=False))


@MODELS.register_module()
class KernelSupernet(SearchSpace):
    stage_channels = WIDTHS

    def __init__(self, out_indices=(1, ), init_cfg=None):
        super().__init__(init_cfg)
        self.out_indices = tuple(out_indices)
        self.layers = stages_of([KERNELS, KERNELS], affine=False)
        self.register_gates()

    def alpha_shapes(self):
        return dict(kernels=(len(WIDTHS), len(KERNELS)))

    def stages(self, x):
        for gates, choices in zip(self.gates['kernels'].unbind(), self.layers, strict=True):
            x = yield sum(gate * choice(x) for gate, choice in zip(gates.unbind(), choices, strict=True))

    def derive(self, alphas):
        best = alphas['kernels'].argmax(-1).tolist()
        return Genotype('kernels', dict(kernels=[KERNELS[i] for i in best]))


@MODELS.register_module()
class KernelNet(DerivedNet):
    stage_channels = WIDTHS

    def __init__(self, architecture=None, **options):
        super().__init__(architecture, **options)
        self.layers = stages_of([[kernel] for kernel in self.genotype.architecture['kernels']])
        self._freeze()

    def stages(self, x, auxiliary):
        for layer in self.layers:
            x = yield layer[0](x)

    def _stage_modules(self, stage):
        return [] if stage < 0 else [self.layers[stage]]


def check(architecture, importance, root):
    """Refuse what is no architecture of the space, by its place in the file."""
    check_object(architecture, root['architecture'], ('kernels', ))
    kernels = architecture['kernels']
    if not isinstance(kernels, list) or len(kernels) != len(WIDTHS) or set(kernels) - set(KERNELS):
        root['architecture']['kernels'].fail(kernels, f'it must be {len(WIDTHS)} of {KERNELS}')


register_space(SpaceFormat(
    name='kernels', title='Kernels', network=KernelNet, check=check, stages=lambda architecture: len(WIDTHS),
    summary=lambda architecture: ' '.join(map(str, architecture['kernels']))))
