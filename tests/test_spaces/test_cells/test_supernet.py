"""The cell supernets against the edge-by-edge ones of ``helpers.plain_cells``; their entries and numbers of weights."""
import copy

import pytest
import torch
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.plain_cells import PlainSupernet, group_norm, plain_state
from imtnas_mm.spaces import DARTSSupernet, PCDARTSSupernet, PDARTSSupernet, PRDARTSSupernet
from imtnas_mm.spaces.cells.edges import from_phases, to_phases
from imtnas_mm.spaces.cells.layout import EDGES, OPERATIONS, incoming, reductions

KINDS = ('normal', 'reduce')
GROUP_NORM = dict(type='GN', num_groups=2)
# three of the eight on each edge, the edges of a cell unlike; some without `none`, some without a convolution
FEW = {kind: [tuple(OPERATIONS[(edge * step + j) % 8] for j in (0, 2, 3)) for edge in range(14)]
       for kind, step in (('normal', 1), ('reduce', 5))}
# name -> the fast supernet's class and options, the plain one's options, channels
SPACES = dict(
    darts=(DARTSSupernet, {}, {}, 4),
    darts_gn=(DARTSSupernet, dict(norm_cfg=GROUP_NORM), dict(norm=group_norm), 4),
    pdarts=(PDARTSSupernet, dict(candidates=FEW), {}, 4),
    pcdarts2=(PCDARTSSupernet, dict(part=2), dict(part=2), 4),
    pcdarts4=(PCDARTSSupernet, dict(part=4), dict(part=4), 8),
    pcdarts2_gn=(PCDARTSSupernet, dict(part=2, norm_cfg=GROUP_NORM), dict(part=2, norm=group_norm), 4),
    prdarts=(PRDARTSSupernet, {}, dict(last_norm=True), 4),
    prdarts_gn=(PRDARTSSupernet, dict(norm_cfg=GROUP_NORM), dict(last_norm=True, norm=group_norm), 4),
)


def pair(space, device='cpu', **options):
    """A fast and a plain supernet of the same weights, in float64."""
    cls, fast, plain, channels = SPACES[space]
    options['channels'] = channels
    fast, plain = cls(**fast, **options).double(), PlainSupernet(**plain, **options).double()
    with torch.no_grad():
        for parameter in fast.parameters():  # the affine ones of the stem, too
            parameter += .1 * torch.randn_like(parameter)
    missing, unexpected = plain.load_state_dict(plain_state(fast.state_dict()), strict=False)
    assert not unexpected
    assert not missing or cls is PDARTSSupernet
    return fast.to(device), plain.to(device)


def random_gates(fast, device='cpu'):
    """Leaves by name, as A and a draw give them."""
    alphas = {name: torch.randn(shape, dtype=torch.float64) for name, shape in fast.alpha_shapes().items()}
    gates = fast.gate_tensors(alphas, fast.draw(alphas, torch.Generator().manual_seed(1)))
    return {name: gate.detach().to(device).requires_grad_() for name, gate in gates.items()}


def for_plain(fast, gates):
    """The gates as the plain supernet takes them: those of P-DARTS are zero for operations that it gave up."""
    if not isinstance(fast, PDARTSSupernet):
        return gates
    zero, spread = next(iter(gates.values())).new_zeros(()), {}
    for kind in KINDS:
        rows = [dict(zip(names, row.unbind(), strict=True))
                for names, row in zip(fast.candidates()[kind], gates[f'gates.{kind}'], strict=True)]
        spread[f'gates.{kind}'] = torch.stack([row.get(name, zero) for row in rows for name in OPERATIONS]).view(14, 8)
    return spread


def by_plain_name(fast, values):
    """Tensors shaped as the fast supernet's parameters, entry by entry under the plain one's names."""
    holder = copy.deepcopy(fast)
    with torch.no_grad():
        for parameter, value in zip(holder.parameters(), values, strict=True):
            parameter.copy_(value)
    return plain_state(holder.state_dict())


def run(supernet, gates, x):
    features, = functional_call(supernet, gates, (x, ))
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64).to(x.device)
    return features, (features * weights).sum() + (features.mean((2, 3))**3).sum()


