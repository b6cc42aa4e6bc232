"""tools/compare.py --rehearse: a row of each search space and one with a joint retraining, at reduced width, here."""
import json
import re
import resource
import signal
from pathlib import Path

import pytest
import torch

from helpers import tiny_run as tiny
from helpers.forks import in_fork
from helpers.scopes import own_scope
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.algorithms.weight_stages import WeightStages
from imtnas_mm.experiments import ExperimentError, load_experiment, plan_runs
from imtnas_mm.experiments.records import versions
from imtnas_mm.experiments.rehearsal import run as rehearsal
from imtnas_mm.experiments.rehearsal.measure import measuring_device
from imtnas_mm.experiments.rehearsal.process import GIB, earlier, limited

CONFIGS = tiny.ROOT / 'configs'
CHANNELS = 8
TRANSFER = {'model.transfer.num_examples': 4, 'model.transfer.num_augmentations': 4, 'model.transfer.image_size': 16}
BATCHES = {'train_dataloader.c10.batch_size': 2, 'train_dataloader.c100.batch_size': 2,
           'val_dataloader.c10.batch_size': 3, 'val_dataloader.c100.batch_size': 3, 'test_dataloader.c10.batch_size': 3,
           'test_dataloader.c100.batch_size': 3, 'auto_scale_lr.base_batch_size': dict(c10=2, c100=2)}
HEADS = {f'model.tasks.{task}.model.head.in_channels': 16 * CHANNELS for task in ('c10', 'c100')}
CELLS = {**BATCHES, **HEADS, **TRANSFER, 'model.search_space.channels': CHANNELS, 'model.search_space.layers': 3,
         'train_cfg.rounds': 1}
FIRST = {'model.hypergradient': 'first_order'}  # takes less time; DARTS has the exact one
PHASES = {**FIRST, **{f'phases.{i}.config.model.search_space.layers': 3 for i in range(3)}}
NASBENCH = {**FIRST, **BATCHES, **TRANSFER, 'model.search_space.channels': CHANNELS, 'model.search_space.cells': 1,
            **{f'model.tasks.{task}.model.head.in_channels': 4 * CHANNELS for task in ('c10', 'c100')}}
CLS = [dict(type='LoadImageFromFile'), dict(type='RandomResizedCrop', scale=32), dict(type='PackInputs')]
DET = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
       dict(type='Resize', scale=(96, 64), keep_ratio=True)]
DET_TRAIN = [*DET, dict(type='PackDetInputs')]
DET_TEST = [*DET, dict(type='PackDetInputs', meta_keys=('img_id', 'ori_shape', 'img_shape', 'scale_factor'))]
RETINANET = dict(neck=dict(in_channels=[8, 16, 32], out_channels=8), bbox_head=dict(
    in_channels=8, feat_channels=8, stacked_convs=1))
MBCONV = {
    **FIRST, **TRANSFER, 'train_cfg.rounds': 1, 'model.search_space.width_mult': .1,
    'model.tasks.cls.model.head.in_channels': 32, 'model.tasks.cls.model.head.hidden_channels': 16,
    'model.tasks.det.model.neck': RETINANET['neck'], 'model.tasks.det.model.bbox_head': RETINANET['bbox_head'],
    'train_dataloader.cls.dataset.pipeline': CLS, 'train_dataloader.det.dataset.pipeline': DET_TRAIN,
    'train_dataloader.cls.batch_size': 2, 'auto_scale_lr.base_batch_size.cls': 16,
    **{f'{part}_dataloader.cls.{key}': value for part in ('val', 'test') for key, value in {
        'dataset.pipeline': CLS, 'batch_size': 2}.items()},
    **{f'{part}_dataloader.det.dataset.pipeline': DET_TEST for part in ('val', 'test')}}
LOADERS = {**{f'{part}_dataloader.batch_size': 2 for part in ('train', 'val', 'test')},
           'auto_scale_lr.base_batch_size': 2}
