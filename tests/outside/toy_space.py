"""A search space in one file, which a config names in ``custom_imports``: two stages, each a 3x3 or a 5x5 convolution.

It has a notation for tables of accuracies, ``toy:3-5``, and its costs are counted; it has no picture, and no blocks
that tasks could share.
"""
import re

from mmcv.cnn import ConvModule
from torch import nn

from imtnas_mm.genotype import Genotype, check_importance, check_object
from imtnas_mm.networks import DerivedNet
from imtnas_mm.registry import MODELS
from imtnas_mm.space_format import CostFormat, SpaceFormat, register_space
from imtnas_mm.spaces import SearchSpace

KERNELS = (3, 5)
STAGES = ('stage0', 'stage1')


def stage_channels(channels):
    return channels, 4 * channels


def convolution(inputs, outputs, kernel, norm_cfg):
    return ConvModule(inputs, outputs, kernel, 2, kernel // 2, norm_cfg=norm_cfg)


class MixedConvolution(nn.Module):
    """``sum_k gate_k conv_k(x)``"""

    def __init__(self, inputs, outputs):
        super().__init__()
        norm_cfg = dict(type='BN', affine=False, track_running_stats=False)
        self.choices = nn.ModuleList(convolution(inputs, outputs, kernel, norm_cfg) for kernel in KERNELS)

    def forward(self, x, gate):
        return sum(weight * choice(x) for weight, choice in zip(gate.unbind(), self.choices, strict=True))


@MODELS.register_module()
class ToySupernet(SearchSpace):

    def __init__(self, channels=8, out_indices=(1, ), init_cfg=None):
        super().__init__(init_cfg)
        self.channels, self.out_indices = channels, tuple(out_indices)
        widths = (3, *self.stage_channels)
        self.layers = nn.ModuleList(map(MixedConvolution, widths, widths[1:]))
        self.register_gates()

    @property
    def stage_channels(self):
        return stage_channels(self.channels)

    def alpha_shapes(self):
        return {stage: (len(KERNELS), ) for stage in STAGES}

    def stages(self, x):
        for stage, layer in zip(STAGES, self.layers, strict=True):
            x = yield self.block(layer, x, self.gates[stage])

    def derive(self, alphas):
        kernels = [KERNELS[alphas[stage].argmax().item()] for stage in STAGES]
        importance = {stage: weights.tolist() for stage, weights in self.importance(alphas).items()}
        return Genotype('toy', dict(kernels=kernels), importance)


@MODELS.register_module()
class ToyNet(DerivedNet):

    def __init__(self, architecture, channels=8, out_indices=(1, ), norm_eval=False, frozen_stages=-1, init_cfg=None):
        super().__init__(architecture, out_indices, norm_eval, frozen_stages, init_cfg)
        self.channels = channels
        widths = (3, *self.stage_channels)
        self.layers = nn.ModuleList(
            convolution(inputs, outputs, kernel, dict(type='BN')) for inputs, outputs, kernel in zip(
                widths, widths[1:], self.genotype.architecture['kernels'], strict=False))
        self._freeze()

    @property
    def stage_channels(self):
        return stage_channels(self.channels)

    def stages(self, x, auxiliary):
        for layer in self.layers:
            x = yield layer(x)

    def _stage_modules(self, stage):
        return [] if stage < 0 else [self.layers[stage]]


def check(architecture, importance, root):
    check_object(architecture, root['architecture'], ('kernels', ))
    kernels, place = architecture['kernels'], root['architecture']['kernels']
    if not isinstance(kernels, list) or len(kernels) != len(STAGES):
        place.fail(kernels, f'it must be a list of {len(STAGES)} kernels')
    for i, kernel in enumerate(kernels):
        if kernel not in KERNELS:
            place[i].fail(kernel, f'it must be one of {", ".join(map(str, KERNELS))}')
    if importance is not None:
        check_importance(importance, {stage: (len(KERNELS), ) for stage in STAGES}, root['importance'])


def to_string(architecture):
    return 'toy:' + '-'.join(map(str, architecture['kernels']))


def from_string(text):
    if not text.startswith('toy:'):
        return None
    if not re.fullmatch('toy:[35]-[35]', text):
        raise ValueError('it must be toy: and two kernels, 3 or 5, as in toy:3-5')
    return dict(kernels=[int(kernel) for kernel in text[4:].split('-')])


def candidates(architecture):
    return [(stage, KERNELS.index(kernel)) for stage, kernel in zip(STAGES, architecture['kernels'], strict=True)]


def modules(network):
    return {f'layers.{i}': candidate for i, candidate in enumerate(candidates(network.genotype.architecture))}


register_space(SpaceFormat(
    name='toy',
    title='Toy',
    network=ToyNet,
    network_options=('channels', ),
    check=check,
    summary=lambda architecture: ' '.join(map(str, architecture['kernels'])),
    stages=lambda architecture: len(STAGES),
    to_string=to_string,
    from_string=from_string,
    published=dict(toy_small=dict(kernels=[3, 3])),
    cost=CostFormat(
        cover=lambda architecture: [dict(kernels=[kernel] * len(STAGES)) for kernel in KERNELS],
        chosen=candidates,
        modules=modules)))