def gradients(loss, tensors, **options):
    return torch.autograd.grad(loss, tensors, allow_unused=True, materialize_grads=True, **options)


def close(actual, expected, tolerance=1e-10):
    scale = max(expected.abs().max().item(), 1e-3)
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance * scale)


def close_weights(fast, plain, actual, expected, tolerance=1e-10):
    actual = by_plain_name(fast, actual)
    for (name, _), wanted in zip(plain.named_parameters(), expected, strict=True):
        if name in actual:
            close(actual.pop(name), wanted, tolerance)
        else:
            assert not wanted.any(), name  # given up by P-DARTS
    assert not actual


def check_equal(fast, plain, x):
    gates = random_gates(fast)
    results = []
    for supernet, given in ((fast, gates), (plain, for_plain(fast, gates))):
        features, loss = run(supernet, given, x)
        results.append([features, loss, *gradients(loss, [x, *gates.values(), *supernet.parameters()])])
    first = 3 + len(gates)  # the weights' gradients follow
    for actual, expected in zip(*(r[:first] for r in results), strict=True):
        close(actual, expected)
    assert all(g.any() for g in results[0][2:first])
    close_weights(fast, plain, *(r[first:] for r in results))


CASES = [  # cells, batch, height, width, whether 3x3 kernels are computed as 5x5 ones
    (4, 2, 10, 7, True),
    (5, 3, 9, 9, False),
    (8, 1, 8, 12, True),
    (3, 2, 8, 12, False),
]


@pytest.mark.parametrize('layers, number, height, width, widens', CASES)
@pytest.mark.parametrize('space', SPACES)
def test_fast_is_plain(space, layers, number, height, width, widens, monkeypatch):
    monkeypatch.setattr(SPACES[space][0], 'widens_kernels', widens)
    x = torch.randn(number, 3, height, width, dtype=torch.float64, requires_grad=True)
    check_equal(*pair(space, layers=layers), x)


@pytest.mark.parametrize('size', [64, 51])
@pytest.mark.parametrize('space', ['darts', 'pcdarts2'])
def test_fast_is_plain_after_the_stem_of_imagenet(space, size):
    """Its first cell takes state 0 at twice the size of state 1."""
    x = torch.randn(2, 3, size, size, dtype=torch.float64, requires_grad=True)
    check_equal(*pair(space, layers=3, stem='imagenet'), x)


@pytest.mark.parametrize('size', [8, 7])
@pytest.mark.parametrize('space', ['darts', 'darts_gn', 'pdarts', 'pcdarts2', 'prdarts'])
def test_second_derivatives_are_the_plain_ones(space, size, device):
    """Of <v, grad_w L>, by the image, the gates and the weights."""
    fast, plain = pair(space, device, layers=3)
    x = torch.randn(2, 3, size, size, dtype=torch.float64).to(device).requires_grad_()
    gates = random_gates(fast, device)
    directions = [torch.randn_like(p) for p in fast.parameters()]
    plain_directions = by_plain_name(fast, directions)
    plain_directions = [plain_directions.get(name, torch.zeros_like(p)) for name, p in plain.named_parameters()]
    results = []
    for supernet, given, v in ((fast, gates, directions), (plain, for_plain(fast, gates), plain_directions)):
        weights = list(supernet.parameters())
        first = gradients(run(supernet, given, x)[1], weights, create_graph=True)
        dot = sum((g * d).sum() for g, d in zip(first, v, strict=True))
        results.append([dot, *gradients(dot, [x, *gates.values(), *weights])])
    many = 2 + len(gates)
    for actual, expected in zip(*(r[:many] for r in results), strict=True):
        close(actual, expected, 1e-9)
    close_weights(fast, plain, *(r[many:] for r in results), 1e-9)


