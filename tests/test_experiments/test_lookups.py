"""Experiments whose architectures are looked up: rows by searches, samplers and names; what is recorded and refused."""
import json

import pytest

from helpers.grid_space import accuracies, to_string, write_table
from helpers.stub_tools import RETRAIN, SEARCH, calls, compare, records, same, write, write_lookups, write_tools
from imtnas_mm.experiments import ExperimentError, load_experiment, plan_runs
from imtnas_mm.tables.accuracy import read_table
from imtnas_mm.tables.samplers import RegularizedEvolution

STRINGS = ['grid:none-none-none-none', 'grid:skip-conv-conv-none', 'grid:conv-conv-none-skip']
COLUMNS = [dict(name='accuracy', evaluation='c10', metric='c10'),
           dict(name='regret', evaluation='c10', metric='regret/c10'),
           dict(name='rank', evaluation='c10', metric='rank/c10'),
           dict(name='CIFAR-100', evaluation='c100', metric='c100'),
           dict(name='search time (s)', metric='search_time')]
DRAWN = dict(name='drawn', sampler=dict(type='RandomQueries', queries=5, metric='c10'))
EVOLVED = dict(name='evolved', sampler=dict(type='RegularizedEvolution', queries=12, metric='c10', population=4))
SEARCHED = dict(name='searched', search=SEARCH)


@pytest.fixture
def table(tmp_path):
    return str(write_table(tmp_path / 'table.csv.gz'))


@pytest.fixture
def tools(tmp_path):
    tools = write_tools(tmp_path / 'tools')
    for seed in (0, 1):
        write_lookups(tools, seed, *STRINGS[:2 + seed])
    return tools


@pytest.fixture
def experiment(tmp_path, table):
    """Maker of the file with other fields."""

    def make(**fields):
        evaluations = dict(c10=dict(table=table, metrics=['c10']), c100=dict(table=table, metrics=['c100']))
        return write(tmp_path, **{**dict(evaluations=evaluations, columns=COLUMNS, rows=[
            SEARCHED, DRAWN, EVOLVED, dict(name='best', architecture='grid_conv'),
            dict(name='named', architecture=STRINGS[1])]), **fields})

    return make


def by_row(path, work_dir):
    """(row, seed) -> record."""
    found = records(work_dir)
    return {(run.row, run.seed): found[run.identity] for run in plan_runs(load_experiment(path))}


def test_what_is_recorded(tmp_path, tools, experiment, table):
    path = experiment()
    compare(path, tmp_path / 'out', tools)
    assert calls(tools) == ['train.py search.py'] * 2  # nothing is derived, retrained or tested
    found = by_row(path, tmp_path / 'out')
    assert len(found) == 10 and all(record['state'] == 'finished' for record in found.values())
    results = found['searched', 1]['results']
    value = accuracies(['conv', 'conv', 'none', 'skip'])
    c10 = results['c10']
    assert c10['test'] == {'c10': value[0], 'regret/c10': 90 - value[0], 'rank/c10': 91 - value[0],
                           'percentile/c10': (value[0] - 10) / 80 * 100}
    assert results['c100']['test']['c100'] == value[1]
    assert c10['table'] == dict(file=table, sha256=read_table(table).sha256, architectures=81, mean=dict(c10=50.),
                                best=dict(c10=90.))
    assert results['history'] == dict(epoch=[0, 1, 2], iteration=[0, 20, 40], entropy=[1.5, 1.25, 1.],
                                      architecture=STRINGS)
    assert c10['accuracies'] == dict(c10=[10., accuracies(['skip', 'conv', 'conv', 'none'])[0], value[0]])
    assert results['architecture']['source'] == dict(epoch=2, seed=1)  # not when it ran
    assert found['searched', 0]['options']['search']['table'] == table
    assert found['best', 0]['results']['c10']['test']['rank/c10'] == 1
    assert found['named', 0]['results']['c10']['test']['c10'] == c10['accuracies']['c10'][1]
    assert all(len(json.dumps(record['results'])) < 5000 for record in found.values())


def test_samplers(tmp_path, tools, experiment, table):
    path = experiment(rows=[DRAWN, EVOLVED])
    compare(path, tmp_path / 'out', tools)
    assert calls(tools) == []
    record = by_row(path, tmp_path / 'out')['evolved', 1]
    sampled = RegularizedEvolution(queries=12, metric='c10', population=4).run(read_table(table), 1)
    results = record['results']
    assert to_string(results['architecture']['architecture']) == sampled.architecture
    assert results['sampler'] == dict(queries=12, sha256=read_table(table).sha256)
    history = list(zip(results['history']['queries'], results['history']['architecture'], strict=True))
    assert history[:len(sampled.best)] == sampled.best and history[-1] == (12, sampled.architecture)
    compare(experiment(rows=[DRAWN, EVOLVED]), tmp_path / 'again', tools)
    assert same(tmp_path / 'out', tmp_path / 'again')


def test_a_retraining_beside_a_lookup(tmp_path, tools, experiment, table):
    """Then the architecture is derived as always."""
    evaluations = dict(nb=dict(table=table), c10=dict(config=RETRAIN, shape=(32, 32)))
    path = experiment(seeds=[0], evaluations=evaluations, rows=[SEARCHED], columns=[
        dict(name='error', evaluation='c10', metric='accuracy/top1', error=True)])
    with pytest.raises(SystemExit, match="the architecture is of the space 'darts'; it must be of the table's, 'grid'"):
        compare(path, tmp_path / 'out', tools)  # the stand-in derives darts_v2
    assert calls(tools) == ['train.py search.py', 'derive.py search.py', 'train.py c10.py', 'test.py c10.py']
    assert len(by_row(path, tmp_path / 'out')['searched', 0]['results']) == 3


