"""Fused supernets against plain loops over their stages and edges."""
import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from helpers.devices import moved
from helpers.small_search import CELLS, SPACE
from imtnas_mm.networks.fusion import FusionEdge, fusion_edges, needed_parts
from imtnas_mm.registry import MODELS, scoped
from imtnas_mm.spaces.base import gate_names
from imtnas_mm.spaces.fused import FusedSupernet, edge_name

SPACES = dict(
    mbconv=dict(SPACE, out_indices=(0, 2)),
    cells=dict(CELLS, out_indices=(0, 1, 2)),
    prdarts=dict(CELLS, type='PRDARTSSupernet'),
)


def fused(space, networks=3, network=1, **options):
    """In float64, with supernets that differ."""
    torch.manual_seed(0)
    actual = FusedSupernet(SPACES[space], networks, network, **options).double()
    with torch.no_grad():
        for parameter in actual.parameters():
            parameter += .1 * torch.randn_like(parameter)
    return actual


def gates_of(supernet, edges):
    """Random gates of the operations, and given ones of the edges; by buffer name."""
    space = supernet.encoders[0]
    alphas = {name: torch.randn(shape, dtype=torch.float64) for name, shape in space.alpha_shapes().items()}
    encoder_gates = space.gate_tensors(alphas, space.draw(alphas, torch.Generator().manual_seed(1)))
    inside = {f'encoders.{i}.{name}': gate
              for i in range(len(supernet.encoders)) for name, gate in encoder_gates.items()}
    return encoder_gates, {**inside, 'gates.fusion': edges}


def plain_stages(space, x):
    """A plain generator of the stages of one supernet."""
    if hasattr(space, 'layers') and hasattr(space, 'searched'):
        x = space.first(space.stem(x))
        for stage in range(3):
            for layer in space.searched:
                if layer.stage == stage:
                    choices = space.layers[layer.name].choices.values()
                    x = sum(gate * choice(x) for gate, choice in zip(space.gates[layer.name], choices, strict=True))
            x = yield x
    else:
        before = last = space.stem[0](x)
        mixtures = space.mixtures()
        for cell, kernels in zip(space.cells, space.kernels(mixtures), strict=True):  # a stage each
            before, last = last, space.run_cell(cell, before.relu(), last.relu(), mixtures[cell.kind], kernels)
            last = yield space.finish(last) if cell is space.cells[-1] else last


def plain_outputs(supernet, gates, x):
    """Every stage of every network, and every edge, whether it is needed or not."""
    number = len(supernet.encoders)
    streams = [plain_stages(space, x) for space in supernet.encoders]
    maps, sent, outputs = {}, [None] * number, []
    edges = dict(zip(supernet.edges, gates['gates.fusion'].flatten(), strict=True))
    for stage in range(3):
        for i in range(number):
            maps[i, stage] = streams[i].send(sent[i])
        sent = [maps[i, stage] for i in range(number)]
        for (target, at, source, source_stage), gate in edges.items():
            if at == stage:
                x = maps[source, source_stage]
                if x.shape[2:] != sent[target].shape[2:]:
                    x = F.interpolate(x, sent[target].shape[2:], mode='bilinear')
                weight = supernet.fusion[f'into{target}_{at}_from{source}_{source_stage}'] * supernet.scale
                sent[target] = sent[target] + gate * F.conv2d(x, weight)
        outputs.append(sent[supernet.network])
    return [outputs[i] for i in supernet.out_indices]


class Plain(torch.nn.Module):

    def __init__(self, supernet, gates):
        super().__init__()
        self.supernet, self.edges = supernet, gates

    def forward(self, x):
        return plain_outputs(self.supernet, self.edges, x)


@pytest.mark.parametrize('space', SPACES)
@pytest.mark.parametrize('density', [1., .3])
@pytest.mark.parametrize('size', [16, 13])
def test_features_are_those_of_a_plain_loop(space, density, size, device):
    supernet = fused(space, learning_rate_factor=9.)
    torch.manual_seed(3)
    edges = torch.rand(3, 12, dtype=torch.float64)
    edges = edges * (torch.rand(3, 12) < density)
    _, gates = gates_of(supernet, edges)
    supernet, gates = supernet.to(device), moved(gates, device)
    x = torch.rand(2, 3, size, size, dtype=torch.float64).to(device)
    with torch.no_grad():
        actual = functional_call(supernet, gates, (x, ))
        expected = functional_call(Plain(supernet, gates), {f'supernet.{n}': g for n, g in gates.items()}, (x, ))
    assert len(actual) == len(supernet.out_indices)
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('space', SPACES)
@pytest.mark.parametrize('gate', [0., 1e-300])  # left out, and computed
def test_without_edges_it_is_the_supernet(space, gate):
    supernet = fused(space)
    encoder_gates, gates = gates_of(supernet, torch.full((3, 12), gate, dtype=torch.float64))
    x = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        actual = functional_call(supernet, gates, (x, ))
        expected = functional_call(supernet.encoders[1], encoder_gates, (x, ))
    assert len(actual) == len(expected) == len(supernet.out_indices)
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-290 if gate else 0)