@pytest.mark.parametrize('size', [32, 31])
@pytest.mark.parametrize('space', ['darts', 'pcdarts4', 'prdarts'])
def test_single_precision_is_double_precision(space, size, device):
    """Float32 has convolutions of its own, which fail in their own ways."""
    fast, _ = pair(space, device, layers=4)
    gates = random_gates(fast, device)
    x = torch.randn(4, 3, size, size, dtype=torch.float64).to(device).requires_grad_()
    results = []
    for dtype in (torch.float64, torch.float32):
        given = {name: gate.detach().to(dtype).requires_grad_() for name, gate in gates.items()}
        image = x.detach().to(dtype).requires_grad_()
        features, = functional_call(fast.to(dtype), given, (image, ))
        loss = (features.mean((2, 3))**3).sum()  # smooth in what rounding changes
        results.append([features.detach(), *gradients(loss, [image, *given.values(), *fast.parameters()])])
    for expected, actual in zip(*results, strict=True):
        # a pixel's rounding may put it on the other side of a ReLU
        assert (actual - expected).norm() < 2e-2 * expected.norm() + 1e-6


@pytest.mark.parametrize('space', SPACES)
def test_images_are_apart_with_group_norm_alone(space):
    fast, _ = pair(space, layers=3)
    apart = space.endswith('_gn')
    assert fast.couples_images is not apart
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    gates = {name: gate.detach() for name, gate in random_gates(fast).items()}
    features, = functional_call(fast, gates, (x, ))
    actual, = torch.autograd.grad((features[0]**3).sum(), x)
    assert actual[0].any() and actual[1].any().item() is not apart


@pytest.mark.parametrize('space', ['darts', 'pcdarts2', 'prdarts'])
def test_stages(space):
    """Strides 1, 2, 4 and widths 4, 8, 16 times C; the last stage doesn't depend on which are asked for."""
    fast, _ = pair(space, layers=6)
    last = fast(x := torch.randn(2, 3, 11, 16, dtype=torch.float64))[-1]
    fast.out_indices = (0, 1, 2)
    features = fast(x)
    assert [tuple(f.shape[1:]) for f in features] == [(16, 11, 16), (32, 6, 8), (64, 3, 4)]
    assert torch.equal(features[-1], last)
    assert all(f.is_contiguous() for f in features)
    fast.out_indices = (1, )
    assert torch.equal(fast(x)[0], features[1])


def test_phases_hold_pixels_of_one_parity():
    x = torch.arange(2 * 3 * 4 * 6.).view(2, 3, 4, 6)
    phases = to_phases(x)
    assert torch.equal(from_phases(phases), x)
    for piece, (row, column) in zip(phases.split(2), ((0, 0), (0, 1), (1, 0), (1, 1)), strict=True):
        assert torch.equal(piece, x[:, :, row::2, column::2])


# --- what stands in a state_dict ---