NETWORK = {**LOADERS, 'model.backbone.channels': CHANNELS, 'model.backbone.layers': 3,
           'model.head.in_channels': 16 * CHANNELS}
COCO = {'model.backbone': dict(width_mult=.1, frozen_stages=0), 'model.neck': RETINANET['neck'],
        'model.bbox_head': RETINANET['bbox_head'], 'train_dataloader.dataset.pipeline': DET_TRAIN,
        **{f'{part}_dataloader.dataset.pipeline': DET_TEST for part in ('val', 'test')}}
JOINT = {**BATCHES, 'model.backbone.channels': CHANNELS, 'model.backbone.layers': 3,
         **{f'model.tasks.{task}.model.head.in_channels': 16 * CHANNELS for task in ('c10', 'c100')}}
C10 = dict(config=str(CONFIGS / 'retrain/cells_cifar10.py'), shape=(32, 32), options=NETWORK)


def search(name, config, options, **fields):
    return dict(name=name, search=str(CONFIGS / f'{config}.py'), options=options, **fields)


def cells(name, options=FIRST, **fields):
    return search(name, f'imtnas_cifar_{name}', {**CELLS, **options}, **fields)


ROWS = [
    cells('darts', {}),
    cells('pdarts', PHASES),
    cells('pcdarts', search_test=True),
    cells('prdarts'),
    search('nasbench201', 'imtnas_cifar_nasbench201', NASBENCH, evaluations=dict(c10=dict(
        config=str(CONFIGS / 'retrain/nasbench201_cifar10.py'), shape=(32, 32), options={
            **LOADERS, 'model.backbone.channels': CHANNELS, 'model.backbone.cells': 1,
            'model.head.in_channels': 4 * CHANNELS}))),
    search('mbconv', 'imtnas_cls_det', MBCONV, gpus=8, evaluations=dict(coco=dict(
        config=str(CONFIGS / 'retrain/mbconv_retinanet_coco.py'), shape=(64, 96), options=COCO))),
    search('joint', 'bmtas_cifar_darts', {
        key: value for key, value in CELLS.items() if 'transfer' not in key and 'rounds' not in key},
        evaluations=dict(joint=dict(config=str(CONFIGS / 'retrain/joint_cells_cifar.py'), shape=(32, 32), options=JOINT,
                                    tasks=dict(c10='c10', c100='c100')))),
]
COLUMNS = [dict(name='top-1', evaluation='c10', metric='accuracy/top1'),
           dict(name='AP', evaluation='coco', metric='coco/bbox_mAP'),
           dict(name='D^val', evaluation='search', metric='c10/accuracy/top1')]


def here(folder, memory, seconds):
    with own_scope():
        result = limited(folder, memory)
    (folder / 'result.json').write_text(json.dumps(result, default=float))
    return result


def rehearse(monkeypatch, experiment, folder, *args, measure=here):
    monkeypatch.setattr(rehearsal, 'in_a_process', measure)
    tiny.tool('compare').main([str(arg) for arg in (experiment, '--rehearse', '--work-dir', folder, *args)])


def write(path, **fields):
    return tiny.write_config(path, None, **{
        **dict(seeds=[0, 1], evaluations=dict(c10=C10), columns=COLUMNS), **fields})


