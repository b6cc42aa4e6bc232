"""Accuracy against cost: sizes of derived cells, the runs that no other beats, their table and their picture."""
import gzip
import itertools
import random
from dataclasses import replace

import pytest

from helpers import tiny_run as tiny
from helpers.package_experiments import FOLDER, planned
from imtnas_mm.analysis.complexity import count_macs, count_parameters
from imtnas_mm.experiments import Experiment
from imtnas_mm.experiments.equal_cost import equal_cost_of_tables
from imtnas_mm.experiments.evidence import export_records
from imtnas_mm.experiments.pareto import Point, has_pareto, pareto_figure, pareto_front, pareto_points, pareto_text
from imtnas_mm.experiments.report import finished_seeds, value_of
from imtnas_mm.genotype import resolve_genotype
from imtnas_mm.networks.build import build_network
from imtnas_mm.space_format import format_of
from imtnas_mm.tables.accuracy import read_table

ALL3, RESNET, SKIP = '|{0}~0|+|{0}~0|{0}~1|+|{0}~0|{0}~1|{0}~2|'.format('nor_conv_3x3'), 'nasbench201_resnet', \
    'nasbench201_skip'
MACS = dict(name='MACs (M)', metric='derived_macs', shape=(32, 32), scale=1e-6)
COLUMNS = [MACS, dict(name='parameters', metric='derived_parameters', shape=(32, 32)),
           dict(name='small', metric='derived_macs', shape=(16, 8), network=dict(channels=4, cells=1)),
           dict(name='accuracy', evaluation='nb', metric='c10'),
           dict(name='error', evaluation='nb', metric='c10', error=True)]
ROWS = [dict(name=name) for name in ('none', 'cheap', 'dear')]


def run(architecture, accuracy, seed=0):
    """A seed's results."""
    return dict(seed=seed, architecture=resolve_genotype(architecture).to_dict(), results=dict(
        nb=dict(test=dict(c10=accuracy))))


FINISHED = dict(cheap=[run(SKIP, 54.), run(RESNET, 93., 1)], dear=[run(ALL3, 94.), run(ALL3, 92., 1)])


def declared(*accuracy, log=False):
    return Experiment('pareto', 'Accuracy and cost', [0, 1], ROWS, COLUMNS, pareto=dict(
        cost='MACs (M)', accuracy=list(accuracy), log=log))


def test_the_size_of_a_derived_cell():
    """The benchmark's figures for a network of six 3x3 convolutions, less those of its classifier."""
    result = FINISHED['dear'][0]
    assert value_of(MACS, result) == pytest.approx((220_119_680 - 640) * 1e-6, abs=1e-9)
    assert value_of(COLUMNS[1], result) == 1_531_546 - 650
    network = build_network(resolve_genotype(ALL3), channels=4, cells=1)
    assert value_of(COLUMNS[2], result) == count_macs(network, (3, 16, 8)) != value_of(MACS, result)
    assert value_of(COLUMNS[1], result) == count_parameters(build_network(resolve_genotype(ALL3)))
    assert value_of(MACS, dict(results={})) is None


def test_the_architecture_of_a_seed():
    """That of its record; none where tasks were searched one by one and found different ones."""
    experiment, runs = planned('nasbench201_methods_small')
    table = dict(file='a.csv', sha256='0')
    names = itertools.cycle([RESNET, SKIP])

    def record(run):
        architecture = resolve_genotype(RESNET if run.task is None else next(names)).to_dict()
        return dict(steps={}, results=dict(architecture=architecture, history=[], **{
            name: dict(test=dict(cifar10=1.), table=table) for name in run.tables}))

    finished = finished_seeds(runs, {run.identity: record(run) for run in runs})
    alone = [row['name'] for row in experiment.rows if row['single_task']]
    assert len(alone) == 2 and len(finished) == len(experiment.rows)
    for name, (result, ) in finished.items():
        assert (value_of(MACS, result) is None) == (name in alone)


@pytest.mark.parametrize('less', [False, True])
def test_the_front_against_a_plain_loop(less):
    rng = random.Random(0)
    costs = [rng.randrange(30) for _ in range(60)]
    points = [Point('a', i, cost, (-cost if less else cost) + rng.randrange(12)) for i, cost in enumerate(costs)]

    def beats(point, other):
        better = point.accuracy < other.accuracy if less else point.accuracy > other.accuracy
        return (point.cost <= other.cost and (better or point.accuracy == other.accuracy)
                and (better or point.cost < other.cost))

    expected = {(point.cost, point.accuracy) for point in points if not any(beats(other, point) for other in points)}
    front = pareto_front(points, less)
    assert {(point.cost, point.accuracy) for point in front} == expected and len(front) == len(expected) > 2
    assert [point.cost for point in front] == sorted(point.cost for point in front)