def expected_entries(channels, layers, part=1):
    """Name -> shape, of the cells' edges."""
    entries = {}
    for index in range(layers):
        reduces = index in reductions(layers)
        channels *= 2 if reduces else 1
        c = channels // part
        for edge, (_, state) in enumerate(EDGES):
            parts = {}
            for k in (3, 5):
                for number in (1, 2):
                    parts[f'sep_conv_{k}x{k}.depthwise{number}'] = (c, 1, k, k)
                    parts[f'sep_conv_{k}x{k}.pointwise{number}'] = (c, c, 1, 1)
                parts[f'dil_conv_{k}x{k}.depthwise'] = (c, 1, k, k)
                parts[f'dil_conv_{k}x{k}.pointwise'] = (c, c, 1, 1)
            if reduces and state < 2:
                parts.update({f'skip_connect.{half}': (c // 2, c, 1, 1) for half in ('even', 'odd')})
            entries.update({f'cells.{index}.groups.{max(state - 1, 0)}.edge{edge}.{name}': shape
                            for name, shape in parts.items()})
    return entries


@pytest.mark.parametrize('space, part', [('darts', 1), ('pcdarts2', 2), ('prdarts', 1)])
def test_an_entry_an_edge_and_operation(space, part):
    fast, _ = pair(space, layers=4)
    actual = {name: tuple(value.shape) for name, value in fast.state_dict().items() if '.groups.' in name}
    expected = expected_entries(4, 4, part)
    assert actual == expected
    assert len(actual) == 4 * 14 * 12 + 2 * 8 * 2  # and 8 reductions of two halves in each reduction cell
    others = [name for name in fast.state_dict() if name not in actual]
    assert all(name.startswith(('stem.', 'last_norm.')) or '.inputs.' in name for name in others)
    assert sum(v.numel() for v in fast.state_dict().values()) == sum(p.numel() for p in fast.parameters())


def test_entries_of_few_candidates():
    fast, _ = pair('pdarts', layers=3)
    expected = set()
    for name in expected_entries(4, 3):
        _, index, _, _, edge, operation, _ = name.split('.')
        kind = 'reduce' if int(index) else 'normal'
        if operation in FEW[kind][int(edge.removeprefix('edge'))]:
            expected.add(name)
    assert {name for name in fast.state_dict() if '.groups.' in name} == expected


@pytest.mark.parametrize('space', ['darts', 'pdarts', 'pcdarts4', 'prdarts'])
def test_round_trip(space):
    fast, _ = pair(space, layers=3)
    cls, options, _, channels = SPACES[space]
    other = cls(**options, layers=3, channels=channels).double()
    state = fast.state_dict()
    names = list(state)
    other.load_state_dict(state)
    assert list(state) == names  # the caller's own is left alone
    for a, b in zip(fast.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(fast(x)[0], other(x)[0])


def test_an_entry_is_its_edges_weight():
    """Edge by edge: a changed entry changes what leaves by this edge, here node 3's channels alone."""
    fast, _ = pair('darts', layers=3)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    fast.out_indices = (0, )
    before = fast(x)[0]
    state = fast.state_dict()
    edge = EDGES.index((3, 1))
    state[f'cells.0.groups.0.edge{edge}.dil_conv_5x5.pointwise'] *= -1
    fast.load_state_dict(state)
    changed = (fast(x)[0] != before).any(0).any(-1).any(-1)
    assert changed.tolist() == [False] * 12 + [True] * 4


def test_missing_and_unexpected_entries_are_errors():
    fast, _ = pair('darts', layers=3)
    name = 'cells.1.groups.1.edge7.sep_conv_3x3.depthwise1'
    whole = fast.state_dict()
    without = {key: value for key, value in whole.items() if key != name}
    with pytest.raises(RuntimeError, match=f'Missing key.*"{name}"') as error:
        fast.load_state_dict(without)
    assert 'Unexpected' not in str(error.value) and str(error.value).count('cells.') == 1
    unknown = dict(whole, **{'cells.1.groups.0.edge99.sep_conv_3x3.depthwise1': torch.zeros(4, 1, 3, 3)})
    with pytest.raises(RuntimeError, match='Unexpected key.*edge99'):
        fast.load_state_dict(unknown)
    with pytest.raises(RuntimeError, match=f'size mismatch for {name}'):
        fast.load_state_dict(dict(whole, **{name: torch.zeros(8, 1, 5, 5)}))


def test_what_is_missing_stays_and_the_rest_is_loaded():
    fast, _ = pair('darts', layers=3)
    name, sibling = (f'cells.1.groups.1.edge{edge}.sep_conv_3x3.depthwise1' for edge in (7, 4))
    state = {key: value + 1 for key, value in fast.state_dict().items()}
    old, new = fast.state_dict()[name].clone(), state.pop(name)
    missing, unexpected = fast.load_state_dict(state, strict=False)
    assert missing == [name] and not unexpected
    assert torch.equal(fast.state_dict()[name], old) and torch.equal(old + 1, new)
    assert torch.equal(fast.state_dict()[sibling], state[sibling])


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize('cls, options, classes, total', [
    (DARTSSupernet, {}, 10, 1_930_618),
    (DARTSSupernet, {}, 100, 1_953_748),
    (PDARTSSupernet, dict(layers=5), 10, 1_275_834),
    (PCDARTSSupernet, dict(part=4), 10, 299_578),
    (PCDARTSSupernet, dict(part=2, stem='imagenet'), 1000, 956_512),
    (PRDARTSSupernet, dict(layers=6), 10, 1_323_002),
])
def test_weights_of_the_search_networks(cls, options, classes, total):
    """Those of the original codes, with the linear classifier."""
    supernet = cls(**options)
    assert count(supernet) + 256 * classes + classes == total
    assert sum(value.numel() for value in supernet.state_dict().values()) == count(supernet)


# --- what is computed ---


class Convolutions(TorchDispatchMode):
    """Counts output maps of convolutions by kernel, dilation and group kind, whatever computes them."""

    def __init__(self):
        super().__init__()
        self.depthwise = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.convolution.default and args[1].shape[1] == 1:
            self.depthwise += len(args[1])  # channels
        return function(*args, **(kwargs or {}))


def test_two_operations_an_edge_are_computed():
    """Depthwise convolutions, by channel: two a separable convolution, one a dilated one, of the chosen edges alone."""
    fast, _ = pair('prdarts', layers=4)
    gates = {name: gate.detach() for name, gate in random_gates(fast).items()}
    assert all((gate.sum(1) == 2).all() for gate in gates.values())
    expected, channels = 0, 4
    for index in range(4):
        kind = 'reduce' if index in reductions(4) else 'normal'
        channels *= 2 if kind == 'reduce' else 1
        columns = gates[f'gates.{kind}'].sum(0)
        expected += channels * int(2 * (columns[4] + columns[5]) + columns[6] + columns[7])
    with Convolutions() as counted, torch.no_grad():
        functional_call(fast, gates, (torch.randn(2, 3, 8, 8, dtype=torch.float64), ))
    assert counted.depthwise == expected
    with Convolutions() as counted, torch.no_grad():
        fast(torch.randn(2, 3, 8, 8, dtype=torch.float64))
    assert counted.depthwise == (4 + 8 + 16 + 16) * 14 * 6


def test_a_node_of_nothing_is_zeros():
    fast, _ = pair('prdarts', layers=3)
    gates = random_gates(fast)
    none = OPERATIONS.index('none')
    with torch.no_grad():
        for kind in KINDS:
            gates[f'gates.{kind}'][incoming(1)] = 0
            gates[f'gates.{kind}'][incoming(1), none] = 1
    fast.out_indices = (0, 1)
    normal, reduced = functional_call(fast, gates, (torch.randn(2, 3, 9, 7, dtype=torch.float64), ))
    assert normal.shape == (2, 16, 9, 7) and reduced.shape == (2, 32, 5, 4)
    assert not normal[:, 4:8].any() and normal[:, :4].any() and normal[:, 8:].any()
    assert not reduced[:, 8:16].any() and reduced[:, :8].any() and reduced[:, 16:].any()
    reduced.square().sum().backward()
    assert all(gate.grad.isfinite().all() for gate in gates.values())


@pytest.mark.parametrize('cls, options, message', [
    (DARTSSupernet, dict(layers=2), 'layers=2'),
    (DARTSSupernet, dict(channels=5), 'channels=5'),
    (DARTSSupernet, dict(stem='svhn'), 'svhn'),
    (DARTSSupernet, dict(stem='imagenet', stem_stride=2), 'stem_stride=2'),
    (DARTSSupernet, dict(out_indices=(3, )), 'out_indices'),
    (DARTSSupernet, dict(out_indices=()), 'out_indices'),
    (DARTSSupernet, dict(norm_cfg=dict(type='BN')), 'norm_cfg'),
    (DARTSSupernet, dict(norm_cfg=dict(type='LN')), 'norm_cfg'),
    (PCDARTSSupernet, dict(part=1), 'part=1'),
    (PCDARTSSupernet, dict(part=4, channels=12), 'channels=12'),
    (PRDARTSSupernet, dict(temperature=(1., 0.)), 'temperature'),
    (PRDARTSSupernet, dict(regularization=(1., 0.)), 'regularization'),
    (PRDARTSSupernet, dict(num_sampled=9), 'num_sampled=9'),
    (PDARTSSupernet, dict(skip_dropout=1.), 'skip_dropout=1'),
    (PDARTSSupernet, dict(skip_limit=-1), 'skip_limit=-1'),
])
def test_bad_options(cls, options, message):
    with pytest.raises(ValueError, match=message):
        cls(**options)
