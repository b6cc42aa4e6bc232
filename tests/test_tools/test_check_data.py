"""tools/check_data.py prints a table of a config's data, and names what cannot be used."""
import json

import pytest

from helpers import tiny_run as tiny
from helpers.scopes import own_scope


def check(config, *options):
    with own_scope():
        tiny.tool('check_data').main([str(config), *(('--cfg-options', *options) if options else ())])


@pytest.fixture(scope='module')
def search(data, tmp_path_factory):
    fields = tiny.search_fields(data)
    fields['val_dataloader']['cls'] = tiny.loader(dict(type='ValidationPart', pipeline=tiny.CLS), 4)
    return tiny.write_config(tmp_path_factory.mktemp('check') / 'tiny.py', 'imtnas_demo.py', **fields)


def test_a_search(search, capsys):
    check(search)
    lines = capsys.readouterr().out.splitlines()
    table = {line.split()[0]: line.split()[1:] for line in lines if '_dataloader' in line and ':' not in line}
    assert list(table) == [f'{part}_dataloader.{task}.dataset' for part in ('train', 'val', 'test')
                           for task in ('cls', 'det')]
    assert table['train_dataloader.cls.dataset'] == 'CustomDataset 24 3 8 to 8 4 of 3x32x32'.split()
    assert table['train_dataloader.det.dataset'][:3] == ['CocoDataset', '8', '3']
    assert table['val_dataloader.cls.dataset'][:3] == ['CustomDataset', '12', '3']  # D^val
    assert 'train_dataloader.cls.dataset: 12 examples train weights, 12 the architecture' in lines


def test_a_retraining_with_a_class_without_examples(tmp_path, capsys):
    data = tiny.write_data(tmp_path / 'data', train=4)
    path = tiny.annotation_file(data, 'train')
    content = json.loads(path.read_text())
    content['annotations'] = [one for one in content['annotations'] if one['category_id'] != 3]
    path.write_text(json.dumps(content))
    check(tiny.write_config(tmp_path / 'det.py', None, **tiny.retrain_fields(data, 'det')))
    assert f'train_dataloader.dataset: 1 classes without an example: {tiny.CLASSES[2]}' in capsys.readouterr().out


def test_a_joint_training(data, tmp_path, capsys):
    config = tiny.write_config(tmp_path / 'joint.py', '_base_/joint_runtime.py', **tiny.joint_fields(data))
    check(config)
    assert 'train_dataloader.det.dataset  CocoDataset' in capsys.readouterr().out


def test_every_fault_is_named(search, tmp_path):
    """All of them in one run, those of files that cannot be decoded, too."""
    data = tiny.write_data(tmp_path / 'data', train=2)
    for image in (data / 'imagenet' / 'train').glob('*/*.png'):
        image.write_bytes(b'no image')
    with pytest.raises(SystemExit) as error:
        check(search, f'train_dataloader.cls.dataset.data_root={data}/imagenet',
              'test_dataloader.det.dataset.ann_file=none.json', 'val_evaluator.det.ann_file=nothing.json')
    text = str(error.value)
    assert all(line.startswith('check_data: ') for line in text.splitlines())
    for part in (r'imagenet/train/', 'LoadImageFromFile failed', 'test_dataloader.det.dataset.ann_file: ', 'none.json',
                 "val_evaluator.det.ann_file: 'nothing.json' is not a file"):
        assert part in text
