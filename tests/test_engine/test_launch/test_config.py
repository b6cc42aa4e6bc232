"""Command-line options change the config as documented."""
import os

import pytest
from mmengine.hub import get_config

from helpers import tiny_run as tiny
from helpers.tiny_run import loaded as load
from imtnas_mm.engine.launch import is_search
from imtnas_mm.genotype import GenotypeError

DIGITS = tiny.ROOT / 'configs' / 'imtnas_digits.py'
DEMO = str(tiny.ROOT / 'configs' / 'imtnas_demo.py')


@pytest.fixture
def retrain(data, tmp_path):
    return str(tiny.write_config(tmp_path / 'retrain.py', None, **tiny.retrain_fields(data)))


def test_work_dir(tmp_path):
    assert load(DEMO).work_dir == './work_dirs/imtnas_demo'
    assert load(DEMO, '--cfg-options', 'work_dir=a').work_dir == 'a'
    assert load(DEMO, '--cfg-options', 'work_dir=a', '--work-dir', 'b').work_dir == 'b'


def test_options_reach_the_config():
    cfg = load(DEMO, '--cfg-options', 'train_cfg.rounds=5', 'train_cfg.order=[det,cls]', 'model.search_space.layout=x')
    assert cfg.train_cfg.rounds == 5 and cfg.train_cfg.order == ['det', 'cls'] and cfg.model.search_space.layout == 'x'


@pytest.mark.parametrize('launcher, variables, expected', [
    ('none', {}, '0'), ('mpi', dict(OMPI_COMM_WORLD_LOCAL_RANK='3'), '3'),
    ('none', dict(OMPI_COMM_WORLD_LOCAL_RANK='3'), '0'), ('pytorch', dict(LOCAL_RANK='2'), '2')])
def test_the_gpu_of_a_process(monkeypatch, launcher, variables, expected):
    """mmengine wraps a model for the GPU ``LOCAL_RANK``, which mpirun doesn't set."""
    for name in ('LOCAL_RANK', 'OMPI_COMM_WORLD_LOCAL_RANK'):
        monkeypatch.setenv(name, '')  # restored afterwards
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    load(DEMO, '--launcher', launcher)
    assert os.environ['LOCAL_RANK'] == expected


def test_mixed_precision(retrain):
    assert load(DEMO, '--amp').model.amp is True and 'amp' not in load(DEMO).model
    assert load(retrain, '--amp').optim_wrapper.type == 'AmpOptimWrapper'


def test_resume(tmp_path):
    (tmp_path / 'a.pth').write_bytes(b'weights')
    for args, expected in (((), (False, None)), (('--resume', ), (True, None)),
                           (('--resume', tmp_path / 'a.pth'), (True, str(tmp_path / 'a.pth')))):
        cfg = load(DEMO, *args)
        assert (cfg.resume, cfg.load_from) == expected
    for path in ('none.pth', tmp_path):  # a folder is none
        with pytest.raises(SystemExit, match=f"--resume: '{path}' is not a file"):
            load(DEMO, '--resume', path)


def test_architecture(retrain):
    assert load(retrain, '--architecture', 'fairnas_a').model.backbone.architecture == 'fairnas_a'
    with pytest.raises(GenotypeError, match="^architecture: 'fairnas_z'; .* one of the names .*fairnas_a, fairnas_b"):
        load(retrain, '--architecture', 'fairnas_z')
    with pytest.raises(SystemExit, match='--architecture fairnas_a: .*imtnas_demo.py has no model.backbone.architect'):
        load(DEMO, '--architecture', 'fairnas_a')


def test_auto_scale_lr(retrain):
    assert load(retrain, '--auto-scale-lr', '--cfg-options', 'auto_scale_lr.base_batch_size=4').auto_scale_lr.enable
    with pytest.raises(SystemExit, match=r'--auto-scale-lr: .*retrain.py has no auto_scale_lr.base_batch_size$'):
        load(retrain, '--auto-scale-lr')
    with pytest.raises(SystemExit, match='--auto-scale-lr: .*a search has several batch sizes'):
        load(DEMO, '--auto-scale-lr')


def test_no_such_config():
    with pytest.raises(SystemExit, match="config: 'none.py' is not a file"):
        load('none.py')


def test_an_experiment_is_no_training():
    path = tiny.ROOT / 'configs' / 'experiments' / 'table7_small.py'
    with pytest.raises(SystemExit, match='table7_small.py has no model; .* an experiment, which tools/compare.py runs'):
        load(path)


@pytest.mark.parametrize('option, message', [
    ('train_dataloaders.cls.batch_size=4', 'has no train_dataloaders, and nothing would read it; is it train_dataload'),
    ('zzz=4', 'has no zzz, and nothing would read it$'),
])
def test_options_that_nothing_would_read(option, message):
    with pytest.raises(SystemExit, match=f'--cfg-options {option[:3]}.*imtnas_demo.py {message}'):
        load(DEMO, '--cfg-options', option)


@pytest.mark.parametrize('option, fields', [
    ('max_epochs=3', ': train_cfg.max_epochs'),
    ('digits_space.layout=[]', ': model.search_space.layout'),
    ('adam.optimizer.lr=1.', ': optim_wrapper.encoder.optimizer.lr, optim_wrapper.head.optimizer.lr, '
                             'optim_wrapper.architecture.optimizer.lr'),
    ('demo_root=data', ''),
])
def test_options_that_only_the_text_of_a_config_uses(option, fields, monkeypatch):
    said = []
    monkeypatch.setattr('imtnas_mm.engine.launch.config.print_log', lambda text, *_: said.append(text))
    load(DIGITS, '--cfg-options', option, 'train_cfg.max_epochs=2', 'work_dir=a', 'table=b')
    text, = said
    key = option.partition('=')[0]
    assert text.startswith(f'--cfg-options {key}: {key.partition(".")[0]} is a name in the text of {DIGITS}, ')
    assert text.endswith(f'changes none of them. Set the fields themselves{fields}.')


def test_options_that_the_config_leaves_out():
    cfg = load(DEMO, '--cfg-options', 'find_unused_parameters=True', 'randomness.seed=3', 'load_from=a.pth')
    assert cfg.find_unused_parameters is True and cfg.randomness.seed == 3 and cfg.load_from == 'a.pth'


def test_a_single_task_of_several():
    """The others leave the config; a test of the search does the same."""
    cfg = load(DEMO, '--cfg-options', 'model.type=SingleTask', "train_cfg.order=['det']")
    parts = (cfg.model.tasks, cfg.train_dataloader, cfg.val_dataloader, cfg.val_evaluator, cfg.test_dataloader,
             cfg.test_evaluator)
    assert all(list(part) == ['det'] for part in parts)
    for order in (['cls', 'det'], ['none']):  # the search refuses them
        assert list(load(DEMO, '--cfg-options', 'model.type=SingleTask', f'train_cfg.order={order}').model.tasks) == [
            'cls', 'det']


def test_libraries_own_configs_are_no_searches():
    assert not is_search(get_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'))
