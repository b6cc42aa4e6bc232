"""Tables of latencies: what a clock reads becomes a table, and a file that is read back or refused."""
import copy
import itertools
import json
import re

import pytest
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from helpers.small_search import SPACE
from imtnas_mm.analysis.cost_table import CostTable, Macs, cost_table
from imtnas_mm.analysis.latency import WARM_UP, Latency, measure_latency
from imtnas_mm.analysis.latency_file import read_latency, write_latency
from imtnas_mm.architecture import Architecture
from imtnas_mm.genotype import GenotypeError
from imtnas_mm.networks.derived import DerivedNet
from imtnas_mm.registry import MODELS

NANOSECOND, OVERHEAD = 1e-9, .5e-3
IMAGE = 3, 16, 16
CELLS = dict(type='imtnas_mm.NASBench201Supernet', channels=4, cells=1)


class Clock:
    """Stands still but for what is added to ``now``."""
    now = 0.

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    """A convolution takes a nanosecond per multiply-accumulate, and a network half a millisecond besides."""
    clock = Clock()

    def pass_time(module, _, output):
        if isinstance(module, nn.Conv2d):
            clock.now += NANOSECOND * module.weight.numel() * output.shape[2:].numel()
        if isinstance(module, DerivedNet):
            clock.now += OVERHEAD

    handle = register_module_forward_hook(pass_time)
    yield clock
    handle.remove()


class Slow(nn.Module):
    """Takes the next of these seconds in each pass."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.clock, self.seconds = clock, iter(seconds)

    def forward(self, x):
        self.clock.now += next(self.seconds)
        return x


def test_the_median_of_the_passes_after_the_first_ones():
    clock = Clock()
    module, other = Slow(clock, [*[9.] * WARM_UP, 8., 1., 3.]), nn.Sequential(Slow(clock, itertools.repeat(5.)))
    latency = Latency(repeats=3, clock=clock)
    shape = 1, 2, 2
    assert latency(module, [shape]) == latency(other, [shape]) == 0  # noted
    latency.measure()
    assert latency(module, [shape]) == pytest.approx(3e3) and latency(other, [shape]) == pytest.approx(5e3)


def test_modules_take_turns():
    order = []

    class Noted(nn.Module):

        def __init__(self, name):
            super().__init__()
            self.name = name

        def extra_repr(self):
            return self.name

        def forward(self, x):
            order.append((self.name, tuple(x.shape)))
            return x

    latency = Latency(repeats=2)
    small, large = (3, 4, 4), (3, 8, 8)
    latency(Noted('a'), [small, large, small])
    latency(Noted('b'), [large])
    latency(Noted('a'), [large])  # written as the first: not timed again
    latency.measure()
    assert order == [('a', (1, *small)), ('a', (1, *large)), ('b', (1, *large))] * (WARM_UP + 2)
    parts = latency(Noted('a'), [small]), latency(Noted('a'), [large])
    assert latency(Noted('a'), [small, large, small]) == pytest.approx(2 * parts[0] + parts[1])
    latency.measure()
    assert len(order) == 3 * (WARM_UP + 2)  # nothing is left


@pytest.mark.parametrize('kind', ['cells', 'layers'])
def test_the_table_is_what_the_clock_reads(kind, clock):
    """Each candidate by its MACs; the overhead is in the fixed part; the table's sums are those of whole networks."""
    space = MODELS.build(SPACE if kind == 'layers' else CELLS)
    options = {} if kind == 'layers' else dict(channels=8, cells=2)
    genotypes = [space.derive(Architecture(space.alpha_shapes(), 1., seed).named_alphas()) for seed in range(4)]
    assert len({genotype.summary() for genotype in genotypes}) > 2
    table, networks = measure_latency(genotypes, options, IMAGE, Latency(repeats=2, clock=clock))
    macs = cost_table(genotypes[0], options, IMAGE, Macs())
    scale = 1e3 * NANOSECOND
    assert table.candidates == pytest.approx({candidate: scale * cost for candidate, cost in macs.candidates.items()})
    assert max(table.candidates.values()) > 0
    assert table.fixed == pytest.approx(scale * macs.fixed + 1e3 * OVERHEAD)
    assert [network.architecture for network in networks] == [genotype.summary() for genotype in genotypes[2:]]
    assert all(abs(network.error) < 1e-9 and network.measured > 1e3 * OVERHEAD for network in networks)