@pytest.mark.slow
def test_a_row_of_each_space(tmp_path, monkeypatch, capsys):
    experiment, out = write(tmp_path / 'spaces.py', rows=ROWS), tmp_path / 'out.json'
    with pytest.raises(SystemExit) as ended:  # the columns of a row are those that it has
        rehearse(monkeypatch, experiment, tmp_path / 'work', '--out', out)
    assert "mbconv: columns[2].metric: 'c10/accuracy/top1'" in str(ended.value) and str(ended.value).count('\n') == 1
    text, told = capsys.readouterr().out, json.loads(out.read_text())
    by_user = {(training['users'][0].partition(': ')[2], training['name']): training for training in told['trainings']}
    assert {training['state'] for training in told['trainings']} == {'measured'}, text
    assert len(by_user) == len(ROWS) + 4  # retrainings of the four spaces of cells are alike
    assert by_user['darts', 'c10']['users'] == [f'spaces: {name}' for name in ('darts', 'pdarts', 'pcdarts', 'prdarts')]
    # 25,000 images of D^tr, 50,000 of a retraining, 117,266 of COCO; batches of 2, on 8 GPUs
    assert [kind[:2] for part in by_user['pdarts', 'search']['parts'] for kind in part['epochs']] == [
        [10, 12500], [40, 12500]] * 3
    assert [kind[:2] for kind in by_user['pcdarts', 'search']['parts'][0]['epochs']] == [[15, 12500], [35, 12500]]
    assert [kind[:2] for kind in by_user['darts', 'c10']['parts'][0]['epochs']] == [[600, 25000]]
    assert [kind[:2] for kind in by_user['mbconv', 'search']['parts'][0]['epochs']] == [[40, 640583 // 16]]
    assert [kind[:2] for kind in by_user['mbconv', 'coco']['parts'][0]['epochs']] == [[12, 7330]]
    assert [kind[:2] for kind in by_user['joint', 'joint']['parts'][0]['epochs']] == [[600, 25000]]
    for training in told['trainings']:
        assert training['memory'] > 2**20 and training['gpu_hours'] > 0 and training['disk'] > 0
        for part in training['parts']:
            assert all(seconds > 0 for _, _, seconds in part['epochs']) and part['validation'] > 0
    assert by_user['pcdarts', 'search']['test'] > 0 == by_user['darts', 'search']['test']
    assert by_user['mbconv', 'coco']['metrics']['test'].keys() >= {'coco/bbox_mAP', 'coco/bbox_mAP_l'}
    assert set(by_user['joint', 'joint']['metrics']['test']) == {
        'c10/accuracy/top1', 'c100/accuracy/top1', 'c100/accuracy/top5'}
    cost = told['experiments']['spaces']  # two seeds
    assert cost['runs'] == 2 * len(ROWS) and cost['left_out'] == 0
    assert cost['gpu_hours'] == pytest.approx(2 * sum(
        training['gpu_hours'] * len(training['users']) for training in told['trainings']))
    assert '| spaces | 14 |' in text and 'Measured on: CPU' in text
    before = [dict(training, earlier=True) for training in told['trainings']]

    monkeypatch.setattr('imtnas_mm.experiments.rehearsal.process.measure', None)
    with pytest.raises(SystemExit, match=re.escape("mbconv: columns[2].metric: 'c10/accuracy/top1'")):
        rehearse(monkeypatch, experiment, tmp_path / 'work', '--out', out)
    again = json.loads(out.read_text())
    assert again['trainings'] == before and again['experiments'] == told['experiments']
    assert capsys.readouterr().out.count('(measured before)') == len(before)


def test_what_was_measured_before(tmp_path, monkeypatch, capsys):
    """It is taken if config, arguments, device and packages are the same."""
    told = dict(state='measured', parts=[], test=1., memory=0, device=measuring_device(), versions=versions(),
                metrics=dict(val={}, test={'accuracy/top1': 50.}))
    measured = []

    def measure(folder, memory, seconds):
        result = earlier(folder)
        if result is None:
            measured.append(folder)
            result = told
        (folder / 'result.json').write_text(json.dumps(result))
        return result

    def again(**options):
        experiment = write(tmp_path / 'again.py', rows=[dict(name='a', architecture='darts_v2')], columns=COLUMNS[:1],
                           evaluations=dict(c10=dict(C10, options={**NETWORK, **options})))
        measured.clear()
        rehearse(monkeypatch, experiment, tmp_path / 'work', measure=measure)
        assert capsys.readouterr().out.count('(measured before)') == 1 - len(measured)
        return len(measured)

    assert [again(), again(), again(), again(**{'train_cfg.max_epochs': 7})] == [1, 0, 0, 1]
    for change in (dict(told, device='another'), dict(told, versions=dict(versions(), torch='1.0')),
                   dict(state='failed', reason='no luck')):
        again()
        file, = (path for path in (tmp_path / 'work').rglob('result.json') if 'max_epochs=600,' in path.with_name(
            'training.py').read_text())
        file.write_text(json.dumps(change))
        assert again() == 1
    file.write_text(json.dumps(told))
    file.with_name('training.json').write_text('{}')  # a folder of other arguments
    assert again() == 1


@pytest.mark.parametrize('key', [True, False], ids=['Ctrl-C', 'SIGTERM'])
def test_stopped(key, tmp_path, monkeypatch, capsys):
    """The table has what was measured; one that is started again measures the rest."""
    told = dict(state='measured', parts=[], test=1., memory=2**30, device=measuring_device(), versions=versions(),
                metrics=dict(val={}, test={'accuracy/top1': 50.}))
    calls = []

    def measure(folder, memory, seconds):
        calls.append(folder)
        if len(calls) == 2:
            if key:  # a process that a script starts in the background ignores the signal itself
                raise KeyboardInterrupt
            signal.raise_signal(signal.SIGTERM)
        return told

    evaluations = {name: dict(C10, options={'train_cfg.max_epochs': epochs})
                   for name, epochs in (('c10', 7), ('longer', 8), ('longest', 9))}
    experiment = write(tmp_path / 'three.py', rows=[dict(name='a', architecture='darts_v2')], columns=COLUMNS[:1],
                       evaluations=evaluations)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit, match='^compare: stopped; started again, the rehearsal goes on'):
        rehearse(monkeypatch, experiment, tmp_path / 'work', '--out', tmp_path / 'table.md', measure=measure)
    text = (tmp_path / 'table.md').read_text()
    assert text.count('the rehearsal was stopped before it') == 2 and '1.00' in text and 'at least' in text
    assert len(calls) == 2 and signal.getsignal(signal.SIGTERM) == before and 'written: ' in capsys.readouterr().out
    rehearse(monkeypatch, experiment, tmp_path / 'work', '--out', tmp_path / 'table.md', measure=measure)
    assert 'stopped' not in (tmp_path / 'table.md').read_text() and len(calls) == 5


def test_one_rehearsal_per_work_dir(tmp_path, monkeypatch):
    experiment = write(tmp_path / 'one.py', rows=[dict(name='a', architecture='darts_v2')], columns=COLUMNS[:1])

    def measure(folder, memory, seconds):
        rehearse(monkeypatch, experiment, tmp_path / 'work', measure=here)

    with pytest.raises(SystemExit, match='--work-dir: .*rehearsal is in use by another rehearsal; wait for its end'):
        rehearse(monkeypatch, experiment, tmp_path / 'work', measure=measure)


def test_what_is_wrong_is_found(tmp_path, monkeypatch, capsys):
    """A total batch, a column's metric, a head's number of classes, and a retraining in another space than the search:
    all are found at once."""
    def c10(**options):
        return dict(c10=dict(C10, options={**NETWORK, **options}))

    columns = [dict(name='error', evaluation='c10', metric='accuracy/top5')]
    experiment = write(tmp_path / 'wrong.py', columns=columns, rows=[
        dict(name='batch', architecture='darts_v2', evaluations=c10(**{'auto_scale_lr.base_batch_size': 96})),
        dict(name='head', architecture='darts_v2', evaluations=c10(**{'model.head.num_classes': 9})),
        search('space', 'imtnas_cifar_nasbench201', NASBENCH)])
    with pytest.raises(SystemExit) as ended:
        rehearse(monkeypatch, experiment, tmp_path / 'work')
    for text in (
            r'batch, seed 0 \(and 1 more\): c10: train_dataloader\.batch_size: 2; .*written for 96',
            r"wrong: batch: columns\[0\]\.metric: 'accuracy/top5'; the evaluation c10 has accuracy/top1\n",
            r'wrong: head, c10: DataError: .*10 classes.*num_classes=9',
            r'space: c10: with what its search derives: \w+'):
        assert re.search(text, str(ended.value)), str(ended.value)
    assert '| wrong | 6 | at least ' in capsys.readouterr().out


def test_too_little_memory(tmp_path, monkeypatch, capsys):
    """A search that needs more is left out, and a joint retraining then has no architecture."""
    def scarce(folder, memory, seconds):
        assert memory == 3 * GIB and seconds == 120
        with monkeypatch.context() as patch:
            patch.setattr(WeightStages, 'train_stage', lambda *args, **options: torch.empty(2**50))
            return here(folder, memory, seconds)

    experiment = write(tmp_path / 'scarce.py', rows=ROWS[-1:], columns=COLUMNS[:1])
    rehearse(monkeypatch, experiment, tmp_path / 'work', '--memory', '3', '--limit', '2', measure=scarce)
    text = capsys.readouterr().out
    assert 'skipped: more memory than 3 GiB' in text and 'which was not measured' in text
    assert '| scarce | 2 | at least 0 | at least 0 | 4 |' in text


def write_training(folder, **options):
    """The folder of a small retraining, as its process gets it."""
    cfg = plan_runs(load_experiment(write(folder / 'alone.py', rows=[dict(name='a', architecture='darts_v2')],
                                          columns=COLUMNS[:1])))[0].evaluations['c10']
    cfg.merge_from_dict(options)
    (folder / 'training.py').write_text(cfg.pretty_text)
    (folder / 'training.json').write_text('{}')
    return folder


def test_the_limit_of_memory_holds(tmp_path):
    def check():
        status = Path('/proc/self/status').read_text()
        held = 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith('VmData')))
        memory = held + 2**28
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        result = limited(folder, memory)
        assert result['state'] == 'skipped' and 'more memory than' in result['reason'], result

    folder = write_training(tmp_path, **{'train_dataloader.batch_size': 4096})
    in_fork(check)


