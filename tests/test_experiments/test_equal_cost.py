"""Architectures beside all of a table that cost as much: costs, means, tests, and the published form."""
import itertools
import json
import random
import statistics

import pytest
import torch
from scipy import stats

from helpers import tiny_run as tiny
from helpers.stub_tools import compare, write, write_tools
from imtnas_mm.analysis.complexity import count_macs, count_parameters
from imtnas_mm.experiments import Experiment, ExperimentError, load_experiment
from imtnas_mm.experiments.equal_cost import (
    HEADER,
    EqualCost,
    Levels,
    equal_cost_tables,
    equal_cost_text,
    levels_of,
    p_value,
)
from imtnas_mm.genotype import genotype_from_string, resolve_genotype
from imtnas_mm.networks.build import build_network
from imtnas_mm.spaces.nasbench201.layout import OPERATIONS
from imtnas_mm.tables.accuracy import TableError, read_table

# of 1x1 convolutions, identities and poolings: parameters and MACs of some are equal and of others not
STRINGS = ['|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|'.format(*names) for names in itertools.product(
    *[('nor_conv_1x1', 'skip_connect')] * 3, ('nor_conv_3x3', 'avg_pool_3x3'), ('skip_connect', 'none'),
    ('nor_conv_1x1', ))]
SETTINGS = dict(columns=['accuracy'], metric='derived_macs', shape=[32, 32], network={}, without=None)
ROWS = [dict(name='first', architecture=STRINGS[0]), dict(name='last', architecture=STRINGS[-2]),
        dict(name='drawn', sampler=dict(type='RandomQueries', queries=2, metric='acc'))]
FIELDS = dict(seeds=[0, 1, 2], rows=ROWS, columns=[dict(name='accuracy', evaluation='nb', metric='acc')],
              equal_cost=dict(columns=['accuracy'], metric='derived_macs', shape=(32, 32), without='none'))


def accuracy(number):
    return 50 + 7.3 * (number * 13 % 32) / 8


def write_table(path):
    lines = [f'{string},{accuracy(i)}' for i, string in enumerate(STRINGS)]
    path.write_text('\n'.join(['architecture,acc', *lines]) + '\n')
    return path


@pytest.fixture
def table(tmp_path):
    return read_table(write_table(tmp_path / 'table.csv'))


def cost_of(string, metric, shape, network):
    with torch.device('meta'):
        backbone = build_network(genotype_from_string(string), **network)
    return count_parameters(backbone) if metric == 'derived_parameters' else count_macs(backbone, (3, *shape))


@pytest.mark.parametrize('settings', [
    dict(without='none'), dict(metric='derived_parameters', shape=[16, 16]),
    dict(shape=[16, 24], without='nor_conv_3x3')])
def test_levels_are_those_of_a_plain_loop(table, settings):
    """Each network is built and counted."""
    settings = {**SETTINGS, **settings, 'network': dict(channels=4, cells=1)}
    groups = {}
    for i, string in enumerate(STRINGS):
        if settings['without'] is None or settings['without'] not in string:
            cost = cost_of(string, settings['metric'], settings['shape'], settings['network'])
            groups.setdefault(cost, []).append(accuracy(i))
    levels = levels_of(table, 'acc', settings)
    assert [(level['cost'], level['architectures']) for level in levels] == sorted(
        (cost, len(values)) for cost, values in groups.items())
    means = [statistics.fmean(groups[cost]) for cost in sorted(groups)]
    assert [level['mean'] for level in levels] == pytest.approx(means)
    assert len(levels) > 3 and max(map(len, groups.values())) > 2


def test_any_cell_costs_what_its_network_does(tmp_path):
    """Cells drawn from all operations of the space."""
    generator = random.Random(0)
    strings = {'|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|'.format(*generator.choices(OPERATIONS, k=6)) for _ in range(8)}
    path = tmp_path / 'cells.csv'
    path.write_text('\n'.join(['architecture,acc', *(f'{string},50' for string in sorted(strings))]) + '\n')
    levels = levels_of(read_table(path), 'acc', SETTINGS)
    found = [level['cost'] for level in levels for _ in range(level['architectures'])]
    assert found == sorted(cost_of(string, 'derived_macs', (32, 32), {}) for string in strings)


