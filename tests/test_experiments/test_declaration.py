"""Experiments' files: the runs they resolve to, refused fields, and that the package's experiments can be run."""
import json

import pytest
from mmengine.registry import DATASETS, METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.utils import import_modules_from_strings

from helpers.package_experiments import EXPERIMENTS, planned
from helpers.stub_tools import FIELDS, JOINT, RETRAIN, RETRAIN100, SEARCH, write
from helpers.tiny_run import shared_architecture
from imtnas_mm.algorithms import SearchAlgorithm
from imtnas_mm.datasets import slice_indices
from imtnas_mm.engine.launch.phases import phase_config
from imtnas_mm.experiments import ExperimentError, load_experiment, plan_runs
from imtnas_mm.experiments.checks import refusals, unchecked
from imtnas_mm.experiments.execute import complexity, joint_complexity
from imtnas_mm.genotype import published_genotype, save_genotype
from imtnas_mm.registry import MODELS


def test_the_config_of_a_run_is_no_experiment(tmp_path):
    (tmp_path / 'run.py').write_text("model = dict(type='IMTNAS')")
    with pytest.raises(ExperimentError, match='run.py: rows: is missing; .* which tools/train.py takes'):
        load_experiment(tmp_path / 'run.py')


@pytest.mark.parametrize('scale', ['paper', 'small'])
def test_no_augmentations_are_no_transfer(scale):
    """The row C = 0 of Table 8."""
    actual = {run.row: run.search.model.transfer for run in planned(f'table8_{scale}')[1]}
    assert actual.pop('0') is None
    assert actual and all(transfer.num_augmentations == int(name) for name, transfer in actual.items())


def sliced(dataset):
    """(its slices from the outermost in, the dataset in them without what doesn't choose images)."""
    slices = []
    while dataset.type == 'imtnas_mm.DatasetSlice':
        slices.append((dataset.num, dataset.get('seed', 0), dataset.get('rest', False)))
        dataset = dataset.dataset
    whole = {key: value for key, value in dataset.items() if key not in ('pipeline', 'test_mode') and value is not None}
    return slices, whole


@pytest.mark.parametrize('scale, total, held_out', [('paper', 50_000, 5000), ('small', 10_000, 1000)])
def test_rounds_are_tuned_on_images_that_neither_search_nor_retraining_sees(scale, total, held_out):
    """E.5: M in {2, 3, 4}; the test sets are in none of the configs. D^val is a part of what the search learns on."""
    _, runs = planned(f'tune_rounds_{scale}')
    assert [run.search.train_cfg.rounds for run in runs] == [2, 3, 4]
    for run in runs:
        for task, evaluation in run.evaluations.items():
            wholes = []
            for cfg in (run.search, evaluation):
                of = {part: cfg[f'{part}_dataloader'] for part in ('train', 'val', 'test')}
                datasets = {part: (cfgs[task] if cfg is run.search else cfgs).dataset for part, cfgs in of.items()}
                (*_, (num, seed, rest)), whole = sliced(datasets['train'])  # the innermost slice leaves them out
                assert (num, rest) == (held_out, True) and whole['split'] == 'train'
                assert sliced(datasets['test']) == ([(held_out, seed, False)], whole)
                if cfg is run.search:
                    assert datasets['val'].type == 'imtnas_mm.ValidationPart'
                else:
                    assert sliced(datasets['val']) == sliced(datasets['test'])
                wholes.append((seed, whole))
            assert wholes[0] == wholes[1]
            seed = wholes[0][0]
            kept, out = (set(slice_indices(total, held_out, seed, rest).tolist()) for rest in (True, False))
            assert len(out) == held_out and not kept & out and len(kept) == total - held_out