@pytest.mark.parametrize('script, state, reason', [
    ('sleep 60', 'skipped', 'more than 0.00'), ('kill -9 $$', 'skipped', 'most likely for its memory'),
    ('echo out of luck; exit 3', 'failed', 'exit code 3\nout of luck'),
    ("""echo '{"state": "measured"}' > $3/result.json""", 'measured', '')], ids=['time', 'memory', 'failure', 'result'])
def test_how_a_process_ends(tmp_path, monkeypatch, script, state, reason):
    file = tmp_path / 'python'
    file.write_text(f'#!/bin/sh\n{script}\n')
    file.chmod(0o755)
    monkeypatch.setattr(rehearsal.sys, 'executable', str(file))
    result = rehearsal.in_a_process(tmp_path, None, .2 if 'sleep' in script else 60)
    assert result['state'] == state and reason in result.get('reason', '')


def test_arguments(tmp_path, capsys):
    compare, file = tiny.tool('compare'), str(write(tmp_path / 'a.py', rows=[dict(name='a', architecture='darts_v2')]))
    args = compare.parse_args([file, str(tmp_path), '--rehearse'])
    assert args.experiment == [file, str(tmp_path)] and args.limit == compare.LIMIT and args.memory is None
    assert compare.parse_args([file]).experiment == file
    for wrong, text in ((['--rehearse', '--jobs', '2'], '--jobs'), (['--limit', '3'], 'add --rehearse'),
                        ([file], '--rehearse takes several'), (['--rehearse', '--out', 'a.csv'], '.md or .json'),
                        (['--rehearse', '--memory', '0'], 'more than 0'), (['--rehearse', '--gpus', '2'], '--gpus')):
        with pytest.raises(SystemExit):
            compare.parse_args([file, *wrong])
        assert text in capsys.readouterr().err
    (tmp_path / 'table_paper.py').touch()
    assert rehearsal.experiment_files([file, str(tmp_path)]) == [Path(file), tmp_path / 'table_paper.py']
    with pytest.raises(ExperimentError, match='holds no experiment of the paper'):
        rehearsal.experiment_files([str(tmp_path / 'nowhere'), str(tiny.ROOT / 'docs')])