def run(seed, number, sha256='f00', metric='acc'):
    architecture = resolve_genotype(STRINGS[number]).to_dict()
    return dict(seed=seed, results=dict(nb=dict(
        test={metric: accuracy(number)}, table=dict(file='table.csv', sha256=sha256), architecture=architecture)))


def experiment(column=None, **settings):
    columns = [{**dict(name='accuracy', evaluation='nb', metric='acc'), **(column or {})}]
    return Experiment('costs', 'Costs', [0, 1, 2], [dict(name=name) for name in ('a', 'b', 'none')], columns,
                      equal_cost={**SETTINGS, **settings})


def test_differences_and_their_tests(table):
    levels = levels_of(table, 'acc', SETTINGS)
    mean_at = {level['cost']: level['mean'] for level in levels}
    places = dict(a=(0, 5, 9), b=(30, 2, 17))
    finished = {name: [run(seed, number) for seed, number in enumerate(numbers)] for name, numbers in places.items()}
    equal_cost = EqualCost(settings=SETTINGS, columns=dict(accuracy=Levels(sha256='f00', levels=levels)))
    rows = equal_cost_tables(experiment(), finished, equal_cost)['accuracy']
    p_values = {}
    for row, (name, numbers) in zip(rows, places.items(), strict=False):
        costs = [cost_of(STRINGS[number], 'derived_macs', (32, 32), {}) for number in numbers]
        differences = [accuracy(number) - mean_at[cost] for number, cost in zip(numbers, costs, strict=True)]
        p_values[name] = stats.ttest_1samp(differences, 0).pvalue
        assert row[:7] == [
            name, '3', f'{statistics.fmean(costs):,.0f}', f'{statistics.fmean(map(accuracy, numbers)):.2f}',
            f'{statistics.fmean(mean_at[cost] for cost in costs):.2f}',
            f'{statistics.fmean(differences):+.2f} ± {statistics.stdev(differences):.2f}', f'{p_values[name]:.4f}']
    assert [row[7] for row in rows[:2]] == [
        f'{min(1, max(p if p == max(p_values.values()) else 2 * p, 2 * min(p_values.values()))):.4f}'
        for p in p_values.values()]
    assert rows[2] == ['none', '0', '-', '-', '-', '- ± -', '-', '-'] and all(len(row) == len(HEADER) for row in rows)
    errors = equal_cost_tables(experiment(dict(error=True)), finished, equal_cost)['accuracy']
    for row, error in zip(rows[:2], errors, strict=False):
        assert float(error[3]) == pytest.approx(100 - float(row[3])) and error[6:] == row[6:]
        assert float(error[5].split()[0]) == pytest.approx(-float(row[5].split()[0]))
    text = equal_cost_text(experiment(), finished, equal_cost)
    assert text.startswith('## accuracy beside all of the same MACs\n\n| row | n | MACs | mean | mean of that cost |')


def test_an_architecture_of_another_cost_than_all_others_is_left_out(table):
    """Such as one with ``none``, where those without it are the measure."""
    levels = [level for level in levels_of(table, 'acc', SETTINGS)
              if level['cost'] != cost_of(STRINGS[0], 'derived_macs', (32, 32), {})]
    equal_cost = EqualCost(settings=SETTINGS, columns=dict(accuracy=Levels(sha256='f00', levels=levels)))
    rows = equal_cost_tables(experiment(), dict(a=[run(0, 0), run(1, 9), dict(seed=2, results={})]), equal_cost)
    assert rows['accuracy'][0][:2] == ['a', '1']


def test_no_spread_has_no_p():
    assert p_value([1., 2., 3.]) == pytest.approx(stats.ttest_1samp([1, 2, 3], 0).pvalue)
    assert all(p != p for p in (p_value([]), p_value([1.]), p_value([2., 2.])))