def test_kinds_of_weights_are_all_that_differs_in_table_5():
    for scale in ('paper', 'small'):
        actual = {run.row: run.search for run in planned(f'table5_{scale}')[1] if run.task is None}
        for space in ('Darts2nd', 'Pdarts', 'Pcdarts', 'Prdarts'):
            stored, generated = (actual[f'{kind}-{space} (ours)'].model.copy() for kind in ('NHN', 'HN'))
            assert stored.pop('encoder_weights') == dict(type='StoredWeights')
            assert generated.pop('encoder_weights').type == 'HyperNetwork' and stored == generated
    shared = {run.identity for name in ('table5_small', 'table16_small') for run in planned(name)[1]}
    assert len(shared & {run.identity for run in planned('table3_small')[1]}) == 4 * 3  # single tasks and HN


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_experiments_of_the_package(name):
    """Runs differ, and all that their configs name is registered."""
    experiment, runs = planned(name)
    rows = 1 if name.startswith('figure1_right_rounds') else len(runs)  # its rows show the rounds of one run
    assert len({run.identity for run in runs}) == rows
    assert len(runs) == sum(len(row['single_task'] or [None]) for row in experiment.rows)
    for run in runs:
        if run.search is not None:
            check_search(run)
        assert run.evaluations or run.tables
        for name, cfg in run.evaluations.items():
            (check_joint_evaluation if name in run.tasks else check_evaluation)(cfg, run.seed)


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_experiments_of_the_package_have_the_batches_of_their_configs(name):
    """All declare a total, and with the GPUs that the experiment declares each has it; one of ImageNet needs 8."""
    runs = planned(name)[1]
    assert refusals(runs) == [] and unchecked(runs, 2) == []
    counts = {run.most_processes() for run in runs}
    if name.endswith('small'):
        assert counts == {1}
    elif name.startswith(('table2_', 'table15', 'figure1')):
        assert counts == {8}
        text = refusals([run for run in runs if run.search], 1)[0]
        assert 'search: train_dataloader.cls.batch_size: 128; with 1 process an iteration has 128 examples, but the ' \
            'config was written for 1024' in text


def test_a_declared_total_of_tasks_is_no_option_of_a_run():
    """It was declared after records were written, and changes nothing that a training by one process does."""
    run = planned('table6_small')[1][0]
    assert 'auto_scale_lr' in run.search and 'auto_scale_lr' not in run.options()['search']
    assert run.search.auto_scale_lr.base_batch_size.c10 == 32  # the config still has it
    assert run.options()['evaluations']['c10']['auto_scale_lr'] == dict(base_batch_size=48)


def test_a_search_of_one_task_has_no_total_of_the_others():
    run = next(run for run in planned('nasbench201_methods_small')[1] if run.task == 'c100')
    assert run.search.auto_scale_lr.base_batch_size == dict(c100=32)
    assert 'auto_scale_lr' not in run.options()['search']


def test_another_total_of_tasks_is_an_option_of_a_run(tmp_path):
    """Two processes with the total of two are no run of one with the total of one."""
    def run_with(**totals):
        options = {f'auto_scale_lr.base_batch_size.{task}': total for task, total in totals.items()}
        rows = [dict(name='a', search=SEARCH, options=options)]
        return plan_runs(load_experiment(write(tmp_path, seeds=[0], rows=rows)))[0]

    own = run_with().search.train_dataloader.c10.batch_size
    assert run_with(c10=own).identity == run_with().identity
    double = run_with(c10=2 * own)
    assert double.options()['search']['auto_scale_lr'] == dict(base_batch_size=dict(c10=2 * own))
    assert double.identity != run_with().identity


def test_hooks_that_show_a_search_are_no_option_of_a_run():
    """They came after records were written, and change nothing that a search does; other hooks may."""
    run = planned('table6_small')[1][0]
    before = json.dumps(run.options())
    assert {'history', 'report'} < set(run.search.default_hooks) and 'ReportHook' not in before
    del run.search.default_hooks['report'], run.search.default_hooks['history']
    assert json.dumps(run.options()) == before
    del run.search.default_hooks['transfer']
    assert json.dumps(run.options()) != before


def check_search(run):
    cfg = run.search
    import_modules_from_strings(**cfg.custom_imports)
    assert cfg.randomness.seed == run.seed
    assert issubclass(MODELS.get(cfg.model.type), SearchAlgorithm)
    assert MODELS.get(cfg.model.search_space.type)
    transfer = cfg.model.get('transfer')
    assert transfer is None or MODELS.get(transfer.type)
    tasks = set(cfg.train_cfg.order)
    for part in ('train_dataloader', 'val_dataloader', 'val_evaluator', 'test_dataloader', 'test_evaluator'):
        assert set(cfg[part]) == tasks
    assert set(cfg.model.tasks) == tasks
    for name, task in cfg.model.tasks.items():
        scope = MODELS.get(task.type).scope
        check_dataset(cfg.train_dataloader[name].dataset, scope)
        check_dataset(cfg.val_dataloader[name].dataset, scope)
        check_registered(ROOT_MODELS, scope, task.model.type)
        check_registered(METRICS, scope, cfg.val_evaluator[name].type)


