"""The cell supernets edge by edge, module by module, written without the project's grouped code: its oracle."""
import torch
import torch.nn.functional as F
from torch import nn

from imtnas_mm.spaces.base import SearchSpace

OPERATIONS = ('none', 'max_pool_3x3', 'avg_pool_3x3', 'skip_connect', 'sep_conv_3x3', 'sep_conv_5x5', 'dil_conv_3x3',
              'dil_conv_5x5')
ROWS = {(node, state): sum(range(2, node + 2)) + state for node in range(4) for state in range(node + 2)}


def batch_norm(channels, affine=False):
    return nn.BatchNorm2d(channels, affine=affine, track_running_stats=False)


def group_norm(channels, affine=False):
    return nn.GroupNorm(2, channels, affine=affine)


def conv(channels, out_channels, kernel=1, stride=1, padding=0, dilation=1, groups=1):
    return nn.Conv2d(channels, out_channels, kernel, stride, padding, dilation, groups, bias=False)


class FactorizedReduction(nn.Module):

    def __init__(self, channels, out_channels, norm):
        super().__init__()
        self.even, self.odd = (conv(channels, out_channels // 2, stride=2) for _ in range(2))
        self.norm = norm(out_channels)

    def forward(self, x):
        x = F.pad(x.relu(), (0, x.shape[3] % 2, 0, x.shape[2] % 2))
        return self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], 1))


class Separable(nn.Sequential):

    def __init__(self, channels, kernel, stride, norm):
        def half(stride):
            return [nn.ReLU(), conv(channels, channels, kernel, stride, kernel // 2, groups=channels),
                    conv(channels, channels), norm(channels)]
        super().__init__(*half(stride), *half(1))


class Dilated(nn.Sequential):

    def __init__(self, channels, kernel, stride, norm):
        super().__init__(nn.ReLU(), conv(channels, channels, kernel, stride, kernel - 1, 2, channels),
                         conv(channels, channels), norm(channels))


class Zero(nn.Module):

    def forward(self, x):
        return 0.


def operation(name, channels, stride, norm):
    if name == 'none':
        return Zero()
    if name == 'skip_connect':
        return nn.Identity() if stride == 1 else FactorizedReduction(channels, channels, norm)
    if name == 'max_pool_3x3':
        return nn.Sequential(nn.MaxPool2d(3, stride, 1), norm(channels))
    if name == 'avg_pool_3x3':
        return nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), norm(channels))
    return (Separable if name.startswith('sep') else Dilated)(channels, int(name[-1]), stride, norm)


