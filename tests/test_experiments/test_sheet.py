"""The cells of an experiment's rows on one sheet."""
import pytest

from helpers import tiny_run as tiny
from helpers.stub_tools import SEARCH, write
from imtnas_mm.experiments import load_experiment, plan_runs
from imtnas_mm.experiments.sheet import found_architectures
from imtnas_mm.genotype import published_genotype
from imtnas_mm.picture import write_picture
from imtnas_mm.spaces.cells.sheet import cells_sheet


def records_of(runs, names):
    return {run.identity: dict(results=dict(architecture=published_genotype(name).to_dict()))
            for run, name in zip(runs, names, strict=True) if name}


def test_the_first_finished_seed_of_each_row(tmp_path):
    experiment = load_experiment(write(tmp_path, seeds=[3, 0], cells=True))
    runs = plan_runs(experiment)
    assert [(run.row, run.seed) for run in runs] == [('a', 3), ('b', 3), ('a', 0), ('b', 0)]
    cells = found_architectures(experiment, runs, records_of(runs, ('pdarts', 'darts_v1', 'darts_v2', None)))
    assert {row: genotype.source['name'] for row, genotype in cells.items()} == dict(a='darts_v2', b='darts_v1')
    assert found_architectures(experiment, runs, {}) == {}


def test_tasks_that_are_searched_one_by_one(tmp_path):
    both = dict(c10=dict(config=tiny.ROOT / 'configs/retrain/small_cells_cifar10.py', shape=(32, 32)))
    both = {name: dict(both['c10'], config=str(both['c10']['config'])) for name in ('c10', 'c100')}
    experiment = load_experiment(write(tmp_path, seeds=[0], evaluations=both, rows=[
        dict(name='a', search=SEARCH, single_task=dict(c10=['c10'], c100=['c100']))]))
    runs = plan_runs(experiment)
    cells = found_architectures(experiment, runs, records_of(runs, ('pdarts', 'darts_v1')))
    assert list(cells) == ['a, c10', 'a, c100']


def test_an_architecture_without_cells(tmp_path):
    experiment = load_experiment(write(tmp_path, seeds=[0]))
    runs = plan_runs(experiment)
    with pytest.raises(ValueError, match='cells: a, seed 0: the SpaceFormat of fairnas19 has no sheet'):
        found_architectures(experiment, runs, records_of(runs, ('fairnas_a', None)))
    with pytest.raises(ValueError, match='cells: a, seed 0: the SpaceFormat of nasbench201 has no sheet'):
        found_architectures(experiment, runs, records_of(runs, ('nasbench201_best_cifar10', None)))


def test_the_sheet_shows_every_operation_of_every_cell(tmp_path):
    genotypes = {name: published_genotype(name) for name in ('darts_v2', 'pr_darts')}
    svg, _ = write_picture(tmp_path / 'sheet', lambda: cells_sheet('Cells', genotypes))
    text = svg.read_text()
    for number in range(2):
        for cell in ('normal', 'reduce'):
            for node in range(4):
                for edge in range(2):
                    assert text.count(f'id="row{number}-{cell}-node{node}-input{edge}-label"') == 1
    assert 'darts_v2' in text and 'pr_darts' in text