def check_evaluation(cfg, seed):
    import_modules_from_strings(**cfg.custom_imports)
    assert cfg.randomness.seed == seed
    check_registered(ROOT_MODELS, cfg.default_scope, cfg.model.type)
    for part in ('backbone', 'neck', 'head', 'bbox_head'):
        if part in cfg.model:
            check_registered(ROOT_MODELS, cfg.default_scope, cfg.model[part].type)
    for part in ('train_dataloader', 'test_dataloader'):
        check_dataset(cfg[part].dataset, cfg.default_scope)


def check_joint_evaluation(cfg, seed):
    import_modules_from_strings(**cfg.custom_imports)
    assert cfg.randomness.seed == seed and cfg.model.type == 'JointModel'
    for part in ('train_dataloader', 'val_dataloader', 'val_evaluator', 'test_dataloader', 'test_evaluator'):
        assert set(cfg[part]) == set(cfg.model.tasks)
    for name, task in cfg.model.tasks.items():
        scope = MODELS.get(task.type).scope
        check_registered(ROOT_MODELS, scope, task.model.type)
        check_registered(METRICS, scope, cfg.test_evaluator[name].type)
        for part in ('train_dataloader', 'test_dataloader'):
            check_dataset(cfg[part][name].dataset, scope)


def check_dataset(cfg, scope):
    while 'dataset' in cfg:
        check_registered(DATASETS, scope, cfg.type)
        cfg = cfg.dataset
    check_registered(DATASETS, scope, cfg.type)


def check_registered(root, scope, name):
    with root.switch_scope_and_registry(scope) as registry:
        assert registry.scope == scope and registry.get(name), name


SMALL = [('table2_small', 'MTL-SWS', None), ('table2_small', 'BMTAS', None), ('table2_small', 'MTL-NAS', None),
         ('table3_small', 'Darts2nd', 'c100'), ('table3_small', 'Pdarts', 'c10'), ('table3_small', 'MI-Prdarts', None),
         ('table14_small', 0, None)]


@pytest.mark.parametrize('name, row, task', SMALL)
def test_models_of_a_search(name, row, task):
    experiment, runs = planned(name)
    row = experiment.rows[row]['name'] if isinstance(row, int) else row
    run, = (run for run in runs if (run.row, run.task) == (row, task))
    cfg = phase_config(run.search, run.search.phases[0], '', []) if 'phases' in run.search else run.search
    model = MODELS.build(dict(cfg.model, rounds=cfg.train_cfg.rounds, order=cfg.train_cfg.order))
    assert model.order == tuple(cfg.train_cfg.order) and (task is None or model.order == (task, ))


def test_models_of_the_retrainings():
    """As the networks of tests/test_configs.py, but with what an experiment changes."""
    experiment, runs = planned('table2_small')
    run, = (run for run in runs if run.row == 'FairNAS-C')
    assert run.architecture.source['name'] == 'fairnas_c' and run.search is None and run.initial == {'coco': 'imagenet'}
    sizes = [complexity(cfg, run.shapes[name], 'fairnas_c') for name, cfg in run.evaluations.items()]
    assert sizes[0][0] == sizes[1][0] > 1e5 and sizes[1][1] > sizes[0][1]
    _, runs = planned('table15_paper')
    run, = (run for run in runs if run.row == 'MobileNetV2')
    assert run.search is run.architecture is None
    parameters, _ = complexity(run.evaluations['imagenet'], (64, 64))
    assert parameters == 3_504_872 - 1281 * 1000  # without the classifier