def test_tasks_searched_one_by_one(tmp_path, tools, experiment):
    """Each task's architecture fills its columns."""
    path = experiment(seeds=[0], rows=[dict(SEARCHED, single_task=dict(c10=['c10'], c100=['c100']))])
    compare(path, tmp_path / 'out', tools)
    runs = plan_runs(load_experiment(path))
    assert [list(run.tables) for run in runs] == [['c10'], ['c100']]
    found = records(tmp_path / 'out')
    assert [set(found[run.identity]['results']) for run in runs] == [
        {'search', 'architecture', 'history', 'c10'}, {'search', 'architecture', 'history', 'c100'}]


def test_a_search_without_lookups_fails(tmp_path, experiment):
    tools = write_tools(tmp_path / 'other')
    with pytest.raises(SystemExit, match='lookups.jsonl.*a search whose architectures are looked up has a table'):
        compare(experiment(rows=[SEARCHED]), tmp_path / 'out', tools)


def test_a_wrong_table_stops_before_anything_runs(tmp_path, tools, experiment, table, capsys):
    for evaluations, told in (
            (dict(nb=dict(table=str(tmp_path / 'none.csv'))), 'nb.table: .*none.csv: cannot be read'),
            (dict(nb=dict(table=table, metrics=['top1'])), "nb.table: .*line 1: the column 'top1' is missing")):
        path = experiment(evaluations=evaluations, rows=[SEARCHED], columns=COLUMNS[-1:])
        with pytest.raises(SystemExit, match=f'(?s)nothing is started.*searched, seed 0.*evaluations.{told}'):
            compare(path, tmp_path / 'out', tools)
    path = experiment(rows=[dict(name='drawn', sampler=dict(type='RandomQueries', queries=5, metric='top1'))])
    with pytest.raises(SystemExit, match="sampler: .*line 1: the column 'top1' is missing"):
        compare(path, tmp_path / 'out', tools, '--dry-run')
    assert calls(tools) == [] and not (tmp_path / 'out' / 'runs').exists()


def test_identities(experiment, table):
    """A search that is looked up has a table, and that is all; the file's name is part of what a run is."""
    def identities(**fields):
        return [run.identity for run in plan_runs(load_experiment(experiment(seeds=[0], **fields)))]

    one = identities()
    assert len(set(one)) == 5 and one == identities(title='another')
    assert one != identities(rows=[dict(SEARCHED, options={'table': 'other.csv'})])[:1]
    run, *_ = plan_runs(load_experiment(experiment(rows=[dict(SEARCHED, options={'table': 'other.csv'})])))
    assert run.search.table == 'other.csv' and run.most_processes() == 1
    run, *_ = plan_runs(load_experiment(experiment(rows=[DRAWN])))
    assert run.trainings() == {} and run.most_processes(4) == 1
    assert run.options()['sampler'] == dict(DRAWN['sampler'], table=table)


LOOKUP = dict(table='a.csv')


@pytest.mark.parametrize('fields, told', [
    (dict(evaluations=dict(nb=dict(LOOKUP, shape=32))), r'evaluations.nb.shape: 32; unknown field; known are table, '),
    (dict(evaluations=dict(nb=dict(table=3))), r'evaluations.nb.table: 3; it must be the file of a table'),
    (dict(evaluations=dict(nb=dict(LOOKUP, metrics=[]))), r'evaluations.nb.metrics: \[\]; it must be a list of col'),
    (dict(evaluations=dict(nb=dict(LOOKUP, metrics=['c10'])), columns=[
        dict(name='a', evaluation='nb', metric='regret/c100')]),
     r"columns\[0\].metric: 'regret/c100'; it must be one of c10, or one with regret/, rank/, percentile/ before it"),
    (dict(rows=[dict(name='a', evaluations=dict(nb=LOOKUP))]),
     r"rows\[0\].evaluations.nb: 'a.csv'; the row has no search, architecture or sampler"),
    (dict(rows=[dict(SEARCHED, **DRAWN)]), r'rows\[0\].sampler: .* it is one or the other'),
    (dict(rows=[dict(name='a', sampler='x')]), r"rows\[0\].sampler: 'x'; it must be a dict, as in"),
    (dict(rows=[DRAWN], evaluations=dict(a=LOOKUP, b=dict(table='b.csv'))),
     r'rows\[0\].sampler.table: None; it must say which table is asked, for the evaluations look up in a.csv, b.csv'),
    (dict(rows=[dict(DRAWN, options={'a': 1})]), r'rows\[0\].options: .* it is of a search'),
    (dict(evaluations=dict(nb=LOOKUP, c10=dict(config=RETRAIN, shape=32, initial='nb'))),
     r"evaluations.c10.initial: 'nb'; this evaluation looks up"),
])
def test_what_a_declaration_may_not_be(experiment, fields, told):
    with pytest.raises(ExperimentError, match=told):
        load_experiment(experiment(**fields))


@pytest.mark.parametrize('sampler, told', [
    (dict(type='Annealing', queries=5, metric='c10'), 'Annealing'),
    (dict(type='RandomQueries', queries=5), 'metric'),
    (dict(type='RandomQueries', queries=0, metric='c10'), 'RandomQueries.queries=0'),
])
def test_samplers_that_there_are_not(experiment, sampler, told):
    with pytest.raises(ValueError, match=f"row 'a': .*{told}"):
        plan_runs(load_experiment(experiment(rows=[dict(name='a', sampler=sampler)])))
