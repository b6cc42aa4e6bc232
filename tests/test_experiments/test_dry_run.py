"""tools/compare.py --dry-run builds what the runs need, and refuses what would fail."""
import re

import pytest

from helpers import tiny_run as tiny
from helpers.scopes import own_scope


@pytest.fixture
def experiment(data, tmp_path):
    """A function that writes an experiment on tiny configs with other fields."""
    fields = tiny.search_fields(data)
    search = tiny.write_config(
        tmp_path / 'search.py', 'imtnas_demo.py', auto_scale_lr=dict(base_batch_size=dict(cls=4, det=2)), **fields)
    fields = tiny.retrain_fields(data, 'det')
    fields['model']['backbone'].update(width_mult=1.)  # the layout of the search is narrow
    retraining = tiny.write_config(tmp_path / 'det.py', None, **fields)
    evaluations = dict(det=dict(config=str(retraining), shape=(32, 32)))

    def write(**changes):
        return tiny.write_config(tmp_path / 'experiment.py', None, **{**dict(
            seeds=[0, 1], evaluations=evaluations, search_test=True, rows=[dict(name='ours', search=str(search))],
            columns=[dict(name='AP', evaluation='det', metric='coco/bbox_mAP'),
                     dict(name='size', evaluation='det', metric='parameters'),
                     dict(name='network', evaluation='search_test', metric='cls/accuracy/top1'),
                     dict(name='D^val', evaluation='search', metric='det/coco/bbox_mAP_50')]), **changes})

    return write


def dry(experiment, tmp_path):
    with own_scope():
        tiny.tool('compare').main([str(experiment), '--work-dir', str(tmp_path / 'out'), '--dry-run'])


def test_runs_that_could_start(experiment, tmp_path, capsys):
    dry(experiment(), tmp_path)
    first, second, *trainings = [line for line in capsys.readouterr().out.splitlines() if ', seed ' in line]
    assert [line.split(maxsplit=1)[1] for line in (first, second)] == [
        'new       ours, seed 0', 'new       ours, seed 1']
    assert trainings == [
        'ours, seed 0 (and 1 more): search: IMTNAS, tasks cls, det in 2 rounds: 1 epoch of 2 iterations, 2 in all',
        'ours, seed 0 (and 1 more): det: RetinaNet: 1 epoch of 4 iterations, 4 in all']
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('changes, message', [
    (dict(search_options={'model.typ': 'IMTNAS'}), 'ours, seed 0 (and 1 more): search: TypeError: '),
    (dict(search_options={'modle.type': 'IMTNAS'}), 'has no modle, and nothing would read it; is it model?'),
    (dict(search_options={'train_dataloader.cls.dataset.data_root': 'none'}),
     "search: DataError: train_dataloader.cls.dataset.data_root: 'none' is not a folder"),
    (dict(columns=[dict(name='AP', evaluation='det', metric='coco/bbox_mapp'),
                   dict(name='net', evaluation='search', metric='cls/top1')]),
     "experiment: columns[0].metric: 'coco/bbox_mapp'; the evaluation det has coco/bbox_mAP, "),
    (dict(degenerate=dict(evaluation='search_test', metric='cls/top1', below=1)),
     "experiment: degenerate.metric: 'cls/top1'; the evaluation search_test has cls/accuracy/top1, "),
], ids=['model', 'unread', 'data', 'column', 'degenerate'])
def test_runs_that_would_fail(experiment, tmp_path, changes, message):
    with pytest.raises(SystemExit, match=re.escape(message)) as error:
        dry(experiment(**changes), tmp_path)
    assert 'modle' in message or str(error.value).startswith('compare: nothing is started:')


def test_a_retraining_that_would_fail(experiment, data, tmp_path):
    fields = tiny.retrain_fields(data, 'det')
    fields['model']['bbox_head'] = dict(fields['model']['bbox_head'], nmu_classes=3)
    config = tiny.write_config(tmp_path / 'wrong.py', None, **fields)
    path = experiment(rows=[dict(name='known', architecture='fairnas_c')], search_test=False, evaluations=dict(
        det=dict(config=str(config), shape=(32, 32))), columns=[dict(name='AP', evaluation='det', metric='macs')])
    with pytest.raises(SystemExit, match=r'known, seed 0 \(and 1 more\): det: TypeError: .*nmu_classes'):
        dry(path, tmp_path)


def test_a_start_that_another_evaluation_writes(experiment, data, tmp_path):
    fields = tiny.retrain_fields(data, 'det')
    fields['model']['backbone']['init_cfg'] = dict(type='Pretrained', checkpoint='later.pth', prefix='backbone.')
    det = tiny.write_config(tmp_path / 'later.py', None, **fields)
    cls = tiny.write_config(tmp_path / 'cls.py', None, **tiny.retrain_fields(data, 'cls'))
    rows = [dict(name='known', architecture='fairnas_c')]
    columns = [dict(name='AP', evaluation='det', metric='coco/bbox_mAP')]
    evaluations = dict(
        cls=dict(config=str(cls), shape=(32, 32)), det=dict(config=str(det), shape=(32, 32), initial='cls'))
    dry(experiment(rows=rows, search_test=False, columns=columns, evaluations=evaluations), tmp_path)
    evaluations['det'].pop('initial')
    with pytest.raises(SystemExit, match="det: ValueError: model.backbone.init_cfg.checkpoint='later.pth': is not"):
        dry(experiment(rows=rows, search_test=False, columns=columns, evaluations=evaluations), tmp_path)