def test_a_joint_retraining():
    """Its parameters are of both backbones, what they share once; its MACs of each task's own."""
    experiment, runs = planned('table3_small')
    run, = (run for run in runs if run.row == 'BMTAS')
    assert run.tasks == {'joint': dict(c100='c100', c10='c10')} and list(run.evaluations) == ['joint']
    assert run.shapes == {'joint': dict(c100=(32, 32), c10=(32, 32))}
    shared, own = (joint_complexity(run.evaluations['joint'], dict(c100=(64, 64), c10=(32, 32)), shared_architecture(
        ('c10', 'c100'), rows, 'darts_v2').to_dict()) for rows in (lambda i: (0, 0), lambda i: (0, 1)))
    assert own[0] == 2 * shared[0] > 5e4 and own[1] == shared[1]
    assert shared[1]['c100'] == 4 * shared[1]['c10'] > 1e5
    other = [run.options() for run in runs if run.row not in ('BMTAS', 'MTL-NAS')]
    assert not any('tasks' in options for options in other)  # their identities are as before


def test_joint_evaluations_are_checked(tmp_path):
    joint = dict(config=JOINT, shape=(32, 32), tasks=dict(c10='c10', c100='c100'))
    columns = [dict(name=name, evaluation=name, metric='macs') for name in ('c10', 'c100')]
    fields = dict(seeds=[0], columns=columns, rows=FIELDS['rows'][:1])
    run, = plan_runs(load_experiment(write(tmp_path, **fields, evaluations=dict(joint=joint))))
    assert run.shapes == {'joint': dict(c10=(32, 32), c100=(32, 32))}
    one = dict(config=RETRAIN, shape=(32, 32))
    for evaluations, message in (
        (dict(joint=dict(joint, tasks=['c10'])), r"evaluations\.joint\.tasks: \['c10'\]; it must be a dict"),
        (dict(joint=dict(joint, shape=dict(c10=(32, 32)))), r'evaluations\.joint\.shape: .*it must have c10, c100'),
        (dict(joint=joint, c10=one), r"evaluations: 'c10'; two evaluations fill"),
        (dict(joint=dict(joint, tasks=dict(c10='c10', c100='search'))), "evaluations: 'search'; this name is kept"),
        (dict(joint=joint, last=dict(one, initial='joint')), r"last\.initial: 'joint'; an evaluation of several"),
        (dict(first=one, joint=dict(joint, initial='first')), r"joint\.initial: 'first'; an evaluation of several"),
    ):
        with pytest.raises(ExperimentError, match=message):
            load_experiment(write(tmp_path, **fields, evaluations=evaluations))
    alone = [dict(FIELDS['rows'][0], single_task=dict(c10=['joint']))]
    with pytest.raises(ExperimentError, match=r"single_task\.c10: 'joint'; each must be .* of one task"):
        load_experiment(write(tmp_path, **dict(fields, rows=alone), evaluations=dict(joint=joint)))
    for changes, message in ((dict(tasks=dict(c10='c10', c101='c100')), r'model\.tasks of .* are .*c100'),
                             (dict(config=RETRAIN), r'small_cells_cifar10\.py trains no JointModel')):
        with pytest.raises(ValueError, match=r'evaluations\.joint\.tasks: .*' + message):
            plan_runs(load_experiment(write(tmp_path, **fields, evaluations=dict(joint=dict(joint, **changes)))))


def test_shared_runs():
    """The same row of several tables is one run."""
    for scale, ours in dict(small='IMTNAS-Pcdarts (ours)', paper='Ours').items():
        table = dict(small='table3_small', paper='table6_paper')[scale]
        expected, = (run.identity for run in planned(table)[1] if run.row == ours)
        for name, row in (('table6', 'Ours'), ('table7', 'Order 1'), ('figure2', '2')):
            assert [run.identity for run in planned(f'{name}_{scale}')[1] if run.row == row] == [expected]
        expected, = (run.identity for run in planned(f'table2_{scale}')[1] if run.row == 'IMTNAS (ours)')
        assert expected in [run.identity for run in planned(f'figure1_right_{scale}')[1]]
    common, = (run.identity for run in planned('nasbench201_methods_small')[1] if run.row == 'IMTNAS')
    for name in ('transfer', 'rounds', 'order', 'augmentations', 'encoder'):
        experiment, runs = planned(f'nasbench201_{name}_small')
        assert [run.identity for run in runs if run.row == experiment.ours] == [common]
    weighted = planned('nasbench201_weights_small')[1]
    first_order, = (run.identity for run in planned('nasbench201_methods_small')[1]
                    if run.row == 'IMTNAS, first order')
    for name, row in (('cost', 'No target'), ('settings', 'as it is')):
        assert [run.identity for run in planned(f'nasbench201_{name}_small')[1] if run.row == row] == [first_order]
    assert {run.identity for run in weighted} & {run.identity for run in planned('nasbench201_methods_small')[1]} == {
        run.identity for run in weighted if run.row == '1'}
    every = [run.identity for run in planned('table6_small', 3)[1] + planned('table7_small', 3)[1]]
    assert len(set(every)) == 18