def test_a_wrong_table_has_an_error(clock):
    """Networks that take twice the time of their modules from the third on."""
    space = MODELS.build(CELLS)
    genotypes = [space.derive(Architecture(space.alpha_shapes(), 1., seed).named_alphas()) for seed in range(4)]

    class Growing(Latency):

        def measure(self):
            whole = [key for key in self.passes if key[0].startswith('NASBench201Net')]
            super().measure()
            self.times.update({key: 2 * self.times[key] for key in whole[2:]})

    _, networks = measure_latency(genotypes, dict(channels=8, cells=2), IMAGE, Growing(repeats=1, clock=clock))
    assert [network.error for network in networks] == pytest.approx([-.5, -.5])


def test_onnxruntime_runs_the_module_and_takes_the_cpu():
    pytest.importorskip('onnxruntime')
    latency = Latency(repeats=2, backend='onnxruntime')
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    latency(module, [(3, 8, 8)])
    latency.measure()
    assert latency(module, [(3, 8, 8)]) > 0
    with pytest.raises(ValueError, match="device='cuda': the backend onnxruntime runs on 'cpu'"):
        Latency('cuda', backend='onnxruntime')


# --- the file ---------------------------------------------------------------------------------------------------------

MACS = CostTable(1000, {('cell', 0, 1): 50, ('cell', 1, 1): 70})
LATENCIES = CostTable(-.25, {('cell', 0, 1): .5, ('cell', 1, 1): .125})
HERE = ('nasbench201', (3, 32, 48), dict(channels=8, stem=dict(widths=(1, 2))), MACS)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'new' / 'latency.json'
    write_latency(path, *HERE[:3], LATENCIES, MACS, [], dict(device='cpu', threads=1))
    return path


def test_a_file_is_read_back(file):
    assert read_latency(file, *HERE) == LATENCIES
    data = json.loads(file.read_text())
    assert data['measured'] == dict(device='cpu', threads=1) and data['image'] == [32, 48]


@pytest.mark.parametrize('change, message', [
    (lambda data: data.update(version=2), 'version: 2; it must be 1'),
    (lambda data: data.update(space='darts'), "space: 'darts'; it must be 'nasbench201', as in this search"),
    (lambda data: data.update(image=[32, 32]), 'image: [32, 32]; it must be [32, 48], as in this search'),
    (lambda data: data['network'].update(channels=16), 'network.channels: 16; it must be 8, as in this search'),
    (lambda data: data['network'].pop('channels'), 'network.channels: None; it must be 8, as in this search'),
    (lambda data: data['network'].update(cells=3), 'network.cells: 3; this search does not set it'),
    (lambda data: data.pop('fixed'), 'fixed: None; this field is missing'),
    (lambda data: data.update(speed=3), 'speed: 3; unknown field'),
    (lambda data: data['fixed'].update(macs=1001), 'fixed.macs: 1001; it must be 1000, those of the network without'),
    (lambda data: data['fixed'].update(milliseconds=float('nan')), 'fixed.milliseconds: nan; it must be a finite'),
    (lambda data: data['candidates'].pop(), "candidates: ['cell', 1, 1]; this candidate is missing, 1 in all"),
    (lambda data: data['candidates'].append(dict(candidate=['cell', 9, 1], milliseconds=1, macs=1)),
     "candidates[2].candidate: ['cell', 9, 1]; this search has no such candidate"),
    (lambda data: data['candidates'].append(data['candidates'][0]),
     "candidates[2].candidate: ['cell', 0, 1]; it must be there once"),
    (lambda data: data['candidates'][1].update(macs=71), "candidates[1].macs: 71; it must be 70, those of ['cell', 1"),
    (lambda data: data['candidates'][1].update(milliseconds=-1), 'candidates[1].milliseconds: -1; it must be at least'),
    (lambda data: data['candidates'][1].update(milliseconds='1'), "candidates[1].milliseconds: '1'; it must be a fin"),
    (lambda data: data['candidates'][1].pop('macs'), 'candidates[1].macs: None; this field is missing'),
])
def test_what_is_refused(file, change, message):
    data = json.loads(file.read_text())
    changed = copy.deepcopy(data)
    change(changed)
    file.write_text(json.dumps(changed))
    with pytest.raises(GenotypeError, match=re.escape(f'latency.json: {message}')):
        read_latency(file, *HERE)


def test_no_json(file):
    file.write_text('{')
    with pytest.raises(GenotypeError, match='latency.json: .*; it must be a file of tools/measure_latency.py'):
        read_latency(file, *HERE)