class PlainCell(nn.Module):

    def __init__(self, widths, channels, reduce, after_reduction, part, norm):
        super().__init__()
        self.reduce, self.part = reduce, part
        self.inputs = nn.ModuleList([
            FactorizedReduction(widths[0], channels, norm) if after_reduction else nn.Sequential(
                nn.ReLU(), conv(widths[0], channels), norm(channels)),
            nn.Sequential(nn.ReLU(), conv(widths[1], channels), norm(channels))])
        self.edges = nn.ModuleList(
            nn.ModuleList(operation(name, channels // part, 2 if reduce and state < 2 else 1, norm)
                          for name in OPERATIONS)
            for node, state in ROWS)

    def mixed(self, row, state, x, gates, edge_gates):
        live = [column for column in range(8) if gates[row, column] != 0]
        inside = x[:, :x.shape[1] // self.part]
        y = sum(gates[row, column] * self.edges[row][column](inside) for column in live)
        if self.part == 1:
            return y
        rest = x[:, x.shape[1] // self.part:]
        if self.reduce and state < 2:
            rest = F.max_pool2d(rest, 2, 2, ceil_mode=True)
        y = torch.cat([y + torch.zeros_like(rest[:, :inside.shape[1]]), rest], 1)
        number, channels, height, width = y.shape
        y = y.view(number, self.part, channels // self.part, height, width).transpose(1, 2).reshape(y.shape)
        return edge_gates[row] * y

    def forward(self, before, last, gates, edge_gates):
        states = [module(x) for module, x in zip(self.inputs, (before, last), strict=True)]
        for node in range(4):
            states.append(sum(
                self.mixed(ROWS[node, state], state, x, gates, edge_gates) for state, x in enumerate(states)))
        return torch.cat(states[2:], 1)


class PlainSupernet(SearchSpace):
    """DARTS, P-DARTS and PR-DARTS (zero gates are not computed) and, with ``part`` > 1, PC-DARTS.

    ``last_norm`` adds PR-DARTS's norm and ReLU after the last cell.
    """

    def __init__(self, channels=16, layers=8, part=1, stem='cifar', last_norm=False, norm=batch_norm):
        super().__init__()
        self.part = part
        width = 3 * channels
        if stem == 'cifar':
            self.stem = nn.ModuleList([nn.Sequential(conv(3, width, 3, 1, 1), norm(width, affine=True))])
        else:
            self.stem = nn.ModuleList([
                nn.Sequential(conv(3, width // 2, 3, 2, 1), norm(width // 2, affine=True), nn.ReLU(),
                              conv(width // 2, width, 3, 2, 1), norm(width, affine=True)),
                nn.Sequential(nn.ReLU(), conv(width, width, 3, 2, 1), norm(width, affine=True))])
        self.cells = nn.ModuleList()
        widths, after = (width, width), stem == 'imagenet'
        for index in range(layers):
            reduce = index in (layers // 3, 2 * layers // 3)
            channels *= 2 if reduce else 1
            self.cells.append(PlainCell(widths, channels, reduce, after, part, norm))
            widths, after = (widths[1], 4 * channels), reduce
        self.last_norm = norm(4 * channels, affine=True) if last_norm else None
        self.register_gates()

    def alpha_shapes(self):
        shapes = {kind: (14, 8) for kind in ('normal', 'reduce')}
        if self.part > 1:
            shapes.update({f'{kind}_edges{i}': (i + 2, ) for kind in ('normal', 'reduce') for i in range(4)})
        return shapes

    def derive(self, alphas):
        raise NotImplementedError

    def forward(self, x):
        before = self.stem[0](x)
        last = self.stem[1](before) if len(self.stem) == 2 else before
        for cell in self.cells:
            kind = 'reduce' if cell.reduce else 'normal'
            edge_gates = torch.cat([self.gates[f'{kind}_edges{i}'] for i in range(4)]) if self.part > 1 else None
            before, last = last, cell(before, last, self.gates[kind], edge_gates)
        return (last if self.last_norm is None else self.last_norm(last).relu(), )


PARTS = {  # of an operation in a fast supernet's state_dict -> its place in the modules above
    **{f'sep_conv_{k}x{k}.{name}': place for k in (3, 5) for name, place in
       (('depthwise1', '1'), ('pointwise1', '2'), ('depthwise2', '5'), ('pointwise2', '6'))},
    **{f'dil_conv_{k}x{k}.{name}': place for k in (3, 5) for name, place in (('depthwise', '1'), ('pointwise', '2'))},
    **{f'skip_connect.{half}': half for half in ('even', 'odd')},
}


def plain_name(name):
    """An entry of a fast supernet's ``state_dict`` as the plain one calls it."""
    if name.startswith(('stem.', 'last_norm.')):
        return name
    cell, index, part, *rest = name.split('.')
    if part == 'inputs':
        which, _, number = rest
        return f'{cell}.{index}.inputs.{which}.{number}'  # completed by plain_state
    _, edge, kind, piece = rest
    place = PARTS[f'{kind}.{piece}']
    return f'{cell}.{index}.edges.{edge.removeprefix("edge")}.{OPERATIONS.index(kind)}.{place}.weight'


def plain_state(state):
    """A fast supernet's ``state_dict`` (or gradients by its names) as the plain one's."""
    tensors = {}
    for name, value in state.items():
        plain = plain_name(name)
        if '.inputs.' in plain:
            head, _, number = plain.rpartition('.')
            twin = f'{name.rpartition(".")[0]}.1' in state  # a factorised reduction has two weights
            plain = f'{head}.{("even", "odd")[int(number)]}.weight' if twin else f'{head}.1.weight'
        tensors[plain] = value
    return tensors