def test_rows_without_a_search(tmp_path):
    file = tmp_path / 'found.json'
    save_genotype(published_genotype('pdarts'), file)
    evaluations = FIELDS['evaluations']
    runs = plan_runs(load_experiment(write(tmp_path, seeds=[0], rows=[
        dict(name='published', architecture='pdarts'), dict(name='own', architecture='found.json'),
        dict(name='alone', evaluations=evaluations)])))
    assert [run.search for run in runs] == [None] * 3
    assert runs[0].architecture == runs[1].architecture and runs[2].architecture is None
    assert runs[0].identity == runs[1].identity != runs[2].identity


def test_single_task(tmp_path):
    evaluations = dict(FIELDS['evaluations'], c100=dict(config=RETRAIN100, shape=(32, 32)))
    alone = dict(name='alone', search=SEARCH, single_task=dict(c100=['c100'], c10=['c10']))
    runs = plan_runs(load_experiment(write(tmp_path, seeds=[3], evaluations=evaluations, rows=[alone])))
    assert [(run.name, run.task, list(run.evaluations)) for run in runs] == [
        ('alone, c100, seed 3', 'c100', ['c100']), ('alone, c10, seed 3', 'c10', ['c10'])]
    assert all(run.search.model.type == 'SingleTask' for run in runs)
    alone['single_task'] = dict(tiny=['c10'])
    with pytest.raises(ValueError, match="row 'alone': single_task: 'tiny' is no task of the search; it has c10, c100"):
        plan_runs(load_experiment(write(tmp_path, rows=[alone])))


def test_evaluations_of_some_seeds(tmp_path):
    evaluations = dict(FIELDS['evaluations'], c100=dict(config=RETRAIN100, shape=(32, 32), seeds=[1]))
    runs = plan_runs(load_experiment(write(tmp_path, evaluations=evaluations, rows=FIELDS['rows'][:1])))
    assert [list(run.evaluations) for run in runs] == [['c10'], ['c10', 'c100']]
    before = plan_runs(load_experiment(write(tmp_path, rows=FIELDS['rows'][:1])))
    assert runs[0].identity == before[0].identity