def test_only_what_is_needed_runs():
    supernet = fused('mbconv')
    calls = []
    for i, encoder in enumerate(supernet.encoders):
        for name, layer in encoder.layers.items():
            layer.register_forward_hook(lambda *_, key=(i, name): calls.append(key))
    on = [FusionEdge(1, 1, 0, 0), FusionEdge(0, 0, 2, 0), FusionEdge(2, 0, 1, 0), FusionEdge(0, 2, 2, 2)]
    edges = torch.tensor([float(edge in on) for edge in supernet.edges]).view(3, 12).double()
    _, gates = gates_of(supernet, edges)
    functional_call(supernet, gates, (torch.rand(2, 3, 16, 16, dtype=torch.float64), ))
    # encoder 1 is the output; 0 as far as stage 0 before its fusion, which needs nothing of 2
    assert calls == [(0, 'layer01'), (1, 'layer01'), (1, 'layer02'), (1, 'layer03'), (1, 'layer04')]


def test_what_is_needed_by_enumeration():
    """Against a search through the graph of all that depends on what."""
    generator = torch.Generator().manual_seed(0)
    every = sum(fusion_edges(3, 4), ())
    assert len(every) == len(set(every)) == 3 * 2 * 10
    assert all(edge.source != edge.target and edge.source_stage <= edge.stage for edge in every)
    for _ in range(100):
        edges = [edge for edge in every if torch.rand((), generator=generator) < .1]
        last = int(torch.randint(4, (), generator=generator))
        actual, used = {('fused', 1, stage) for stage in range(last + 1)}, set()
        todo = list(actual)
        while todo:
            kind, network, stage = todo.pop()
            if kind == 'own':
                new = {('fused', network, stage - 1)} if stage else set()
            else:
                into = [edge for edge in edges if edge[:2] == (network, stage)]
                used.update(into)
                new = {('own', network, stage), *(('own', edge.source, edge.source_stage) for edge in into)}
            todo += new - actual
            actual |= new
        stages = {i: 1 + max(stage for kind, network, stage in actual if (kind, network) == ('own', i))
                  for i in range(3) if any(part[:2] == ('own', i) for part in actual)}
        depths, needed = needed_parts(edges, 1, last)
        assert depths == stages and set(needed) == used and len(needed) == len(used)


def test_start():
    supernet = FusedSupernet(SPACES['mbconv'], 3, 0, init=.6, learning_rate_factor=4.)
    first, *others = (dict(encoder.named_parameters()) for encoder in supernet.encoders)
    for other in others:
        assert all(torch.equal(first[name], value) for name, value in other.items())
    widths = supernet.encoders[0].stage_channels
    assert widths == (8, 8, 16)
    for edge in supernet.edges:
        weight = 2 * supernet.fusion[edge_name(edge)][:, :, 0, 0]
        incoming = 2 * (edge.stage + 1)
        torch.testing.assert_close(weight, .6 / incoming * torch.eye(widths[edge.stage], widths[edge.source_stage]))


def test_gates_are_no_statistics():
    supernet = fused('mbconv')
    assert gate_names(supernet) == {name for name, _ in supernet.named_buffers()}
    assert 'gates.fusion' in gate_names(supernet) and 'encoders.2.gates.layer01' in gate_names(supernet)
    assert gate_names(supernet.encoders[0]) == {f'gates.layer0{i}' for i in range(1, 5)}
    assert (supernet.gates.fusion == .5).all()


def test_dropout_and_progress_reach_all():
    from imtnas_mm.progress import Progress
    space = MODELS.build(scoped(dict(type='FusedSupernet', networks=2, network=0, space=dict(
        CELLS, type='PDARTSSupernet', skip_dropout=.3))))
    space.set_progress(Progress(0, 4, 0, 0.))
    assert [encoder.skip_dropout for encoder in space.encoders] == [.3, .3]
    with space.deterministic():
        assert [encoder.skip_dropout for encoder in space.encoders] == [0., 0.]
    assert [encoder.skip_dropout for encoder in space.encoders] == [.3, .3]
