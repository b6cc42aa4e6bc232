"""tools/train.py refuses a search that cannot be run. End to end: tests/test_engine/test_loops/test_search_loop.py."""
import pytest

from helpers import tiny_run as tiny
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.datasets import DataError


@pytest.fixture(scope='module')
def two_tasks(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('two')
    return tiny.write_config(folder / 'tiny.py', 'imtnas_demo.py', **tiny.search_fields(data, rounds=1))


@pytest.fixture(scope='module')
def one_task(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('one')
    return tiny.write_config(folder / 'tiny.py', 'imtnas_demo.py', **tiny.search_fields(data, ('cls', ), rounds=1))


@pytest.mark.parametrize('option, message', [
    ('train_cfg.order=[cls,dte]', r"train_cfg.order=\('cls', 'dte'\) names the unknown task 'dte'"),
    ('train_cfg.order=[cls,det,cls]', 'train_cfg.order=.* names a task twice'),
    ('train_cfg.order=[cls]', r"train_cfg.order=\('cls',\) leaves out \['det'\]"),
    ('train_cfg.order=cls', "train_cfg.order='cls' must be a list of tasks"),
    ('train_cfg.rounds=0', 'train_cfg.rounds=0 must be at least 1'),
    ('train_cfg.rounds=1.5', 'train_cfg.rounds=1.5 must be a whole number'),
    ('train_cfg.max_epochs=0', 'train_cfg.max_epochs=0 must be at least 1'),
    ('train_cfg.val_interval=0', 'train_cfg.val_interval=0 must be at least 1'),
    ('train_cfg.split.ratoi=.3', r"train_cfg.split has \['ratio', 'ratoi', 'seed'\]"),
    ('train_cfg.split.ratio=1.5', 'train_cfg.split.ratio=1.5: the train share must lie strictly between 0 and 1'),
    ('train_dataloader.cls.batch_size=0', 'train_dataloader.cls.batch_size=0 must be at least 1'),
    ('optim_wrapper.heads.type=OptimWrapper', r"optim_wrapper has \[.*'heads'\]; a search takes"),
])
def test_refused_values(two_tasks, one_task, tmp_path, option, message):
    config = two_tasks if 'order' in option else one_task
    with pytest.raises(ValueError, match=message):
        tiny.run('train', config, '--work-dir', tmp_path, options=[option])


@pytest.mark.parametrize('option, owner', [
    ('train_cfg.wramup_epochs=1', 'InterleavedSearchLoop'), ('val_cfg.all_round=True', 'EvaluationLoop'),
    ('model.encoder_task_wieght=1.', 'IMTNAS'), ('model.transfer.treshold=1', 'MMDTransfer'),
    ('model.search_space.width=1', 'MBConvSupernet'), ('default_hooks.architecture.intervall=3', 'ArchitectureHook'),
])
def test_unknown_options(one_task, tmp_path, option, owner):
    name = option.partition('=')[0].rpartition('.')[2]
    with pytest.raises(TypeError, match=rf"{owner}.* unexpected keyword argument '{name}'"):
        tiny.run('train', one_task, '--work-dir', tmp_path, options=[option])


def test_an_optimiser_is_missing(data, tmp_path):
    sgd = dict(optimizer=dict(type='SGD', lr=.1))
    for wrapper, message in (
        (dict(constructor='SearchOptimWrapperConstructor', encoder=sgd, head=sgd), r"has \['encoder', 'head'\]; a"),
        (sgd, "optim_wrapper: a search needs constructor='SearchOptimWrapperConstructor'"),
    ):
        fields = dict(tiny.search_fields(data, ('cls', )), optim_wrapper=tiny.replaced(**wrapper))
        config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields)
        with pytest.raises(ValueError, match=message):
            tiny.run('train', config, '--work-dir', tmp_path)


def test_a_dataloader_is_missing(data, tmp_path):
    for part in ('train_dataloader', 'val_dataloader', 'val_evaluator'):
        fields = tiny.search_fields(data, rounds=1)
        fields[part] = {key: value for key, value in fields[part].items() if key != 'det'}
        config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields)
        with pytest.raises(ValueError, match=rf"{part} has \['cls'\]; .*'det'"):
            tiny.run('train', config, '--work-dir', tmp_path)


@pytest.mark.parametrize('field, content, message', [
    ('train_dataloader.cls.dataset.data_root', None, 'is not a folder; expected train/<class>'),
    ('train_dataloader.det.dataset.data_root', None, 'is not a folder; expected annotations/instances'),
    ('train_dataloader.det.dataset.ann_file', '', r'is empty \(0 bytes\)'),
    ('val_dataloader.det.dataset.ann_file', '{"images": [', 'is not JSON'),
    ('val_evaluator.det.ann_file', '{"images": [], "annotations": [], "categories": []}', "'images' must be a list"),
])
def test_bad_data(two_tasks, tmp_path, field, content, message):
    path = tmp_path / 'bad.json'
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=rf"^{field}: '{path}'.*{message}"):
        tiny.run('train', two_tasks, '--work-dir', tmp_path / 'work', options=[f'{field}={path}'])


def test_an_image_that_cannot_be_read(tmp_path):
    data = tiny.write_data(tmp_path / 'data', train=2)
    for path in (data / 'imagenet' / 'train').glob('*/*.png'):
        path.write_bytes(b'no image')
    config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **tiny.search_fields(data, ('cls', ), rounds=1))
    with pytest.raises(DataError, match=r'imagenet/train/\w+/\w+.png: LoadImageFromFile failed: .*failed to load'):
        tiny.run('train', config, '--work-dir', tmp_path / 'work')