def test_means_of_another_table_are_refused(table):
    equal_cost = EqualCost(settings=SETTINGS, columns=dict(accuracy=Levels(
        sha256='bad', levels=levels_of(table, 'acc', SETTINGS))))
    with pytest.raises(TableError, match='accuracy: table.csv has the sha256 f00 in a record of seed 4, and the means '
                                         'at equal cost are of bad; they must be of the same table'):
        equal_cost_tables(experiment(), dict(b=[run(4, 1)]), equal_cost)


def report(*args):
    tiny.tool('report').main([str(arg) for arg in args])


def test_published_means_give_the_same_report_without_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    table = write_table(tmp_path / 'table.csv')
    file = write(tmp_path, evaluations=dict(nb=dict(table=str(table))), **FIELDS)
    compare(file, tmp_path / 'out', write_tools(tmp_path / 'tools'))
    report(file, '--work-dir', tmp_path / 'out', '--out', tmp_path / 'a', '--export', tmp_path / 'records')
    first, records = (tmp_path / 'a' / 'experiment.md').read_text(), tmp_path / 'records' / 'experiment.json'
    assert '\n## accuracy beside all of the same MACs\n' in first and '\n| drawn | 3 | ' in first.split('beside all')[1]
    report(file, '--work-dir', tmp_path / 'out', '--out', tmp_path / 'a', '--export', tmp_path / 'records')
    published = records.read_bytes()
    table.unlink()
    report(file, '--records', tmp_path / 'records', '--out', tmp_path / 'b')
    assert (tmp_path / 'b' / 'experiment.md').read_text() == first
    capsys.readouterr()
    with pytest.raises(SystemExit, match='table.csv: cannot be read'):
        report(file, '--work-dir', tmp_path / 'out', '--out', tmp_path / 'c', '--export', tmp_path / 'records')
    assert records.read_bytes() == published and not (tmp_path / 'c').exists()
    changed = tmp_path / 'changed'
    changed.mkdir()
    other = tiny.write_config(changed / 'experiment.py', file, equal_cost=dict(shape=(16, 16)))
    with pytest.raises(SystemExit, match=r'equal_cost.settings: \{.*\[32, 32\].*it must be \{.*\[16, 16\].*--export'):
        report(other, '--records', tmp_path / 'records', '--out', tmp_path / 'c')
    data = json.loads(published)
    del data['equal_cost']
    records.write_text(json.dumps(data))
    with pytest.raises(SystemExit, match='equal_cost.settings: None; it must be'):
        report(file, '--records', tmp_path / 'records', '--out', tmp_path / 'c')


@pytest.mark.parametrize('change, message', [
    (dict(columns=[]), r'equal_cost.columns: \[\]; it must be a list of columns'),
    (dict(columns=['AP']), r"equal_cost.columns\[0\]: 'AP'; it must be a column of a metric of one table"),
    (dict(columns=['regret']), r"equal_cost.columns\[0\]: 'regret'; it must be a column of a metric of one table"),
    (dict(metric='macs'), "equal_cost.metric: 'macs'; it must be one of derived_parameters, derived_macs"),
    (dict(shape=32), r'equal_cost.shape: 32; it must be the \(height, width\)'),
    (dict(without=1), "equal_cost.without: 1; it must be None or a choice, such as 'none'"),
    (dict(network=4), 'equal_cost.network: 4; it must be a dict of options'),
    (dict(below=4), 'equal_cost.below: 4; unknown field'),
])
def test_declarations_that_are_refused(tmp_path, change, message):
    columns = [*FIELDS['columns'], dict(name='regret', evaluation='nb', metric='regret/acc')]
    fields = dict(FIELDS, columns=columns, equal_cost={**FIELDS['equal_cost'], **change})
    with pytest.raises(ExperimentError, match=f'experiment.py: {message}'):
        load_experiment(write(tmp_path, evaluations=dict(nb=dict(table='a.csv')), **fields))


def test_the_experiments_of_the_package():
    """Those on NAS-Bench-201 take the mean of cells without ``none``, as searched."""
    paths = sorted((tiny.ROOT / 'configs' / 'experiments').glob('nasbench201_*.py'))
    assert len(paths) == 10
    for path in paths:
        assert load_experiment(path).equal_cost == {**SETTINGS, 'columns': ['CIFAR-100 (%)'], 'without': 'none'}
