"""What is recorded and replayed gives what the computation gives: with a recorder of traces, which a CPU can run.

A trace holds the operators of one call and nothing of Python. It can be made of what a GPU can record alone: reading a
value raises, and whatever Python decided on is fixed. So a replayed search equals the plain one only if its
computations are functions of the tensors they are given.
"""
import copy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from helpers import small_search
from helpers.host_reads import READS
from helpers.small_search import CELLS, TRANSFER, build, build_method, iterate, optimisers
from imtnas_mm.replay import CudaGraph, Recordings
from imtnas_mm.transport import tensors_of, with_tensors


def mapped(kind, function, value):
    """The arguments of an operator with what is of a kind mapped; torch's tree_map_only takes most of a test's time."""
    if isinstance(value, kind):
        return function(value)
    if isinstance(value, list | tuple):
        return type(value)([mapped(kind, function, item) for item in value])
    return {key: mapped(kind, function, item) for key, item in value.items()} if isinstance(value, dict) else value


def tensors_in(result):
    """Of an operator: a tensor, or several."""
    return [x for x in (result if isinstance(result, list | tuple) else [result]) if isinstance(x, torch.Tensor)]


class Trace(TorchDispatchMode):
    """As :class:`CudaGraph`: the operators of one call, run again on other tensors."""
    device = 'cpu'
    made = []

    def __init__(self, function, tensors):
        super().__init__()
        self.operators, self.kept = [], []  # (function, arguments, results), tensors by their numbers
        self.numbers = {}
        self.inputs = [self.number(x) for x in [x.detach().clone() for x in tensors]]
        with self:
            self.found = function([self.kept[i] for i in self.inputs])
        self.outputs = [self.number(tensor) for tensor in tensors_of(self.found)]
        Trace.made.append(self)

    def number(self, tensor):
        """A tensor that no operator of the call gave, and that is no input, is one that it finds where it is."""
        if id(tensor) not in self.numbers:
            assert not isinstance(tensor, torch.nn.Parameter), 'it may be that of another round: it must be an input'
            self.numbers[id(tensor)] = len(self.kept)
            self.kept.append(tensor)
        return self.numbers[id(tensor)]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.removeprefix('aten::')
        if name in READS:
            raise RuntimeError(f'{func} reads a value')
        if name == 'lift_fresh':
            raise RuntimeError('a tensor of numbers is made, which a GPU gets from memory that is not pinned')
        arguments = mapped(torch.Tensor, lambda x: Number(self.number(x)), (args, kwargs or {}))
        actual = func(*args, **(kwargs or {}))
        results = [self.number(x) for x in tensors_in(actual)]
        self.operators.append((func, arguments, results))
        return actual

    @torch.no_grad()
    def __call__(self, tensors):
        values = list(self.kept)
        for i, x in zip(self.inputs, tensors, strict=True):
            values[i] = x.detach().clone()
        for func, arguments, results in self.operators:
            args, kwargs = mapped(Number, lambda number: values[number], arguments)
            for i, x in zip(results, tensors_in(func(*args, **kwargs)), strict=True):
                values[i] = x
        return with_tensors(self.found, (values[i].clone() for i in self.outputs))


class Number(int):
    """The number of a tensor in a trace."""


@pytest.fixture
def traces(monkeypatch):
    monkeypatch.setattr(Trace, 'made', [])
    return Trace.made


TASK = copy.deepcopy(small_search.TASKS['cls'])
TASK['model']['head'].update(dropout=0.)
LIVE = dict(TRANSFER, num_augmentations=3, image_size=8, threshold=.05)
SMALL = dict(
    layout=dict(small_search.LAYOUT, name='two layers', widths=(8, 16), depths=(1, 1), strides=(1, 2)),
    out_indices=(1, ))


@pytest.fixture(autouse=True)
def without_dropout(monkeypatch):
    """A classifier ``plain`` beside the others, which draws nothing."""
    monkeypatch.setitem(small_search.TASKS, 'plain', TASK)


def search(order=('plain', 'plain2'), rounds=1, hypergradient='first_order', **options):
    options = dict(dict(transfer=LIVE, encoder_weights=dict(type='HyperNetwork', stage_std=1.), space=SMALL), **options)
    return build(order, rounds, hypergradient=hypergradient, **copy.deepcopy(options))


