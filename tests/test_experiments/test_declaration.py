from pathlib import Path

import pytest
from stub_tools import FIELDS, RETRAIN, SEARCH, write

from imtnas_mm.experiments import ExperimentError, load_experiment, plan_runs

FOLDER = Path(__file__).parents[2] / 'configs' / 'experiments'


@pytest.mark.parametrize('path', sorted(FOLDER.glob('*.py')), ids=lambda path: path.stem)
def test_experiments_of_the_package(path):
    experiment = load_experiment(path)
    runs = plan_runs(experiment)
    assert len(runs) == len(experiment.rows) * len(experiment.seeds)
    assert len({run.identity for run in runs}) == len(runs)
    for run in runs:
        assert run.search.randomness.seed == run.seed
        assert all(cfg.randomness.seed == run.seed for cfg in run.evaluations.values())


def test_tables_share_runs():
    table6, table7 = (plan_runs(load_experiment(FOLDER / f'{name}_small.py')) for name in ('table6', 'table7'))
    ours = {run.identity for run in table6 if run.row == 'Ours'}
    assert ours == {run.identity for run in table7 if run.row == 'Order 1'}
    assert len({run.identity for run in table6 + table7}) == 18


def test_identity(tmp_path):
    first, again = (plan_runs(load_experiment(write(tmp_path))) for _ in range(2))
    assert [run.identity for run in first] == [run.identity for run in again]
    renamed = plan_runs(load_experiment(write(tmp_path, rows=[dict(name='other', search=SEARCH)])))
    assert renamed[0].identity == first[0].identity  # a name is not what a run does
    options = {'c10': dict(config=RETRAIN, shape=(32, 32), options={'train_dataloader.batch_size': 7})}
    changed = plan_runs(load_experiment(write(tmp_path, evaluations=options)))
    assert not {run.identity for run in changed} & {run.identity for run in first}
    assert changed[0].evaluations['c10'].train_dataloader.batch_size == 7
    assert first[1].search.model.transfer is None


def test_filters(tmp_path):
    experiment = load_experiment(write(tmp_path))
    assert [(run.row, run.seed) for run in plan_runs(experiment)] == [('a', 0), ('b', 0), ('a', 1), ('b', 1)]
    assert [(run.row, run.seed) for run in plan_runs(experiment, ['b'], [1])] == [('b', 1)]
    with pytest.raises(ValueError, match=r"--rows: 'c' is not in experiment"):
        plan_runs(experiment, ['c'])
    with pytest.raises(ValueError, match=r'--seeds: 2 is not'):
        plan_runs(experiment, None, [2])


@pytest.mark.parametrize('fields, message', [
    (dict(seeds=[]), 'seeds: '),
    (dict(seeds=[0, 0]), 'seeds: '),
    (dict(rows=[]), 'rows: '),
    (dict(rows=[dict(name='a')]), r'rows\[0\].search: None'),
    (dict(rows=[dict(name='a', search='nowhere.py')]), r"rows\[0\].search: 'nowhere.py'; .* is not a file"),
    (dict(rows=[dict(name='a', search=SEARCH, sed=1)]), r'rows\[0\].sed: 1; unknown field'),
    (dict(rows=FIELDS['rows'][:1] * 2), r"rows\[1\].name: 'a'; another row"),
    (dict(evaluations=dict()), r'rows\[0\].evaluations: '),
    (dict(evaluations=dict(search=dict(config=RETRAIN, shape=(32, 32)))), r'rows\[0\].evaluations.search'),
    (dict(columns=[dict(name='x', evaluation='c100', metric='m')]), r"columns\[0\].evaluation: 'c100'"),
    (dict(ours='c'), "ours: 'c'; it must be one of the rows a, b"),
])
def test_errors_name_the_field(tmp_path, fields, message):
    with pytest.raises(ExperimentError, match=f'experiment.py: {message}'):
        load_experiment(write(tmp_path, **fields))
