"""tools/train.py --dry-run says what would run, refuses what would fail, and leaves nothing behind."""
import pytest

from helpers import tiny_run as tiny


@pytest.fixture(scope='module')
def search(data, tmp_path_factory):
    fields = tiny.search_fields(data, rounds=2, max_epochs=3, warmup_epochs=1)
    return tiny.write_config(tmp_path_factory.mktemp('dry') / 'tiny.py', 'imtnas_demo.py', **fields)


@pytest.fixture(scope='module')
def retraining(data, tmp_path_factory):
    fields = tiny.retrain_fields(data, 'det', epochs=2)
    return tiny.write_config(tmp_path_factory.mktemp('dry') / 'retrain.py', None, **fields)


def dry(config, tmp_path, *options):
    tiny.run('train', config, '--dry-run', '--work-dir', tmp_path / 'work', options=options)
    assert not (tmp_path / 'work').exists()


def test_a_search(search, tmp_path, capsys):
    dry(search, tmp_path, 'default_hooks.checkpoint.save_best=det/coco/bbox_mAP')
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('dry run: ')]
    assert lines[0] == 'dry run: IMTNAS, tasks cls, det in 2 rounds: 3 epochs of 2 iterations, 6 in all'
    assert 'task cls: 12 examples train its weights and head, 12 the architecture; of 24' in lines[1]
    assert 'architecture: trained from epoch 2 on, after 2 iterations' in lines[3]
    assert 'cls/accuracy/top1, cls/accuracy/top2, det/coco/bbox_mAP, ' in lines[4]
    assert lines[5] == f'dry run: work dir: {tmp_path / "work"}'


def test_a_retraining(retraining, tmp_path, capsys):
    dry(retraining, tmp_path)
    out = capsys.readouterr().out
    assert 'dry run: RetinaNet: 2 epochs of 4 iterations, 8 in all\ndry run: data: 8 training examples\n' in out


@pytest.mark.parametrize('option, message', [
    ('model.typ=IMTNAS', "TypeError: .*unexpected keyword argument 'typ'"),
    ('model.tasks.det.model.bbox_head.nmu_classes=3', "unexpected keyword argument 'nmu_classes'"),
    ('default_hooks.checkpoint.save_best=det/coco/bbox_mapp',
     "save_best='det/coco/bbox_mapp': the validation has no such metric; it has cls/accuracy/top1, "),
    ('val_evaluator.det.metric=bbox_mapp', 'metric should be one of .*bbox_mapp'),
    ('train_dataloader.det.dataset.ann_file=none.json', r'^dry run: \S+: DataError: train_dataloader.det.*none.json'),
    ('optim_wrapper.architecture.optimizer.type=Adamm', "type='Adamm': there is no such optimiser"),
    ('param_scheduler.heads=[]', r"param_scheduler has \['heads'\]"),
    ('load_from=none.pth', "load_from='none.pth': is not a file"),
])
def test_a_search_that_would_fail(search, tmp_path, option, message):
    with pytest.raises(SystemExit, match=message):
        dry(search, tmp_path, option)


def test_a_retraining_that_would_fail(retraining, tmp_path):
    pretrained = tiny.write_config(tmp_path / 'pretrained.py', retraining, model=dict(backbone=dict(init_cfg=dict(
        type='Pretrained', checkpoint='none.pth', prefix='backbone.'))))
    with pytest.raises(SystemExit, match=r"model.backbone.init_cfg.checkpoint='none.pth': is not a file"):
        dry(pretrained, tmp_path)
    for option, message in (('default_hooks.checkpoint.save_best=bbox_mAP', "save_best='bbox_mAP': .*coco/bbox_mAP"),
                            ('val_dataloader.dataset.data_root=none', "val_dataloader.dataset.data_root: 'none' is")):
        with pytest.raises(SystemExit, match=message):
            dry(retraining, tmp_path, option)


def test_a_work_dir_that_cannot_be(search):
    with pytest.raises(SystemExit, match='--work-dir: .*tiny.py is no folder that can be written to'):
        tiny.run('train', search, '--dry-run', '--work-dir', search / 'work')