def test_table_and_picture():
    experiment = declared('accuracy', 'error')
    assert not has_pareto(experiment, {}) and has_pareto(experiment, FINISHED)
    points = pareto_points(experiment, FINISHED, 'accuracy')
    assert [(point.row, point.seed, point.accuracy) for point in points] == [
        ('cheap', 0, 54.), ('cheap', 1, 93.), ('dear', 0, 94.), ('dear', 1, 92.)]
    lines = pareto_text(experiment, FINISHED).splitlines()
    assert lines[0] == '## accuracy against MACs (M)' and lines[2] == '| row | seed | MACs (M) | accuracy |'
    assert lines[4:7] == ['| cheap | 0 | 7.7824 | 54.00 |', f'| cheap | 1 | {points[1].cost:.6g} | 93.00 |',
                          f'| dear | 0 | {points[2].cost:.6g} | 94.00 |'] and not lines[7]
    assert [line for line in lines if line.endswith('.00 |')][3:] == [
        '| cheap | 0 | 7.7824 | 46.00 |', f'| cheap | 1 | {points[1].cost:.6g} | 7.00 |',
        f'| dear | 0 | {points[2].cost:.6g} | 6.00 |']
    figure = pareto_figure(experiment, FINISHED)
    left, right = figure.axes
    assert (left.get_xlabel(), left.get_ylabel(), right.get_ylabel()) == ('MACs (M)', 'accuracy', 'error')
    assert left.lines[0].get_xydata().tolist() == [[point.cost, point.accuracy] for point in points[:3]]
    drawn = {dots.get_gid(): dots.get_offsets().tolist() for dots in left.collections}
    assert drawn == {name: [[point.cost, point.accuracy] for point in points if point.row == name]
                     for name in ('cheap', 'dear')}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['cheap', 'dear', 'no run beats these']
    figure = pareto_figure(declared('accuracy', log=True), FINISHED)
    assert len(figure.axes) == 1 and figure.axes[0].get_xscale() == 'log'
    assert figure.axes[0].get_title() == '4 runs'
    figure = pareto_figure(replace(declared('accuracy'), degenerate=dict(
        evaluation='nb', metric='c10', below=60.)), FINISHED)
    axes, = figure.axes
    assert axes.get_title() == '4 runs, without 1 degenerate'
    assert sorted(y for dots in axes.collections for _, y in dots.get_offsets().tolist()) == [92., 93., 94.]
    assert axes.lines[0].get_ydata().tolist() == [93., 94.]


def write_benchmark(file, names):
    """A table of these cells and one with ``none``, where the experiment has its own."""
    names = [*names, ALL3.replace('nor_conv_3x3', 'none')]
    cells = [format_of('nasbench201').to_string(resolve_genotype(name).architecture) for name in names]
    rows = [f'{cell},{50 + i},{70 + i},{30 + i}' for i, cell in enumerate(cells)]
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress('\n'.join(['architecture,cifar100,cifar10,imagenet16_120', *rows, '']).encode()))


def test_the_report_of_the_sweep(tmp_path, capsys, monkeypatch):
    """From published records: its table, its front, its page, its picture, and cells beside those of equal cost."""
    name = 'nasbench201_cost_small'
    experiment, runs = planned(name, 2)
    strings = (SKIP, RESNET, ALL3)
    monkeypatch.chdir(tmp_path)
    benchmark = next(iter(runs[0].tables.values()))['table']
    write_benchmark(tmp_path / benchmark, strings)
    table = dict(file=benchmark, sha256=read_table(benchmark).sha256, architectures=4, mean=dict(
        cifar100=50., cifar10=60., imagenet16_120=30.), best=dict(cifar100=70., cifar10=90., imagenet16_120=40.))

    def record(i, run):
        results = {key: dict(test={metric: 10. + i for metric in options['metrics']}, table=table, accuracies={
            metric: [10. + i] for metric in options['metrics']}) for key, options in run.tables.items()}
        return dict(versions={}, steps=dict(search=dict(seconds=1., peak_memory=2**20)), results=dict(
            results, architecture=resolve_genotype(strings[i % 3]).to_dict(), history=dict(
                epoch=[1], iteration=[25], architecture=[strings[i % 3]], entropy=[1.])))

    export_records(tmp_path, experiment, runs, {run.identity: record(i, run) for i, run in enumerate(runs)},
                   equal_cost_of_tables(experiment))
    (tmp_path / benchmark).unlink()  # a report of published records needs no table
    tiny.tool('report').main([str(FOLDER / f'{name}.py'), '--records', str(tmp_path), '--out', str(tmp_path / 'out')])
    written = {path.name for path in (tmp_path / 'out').iterdir()}
    assert {f'{name}{suffix}' for suffix in ('.md', '.csv', '.html', '_pareto.svg', '_pareto.png')} <= written
    text = (tmp_path / 'out' / f'{name}.md').read_text()
    assert '## CIFAR-100 (%) against MACs (M)' in text and '| 220 |' in text
    assert text.count('| No target | 11 | 220.119 | 21.00 |') == 2  # the dearest and best, of either front
    assert '\n| No target | 2 | 220,119,040 | 18.00 | 52.00 | -34.00 ' in text.split('beside all of the same MACs')[1]
    assert 'of its backbone, one image' in text and 'CIFAR-10 (%) against' in capsys.readouterr().out
    assert 'no run beats these' in (tmp_path / 'out' / f'{name}.html').read_text()