def searched(model, iterations, recorder=Trace):
    torch.manual_seed(1)
    if model.replay:
        model.recordings = Recordings(recorder)
        model.any_rank = lambda flag: flag  # as on a GPU: the host asks later
    wrapper, figures = optimisers(model), []
    for i in range(iterations):
        for group in wrapper['encoder'].param_groups:
            group['lr'] = .05 / (i + 1)  # rates change, and no recording may keep them
        torch.manual_seed(100 + i)
        figures.append(iterate(model, wrapper, i))
    return model.state_dict(), figures


def check_same(plain, replayed, single=False):
    """``single``: in float32 on a GPU, whose kernels may add in any order."""
    (states, figures), (others, actual) = plain, replayed
    of_states, of_figures = (dict(rtol=1e-3, atol=1e-5), ) * 2 if single else (dict(rtol=1e-10, atol=1e-12), {})
    for name, value in states.items():
        torch.testing.assert_close(others[name], value, **of_states, msg=name)
    for one, other in zip(figures, actual, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            torch.testing.assert_close(torch.as_tensor(other[name]), torch.as_tensor(one[name]), **of_figures, msg=name)


@pytest.mark.parametrize('mode, rounds, number', [
    ('exact', 2, 12),  # 3 stages' gradients, 2 transfers, 2 validations, and pullbacks: 2 heads, 1 stage, 2 transfers
    ('finite_difference', 1, 8),
    ('first_order', 1, 5),
])
def test_a_replayed_search_is_the_plain_one(mode, rounds, number, traces):
    plain = searched(search(hypergradient=mode, rounds=rounds), 3)
    assert not traces
    check_same(plain, searched(search(hypergradient=mode, rounds=rounds, replay=True), 3))
    assert len(traces) == number
    model = search(replay=True)
    searched(model, iterations=1)
    assert all(not isinstance(entry, Trace) for (what, *_), entry in model.recordings.kept.items()
               if what[0] in ('the stage', 'the validation'))  # a first call is never recorded


@pytest.mark.parametrize('options', [
    dict(encoder_task_weight=.5), dict(transfer=None, encoder_task_weight=.5, hypergradient='exact'),
    *(dict(rounds=2, encoder_task_weight=1., hypergradient=mode)
      for mode in ('first_order', 'exact', 'finite_difference')),
    dict(recompute='all', hypergradient='exact'), dict(transfer=dict(type='L2Weights')),
    dict(arch_steps=2, amp=True)], ids=str)
def test_settings(options, traces):
    check_same(*(searched(search(replay=replay, **options), 3) for replay in (False, True)))
    assert traces


@pytest.mark.parametrize('space', [{}, dict(type='PDARTSSupernet')], ids=['DARTS', 'P-DARTS'])
def test_cells(traces, space):
    options = dict(order=('cell', 'cell2'), space=dict(CELLS, **space))
    check_same(*(searched(search(replay=replay, **options), 3) for replay in (False, True)))
    assert traces


@pytest.mark.parametrize('method', ['MTLHWS', 'MTLSWS', 'MinibatchInterleaving', 'SingleTask'])
def test_methods(method, traces):
    order = ('plain', ) if method == 'SingleTask' else ('plain', 'plain2')
    space = dict(small_search.SPACE, **SMALL)
    check_same(*(searched(build_method(method, order=order, space=space, replay=replay), 3)
                 for replay in (False, True)))
    assert traces


@pytest.mark.parametrize('options', [
    dict(order=('cell', 'cell2'), space=dict(CELLS, type='PRDARTSSupernet')),
    dict(order=('cell', 'cell2'), space=dict(CELLS, type='PDARTSSupernet', skip_dropout=.3)),
    dict(space=dict(SMALL, estimator='two_path')),
], ids=['sampled edges', 'dropout that changes', 'two paths'])
def test_what_is_not_replayed_runs_as_it_is(options, traces):
    check_same(*(searched(search(replay=replay, **options), 3) for replay in (False, True)))
    assert not traces


def test_detection_runs_as_it_is(traces):
    """Beside it, the stages of a classification task are replayed."""
    check_same(*(searched(search(('plain', 'det'), space={}, replay=replay), 3) for replay in (False, True)))
    assert len(traces) == 2


def test_a_computation_that_draws_is_never_recorded(traces):
    """The head of ``cls`` has dropout; its transfers, which have none, are replayed."""
    model = search(('cls', 'cls2'), replay=True)
    searched(model, 3)
    kept = {key[0]: entry for key, entry in model.recordings.kept.items()}
    assert {what for (what, *_), entry in kept.items() if entry is None} >= {'the stage', 'the validation'}
    assert any(what == 'the transfer' and isinstance(entry, Trace) for (what, *_), entry in kept.items())


def test_a_read_is_refused_in_words():
    recordings = Recordings(Trace)

    def reads(tensors, data):
        return dict(y=tensors[0] * 2 if tensors[0].sum().item() > 0 else tensors[0])

    assert recordings(('it', ), reads, [torch.ones(2)])['y'].tolist() == [2, 2]
    with pytest.raises(RuntimeError, match='^it: this computation could not be recorded.*Use model.replay=False'):
        recordings(('it', ), reads, [torch.ones(2)])


def test_shapes_have_recordings_of_their_own():
    recordings, calls = Recordings(Trace), []

    def double(tensors, data):
        calls.append(0)
        return dict(y=tensors[0] * 2 + data['x'])

    for _ in range(3):
        for n in (2, 3):
            actual = recordings(('it', ), double, [torch.ones(n)], dict(x=torch.full((n, ), float(n))))
            assert actual['y'].tolist() == [2. + n] * n
    assert len(recordings.kept) == 2 and len(calls) == 4


def test_only_a_gpu_is_recorded():
    model = search(replay=True)
    assert model.recordings.device == CudaGraph.device == 'cuda'
    torch.manual_seed(0)
    iterate(model, optimisers(model))
    assert not any(model.replays(stage) for stage in model.stages)
    assert not model.recordings.kept


ON_GPU = {
    'exact': dict(rounds=2, hypergradient='exact'),
    'finite differences': dict(hypergradient='finite_difference'),
    'recomputed': dict(hypergradient='exact', recompute='all'),
    'L2': dict(transfer=dict(type='L2Weights'), hypergradient='exact'),
    'amp': dict(amp=True, arch_steps=2, dtype=torch.float32),
    'tf32': dict(tf32=True, dtype=torch.float32),
    'cells': dict(order=('cell', 'cell2'), space=CELLS, hypergradient='exact'),
    'P-DARTS': dict(order=('cell', 'cell2'), space=dict(CELLS, type='PDARTSSupernet'), hypergradient='exact'),
    'part of the channels': dict(
        order=('cell', 'cell2'), space=dict(CELLS, type='PCDARTSSupernet', part=2), hypergradient='exact'),
    'with detection': dict(order=('plain', 'det'), space={}, hypergradient='exact'),
}


@pytest.mark.parametrize('name', ON_GPU)
def test_cuda_graphs_of_a_search_are_the_plain_one(name, real_gpu):
    plain, replayed = (searched(search(replay=replay, **ON_GPU[name]).to(real_gpu), 4, CudaGraph)
                       for replay in (False, True))
    check_same(plain, replayed, single=ON_GPU[name].get('dtype') == torch.float32)


def test_cuda_graphs_are_made_and_replayed(real_gpu):
    model = search(replay=True, hypergradient='exact').to(real_gpu)
    searched(model, 4, CudaGraph)
    assert sum(isinstance(entry, CudaGraph) for entry in model.recordings.kept.values()) == 8


def test_what_a_gpu_cannot_record_is_refused_in_words(real_gpu):
    recordings = Recordings()

    def reads(tensors, data):
        return dict(y=tensors[0] * tensors[0].sum().item())

    x = torch.ones(2, device=real_gpu)
    assert recordings(('it', ), reads, [x])['y'].tolist() == [2, 2]
    with pytest.raises(RuntimeError, match='^it: this computation could not be recorded.*Use model.replay=False'):
        recordings(('it', ), reads, [x])
    assert (x + 1).tolist() == [2, 2]  # the GPU goes on
