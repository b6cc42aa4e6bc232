"""The supernet of NAS-Bench-201 against the one of ``helpers.plain_nasbench201``, written edge by edge."""
import pytest
import torch
from torch.func import functional_call

from helpers.plain_nasbench201 import PlainSupernet, group_norm, plain_state
from imtnas_mm.analysis.complexity import count_parameters
from imtnas_mm.genotype import genotype_from_dict
from imtnas_mm.spaces import NASBench201Supernet
from imtnas_mm.spaces.nasbench201.layout import OPERATIONS

GROUP_NORM = dict(type='GN', num_groups=2)


def ramp(start, end, like):
    return torch.linspace(start, end, like.numel(), dtype=like.dtype, device=like.device).view_as(like)


def derivatives(net, names, x, gates):
    """Outputs, the first derivatives of a function of them, and the derivatives of a function of those, by the plain
    network's names."""
    gates = gates.clone().requires_grad_()
    weights = {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}
    outputs = functional_call(net, {**weights, 'gates.cell': gates}, (x, ))
    found = [list(outputs)]
    scalar = sum((y.sin() * ramp(-1, 1, y)).sum() for y in outputs)
    for i in range(2):
        parts = torch.autograd.grad(scalar, [gates, *weights.values()], create_graph=not i)
        named = dict(sorted(names(dict(zip(weights, parts[1:], strict=True))).items()), gates=parts[0])
        found.append(named)
        scalar = sum((g * ramp(-1, 2, g)).sum() for g in named.values())
    return found


@pytest.mark.parametrize('norm_cfg', [None, GROUP_NORM], ids=['batch', 'group'])
@pytest.mark.parametrize('size, recompute', [((9, 8), False), ((8, 8), True)])
def test_it_is_the_edge_by_edge_network(norm_cfg, size, recompute, device):
    torch.manual_seed(0)
    options = {} if norm_cfg is None else dict(norm_cfg=norm_cfg)
    fast = NASBench201Supernet(4, 2, out_indices=(0, 1, 2), **options).double()
    plain = PlainSupernet(4, 2, **({} if norm_cfg is None else dict(norm=group_norm))).double()
    plain.load_state_dict(plain_state(fast.state_dict()))
    fast.recompute = recompute
    x = torch.randn(3, 3, *size, dtype=torch.float64).to(device)
    gates = torch.randn(6, 5, dtype=torch.float64).softmax(-1).to(device)
    fast.to(device), plain.to(device)
    (ours, *our_derivatives), (theirs, *their_derivatives) = (
        derivatives(net, names, x, gates) for net, names in ((fast, plain_state), (plain, lambda weights: weights)))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    for one, other in zip(our_derivatives, their_derivatives, strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            scale = value.abs().max().item()
            torch.testing.assert_close(one[name], value, rtol=1e-10, atol=1e-10 * max(scale, 1), msg=name)


def test_weights_of_the_search_network():
    assert count_parameters(NASBench201Supernet()) == 1_684_912  # the norms have none


def test_each_edge_keeps_its_largest_weight():
    net = NASBench201Supernet(2, 1)
    chosen = [0, 1, 2, 3, 4, 0]
    alphas = torch.zeros(6, 5)
    alphas[range(6), chosen] = .1
    genotype = genotype_from_dict(net.derive(dict(cell=alphas)).to_dict())
    assert [edge for state in genotype.architecture['cell'] for edge in state] == [
        [OPERATIONS[choice], source] for choice, source in zip(chosen, (0, 0, 1, 0, 1, 2), strict=True)]
    assert torch.tensor(genotype.importance['cell']).argmax(1).tolist() == chosen


def test_none_is_left_out_of_the_derived_cell():
    alphas = torch.tensor([[.5, .1, .4, .2, .3]]).repeat(6, 1)
    assert {operation for state in NASBench201Supernet(2, 1).derive(dict(cell=alphas)).architecture['cell']
            for operation, _ in state} == {'none'}
    net = NASBench201Supernet(2, 1, derive_none=False)
    genotype = genotype_from_dict(net.derive(dict(cell=alphas)).to_dict())
    assert {operation for state in genotype.architecture['cell'] for operation, _ in state} == {'nor_conv_1x1'}
    assert torch.tensor(genotype.importance['cell']).argmax(1).tolist() == [0] * 6  # as A has it
    outcomes, probabilities = net.decisions()[0], net.decision_probabilities(dict(cell=alphas))[0]
    assert outcomes == [(('cell', 0, i), ) for i in range(1, 5)]
    torch.testing.assert_close(probabilities, alphas[0, 1:].softmax(0))


def test_stems_strides_and_layout():
    assert [tuple(y.shape) for y in NASBench201Supernet(4, 1, out_indices=(0, 2))(torch.randn(2, 3, 16, 16))] == [
        (2, 4, 16, 16), (2, 16, 4, 4)]
    y, = NASBench201Supernet(4, 1, stem_stride=2)(torch.randn(2, 3, 16, 16))
    assert y.shape == (2, 16, 2, 2) and y.is_contiguous() and (y >= 0).all()
    y, = NASBench201Supernet(4, 1, stem='imagenet')(torch.randn(2, 3, 64, 64))
    assert y.shape == (2, 16, 2, 2)


def test_blocks_are_all_of_the_network():
    net = NASBench201Supernet(2, 2)
    blocks = net.blocks()
    assert list(blocks) == ['stem', *(f'cell{i}' for i in range(1, 9))]
    paths = tuple(f'{path}.' for own in blocks.values() for path in own)
    assert all(name.startswith(paths) for name, _ in net.named_parameters())


@pytest.mark.parametrize('options, message', [
    (dict(channels=0), 'channels=0'), (dict(cells=1.5), 'cells=1.5'), (dict(out_indices=(3, )), r'out_indices=\(3,'),
    (dict(out_indices=()), 'out_indices'), (dict(norm_cfg=dict(type='BN')), 'norm_cfg'), (dict(stem='x'), "stem='x'")])
def test_what_it_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        NASBench201Supernet(**options)