def test_slices(tmp_path):
    two = [dict(num=100, rest=True), dict(num=20, seed=1)]
    runs = plan_runs(load_experiment(write(
        tmp_path, rows=[dict(name='a', search=SEARCH, slices={'test_dataloader.c10.dataset': dict(num=9)})],
        evaluations=dict(c10=dict(config=RETRAIN, shape=(32, 32), slices={'train_dataloader.dataset': two})))))
    cfg = runs[0].evaluations['c10']
    outer, inner = cfg.train_dataloader.dataset, cfg.train_dataloader.dataset.dataset
    assert (outer.type, outer.num, outer.seed) == ('imtnas_mm.DatasetSlice', 20, 1)
    assert (inner.type, inner.num, inner.rest, inner.dataset.type) == (outer.type, 100, True, 'imtnas_mm.CIFAR10')
    assert cfg.test_dataloader.dataset.type == 'imtnas_mm.CIFAR10'
    assert runs[0].search.test_dataloader.c10.dataset.num == 9
    rows = [dict(name='a', search=SEARCH, slices={'val_dataloader.c11.dataset': dict(num=9)})]
    with pytest.raises(ValueError, match="slices: 'val_dataloader.c11.dataset'; .* has no dataset there"):
        plan_runs(load_experiment(write(tmp_path, rows=rows)))


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
    (dict(rows=[dict(name='a', search=SEARCH, architecture='darts_v2')]), r"rows\[0\].architecture: 'darts_v2'; this"),
    (dict(rows=[dict(name='a', architecture='nowhere.json')]), r"rows\[0\].architecture: 'nowhere.json'; .*not a file"),
    (dict(rows=[dict(name='a', architecture='darts_v2', options={'a': 1})]), r"rows\[0\].options: {'a': 1}; it is of"),
    (dict(rows=[dict(name='a', search=SEARCH, x='3')]), r"rows\[0\].x: '3'; it must be a number"),
    (dict(rows=[dict(name='a', search=SEARCH, single_task=['c10'])]), r"rows\[0\].single_task: \['c10'\]; it must be"),
    (dict(rows=[dict(name='a', search=SEARCH, single_task=dict(c10=['c100']))]),
     r"rows\[0\].single_task.c10: 'c100'; each must be one of c10"),
    (dict(rows=[dict(name='a', search=SEARCH, slices={'train': dict(number=1)})]),
     r'rows\[0\].slices.train.number: 1; unknown field'),
    (dict(evaluations=dict(c10=dict(config=RETRAIN, shape=(32, 32), initial='c100'))),
     r"rows\[0\].evaluations.c10.initial: 'c100'; it must be an evaluation before it"),
    (dict(evaluations=dict(c10=dict(config=RETRAIN, shape=(32, 32), seeds=[1, 1]))),
     r'rows\[0\].evaluations.c10.seeds: \[1, 1\]; '),
    (dict(columns=[dict(name='x', sum=dict(y=1))]), r"columns\[0\].sum: 'y'; it must be a column before it"),
    (dict(columns=FIELDS['columns'] * 2), r"columns\[1\].name: 'error'; another column"),
    (dict(columns=[dict(name='x', evaluation='c10', metric='search_time')]), r"columns\[0\].evaluation: 'c10'"),
    (dict(figure=dict(x='weight', left=['accuracy'])), "figure.left: 'accuracy'; it must be one of the columns error"),
    (dict(figure=dict(x='weight', left=['error'])), r'rows\[0\].x: None; the figure needs a number'),
    (dict(figure=dict(x='weight', left=['error'], log=True), rows=[dict(name='a', search=SEARCH, x=0)]),
     r'rows\[0\].x: 0; the figure needs a number here, above 0'),
    (dict(rows=[dict(name='a', search=SEARCH, ours='c')]), r"rows\[0\].ours: 'c'; it must be one of the rows a"),
    (dict(rows=[dict(name='a', search=SEARCH, round=0)]), r'rows\[0\].round: 0; it must be the number of a round'),
    (dict(rows=[dict(name='a', architecture='darts_v2', round=1)]), r'rows\[0\].round: 1; it is of a search'),
    (dict(search_test=1), 'search_test: 1; it must be True or False'),
    (dict(columns=[dict(name='x', metric='derived_macs')]), r'columns\[0\].shape: None; this field is missing'),
    (dict(columns=[dict(name='x', metric='derived_macs', shape=32)]), r'columns\[0\].shape: 32; it must be the'),
    (dict(columns=[dict(name='x', metric='derived_macs', shape=(32, 32), evaluation='c10')]),
     r"columns\[0\].evaluation: 'c10'; unknown field"),
    (dict(pareto=dict(cost='error')), 'pareto.accuracy: None; this field is missing'),
    (dict(pairs=dict(columns=['AP'], rows=[])), r"pairs.columns\[0\]: 'AP'; it must be one of the columns error"),
    (dict(pairs=dict(columns=['error'], rows=[('a', 'c')])), r"pairs.rows\[0\]: 'c'; it must be one of the rows a"),
    (dict(pairs=dict(columns=['error'], rows=['ab'])), r"pairs.rows\[0\]: 'ab'; it must be two rows"),
    (dict(pairs=dict(columns=['error'])), 'pairs'),
    (dict(strips=['AP']), r"strips\[0\]: 'AP'; it must be one of the columns error"),
    (dict(drawn_rows=['c']), r"drawn_rows\[0\]: 'c'; it must be one of the rows a"),
    (dict(drawn_rows='a'), r"drawn_rows: 'a'; it must be a list of rows: a"),
    (dict(pareto=dict(cost='MACs', accuracy=['error'])), "pareto.cost: 'MACs'; it must be one of the columns error"),
    (dict(pareto=dict(cost='error', accuracy=['AP'])), "pareto.accuracy: 'AP'; it must be one of the columns error"),
    (dict(pareto=dict(cost='error', accuracy='error')), "pareto.accuracy: 'error'; it must be a list of columns"),
    (dict(pareto=dict(cost='error', accuracy=['error'], log=1)), 'pareto.log: 1; it must be True or False'),
    (dict(cells='yes'), "cells: 'yes'; it must be True or False"),
    (dict(columns=[dict(name='x', evaluation='search_test', metric='m')]), r"columns\[0\].evaluation: 'search_test'"),
    (dict(gpus=0), 'gpus: 0; it must be a whole number from 1, the GPUs of a training'),
    (dict(rows=[dict(name='a', search=SEARCH, gpus='2')]), r"rows\[0\].gpus: '2'; it must be a whole number from 1"),
    (dict(evaluations=dict(c10=dict(config=RETRAIN, shape=(32, 32), gpus=True))),
     r'rows\[0\].evaluations.c10.gpus: True; it must be'),
    (dict(title=3), 'title: 3; it must be a string'),
    (dict(search_options=['a']), r"search_options: \['a'\]; it must be a dict"),
    (dict(rows=[dict(name=8, search=SEARCH)]), r'rows\[0\].name: 8; it must be a string'),
    (dict(rows=[dict(name='a', search=3)]), r'rows\[0\].search: 3; it must be a config'),
    (dict(rows=[dict(name='a', architecture=3)]), r'rows\[0\].architecture: 3; it must be an architecture file'),
    (dict(rows=[dict(name='a', search=SEARCH, options=['b'])]), r"rows\[0\].options: \['b'\]; it must be a dict"),
    (dict(rows=[dict(name='a', search=SEARCH), dict(name='b', search=SEARCH, ours='a')], ours='a',
          statistics=['error']), r"rows\[1\].ours: 'a'; it must be None, since statistics"),
    (dict(evaluations=dict(c10=dict(config=RETRAIN, shape=32))), r'rows\[0\].evaluations.c10.shape: 32; it must be'),
    (dict(evaluations=dict(c10=dict(config=RETRAIN, shape=(3, 32, 32)))),
     r'rows\[0\].evaluations.c10.shape: .3, 32, 32.; it must be the'),
    (dict(evaluations=dict(c10=dict(config=RETRAIN, shape=(32, 0)))), r'rows\[0\].evaluations.c10.shape: .32, 0.; it'),
    (dict(evaluations=dict(c10=dict(config=RETRAIN, shape=(32, 32), seeds=[7]))),
     r"rows\[0\].evaluations.c10.seeds: \[7\]; they must be some of the experiment's: \[0, 1\]"),
    (dict(evaluations=dict(c10=dict(config=RETRAIN, shape=(32, 32), options=3))),
     r'rows\[0\].evaluations.c10.options: 3; it must be a dict'),
    (dict(columns=[dict(name=3, evaluation='c10', metric='m')]), r'columns\[0\].name: 3; it must be a string'),
    (dict(columns=[dict(name='x', evaluation='c10', metric=3)]), r'columns\[0\].metric: 3; it must be a string'),
    (dict(columns=[dict(name='x', evaluation='c10', metric='m', scale='1')]), r"columns\[0\].scale: '1'; it must be"),
    (dict(columns=[dict(name='x', evaluation='c10', metric='m', error=1)]), r'columns\[0\].error: 1; it must be'),
    (dict(columns=[dict(name='x', sum=['error'])]), r"columns\[0\].sum: \['error'\]; it must be a dict"),
    (dict(columns=[*FIELDS['columns'], dict(name='x', sum=dict(error='1'))]),
     r"columns\[1\].sum.error: '1'; it must be a number"),
])
def test_errors_name_the_field(tmp_path, fields, message):
    with pytest.raises(ExperimentError, match=f'experiment.py: {message}'):
        load_experiment(write(tmp_path, **fields))
