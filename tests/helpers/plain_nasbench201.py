"""NAS-Bench-201's search network edge by edge, operation by operation: the oracle of the fast one."""
import torch
from torch import nn

from imtnas_mm.spaces.base import SearchSpace

EDGES = [(target, source) for target in range(1, 4) for source in range(target)]


def norm(channels):
    return nn.BatchNorm2d(channels, affine=False, track_running_stats=False)


def conv(inputs, outputs, kernel, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


class Zero(nn.Module):

    def forward(self, x):
        return torch.zeros_like(x)


def mixed(channels):
    """none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3"""
    return nn.ModuleList([
        Zero(), nn.Identity(),
        *(nn.Sequential(nn.ReLU(), conv(channels, channels, kernel), norm(channels)) for kernel in (1, 3)),
        nn.AvgPool2d(3, 1, 1, count_include_pad=False)])


class PlainCell(nn.Module):

    def __init__(self, channels):
        super().__init__()
        self.edges = nn.ModuleList(mixed(channels) for _ in EDGES)

    def forward(self, x, gates):
        states = [x]
        for target in range(1, 4):
            states.append(sum(
                gates[i, j] * operation(states[source])
                for i, (t, source) in enumerate(EDGES) if t == target
                for j, operation in enumerate(self.edges[i])))
        return states[-1]


class PlainReduction(nn.Module):

    def __init__(self, channels):
        super().__init__()
        self.first = nn.Sequential(nn.ReLU(), conv(channels, 2 * channels, 3, 2), norm(2 * channels))
        self.second = nn.Sequential(nn.ReLU(), conv(2 * channels, 2 * channels, 3), norm(2 * channels))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2, ceil_mode=True), conv(channels, 2 * channels, 1))

    def forward(self, x):
        return self.second(self.first(x)) + self.shortcut(x)


class PlainSupernet(SearchSpace):

    def __init__(self, channels, cells):
        super().__init__()
        self.stem = nn.Sequential(conv(3, channels, 3), norm(channels))
        self.cells = nn.ModuleList()
        for stage in range(3):
            width = channels * 2**stage
            self.cells.extend(PlainCell(width) for _ in range(cells))
            if stage < 2:
                self.cells.append(PlainReduction(width))
        self.last = nn.Sequential(norm(4 * channels), nn.ReLU())
        self.register_gates()

    def alpha_shapes(self):
        return dict(cell=(6, 5))

    def derive(self, alphas):
        raise NotImplementedError

    def forward(self, x):
        x = self.stem(x)
        outputs = []
        for cell in self.cells:
            if isinstance(cell, PlainReduction):
                outputs.append(x)
                x = cell(x)
            else:
                x = cell(x, self.gates['cell'])
        return *outputs, self.last(x)


def plain_state(state):
    """The weights of the fast network, or their gradients, by the names of the plain one's."""
    found = {}
    for name, value in state.items():
        if name.startswith('stem.'):
            found[name.replace('stem.0.', 'stem.')] = value
            continue
        cells, index, part, *rest = name.split('.')
        prefix = f'{cells}.{index}'
        if not rest:
            found[f'{prefix}.{part}.1.weight'] = value
            continue
        source, column = int(rest[0]), dict(conv_1x1=2, conv_3x3=3)[part]
        leaving = [i for i, edge in enumerate(EDGES) if edge[1] == source]
        for i, own in zip(leaving, value.chunk(len(leaving)), strict=True):
            found[f'{prefix}.edges.{i}.{column}.1.weight'] = own
    return found
