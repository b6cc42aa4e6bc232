"""Data, heads and checkpoints that don't go together stop a run before it trains; files that can't be read name
themselves in searches, retrainings and tests alike."""
import json
import shutil

import pytest
from torch import nn

from helpers import ranks
from helpers import tiny_run as tiny
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.datasets import DataError
from imtnas_mm.engine.hooks.data_hook import class_numbers, difference


@pytest.fixture
def data_copy(tmp_path):
    """Data that a test may spoil."""
    return tiny.write_data(tmp_path / 'data', train=4, val=2)


def search_config(root, folder, order=('cls', 'det'), **fields):
    fields = dict(tiny.search_fields(root, order, rounds=1), **fields)
    return tiny.write_config(folder / 'search.py', 'imtnas_demo.py', **fields)


def retrain_config(root, folder, task, **fields):
    short = tiny.short_architecture().to_dict()
    return tiny.write_config(folder / f'{task}.py', None, **tiny.retrain_fields(root, task, short, **fields))


def spoil(root, kind, part):
    """One file of the images; its path."""
    files = sorted((root / dict(cls=f'imagenet/{part}', det=f'coco/{part}2017')[kind]).rglob('*.png'))
    files[0].write_bytes(files[0].read_bytes()[:-100])
    return files[0]


@pytest.mark.parametrize('kind, part, num_workers', [
    ('cls', 'train', 0), ('cls', 'train', 2), ('cls', 'val', 2), ('det', 'train', 0), ('det', 'val', 0)])
def test_a_cut_file_in_a_retraining(data_copy, tmp_path, kind, part, num_workers):
    path = spoil(data_copy, kind, part)
    with pytest.raises(DataError, match=rf'{path}: LoadImageFromFile failed: .*failed to load'):
        tiny.run('train', retrain_config(data_copy, tmp_path, kind), '--work-dir', tmp_path / 'work',
                 options=[f'{part}_dataloader.num_workers={num_workers}'])


@pytest.mark.parametrize('kind, part, num_workers', [('det', 'train', 2), ('cls', 'val', 0), ('det', 'val', 2)])
def test_a_cut_file_in_a_search(data_copy, tmp_path, kind, part, num_workers):
    path = spoil(data_copy, kind, part)
    config = search_config(data_copy, tmp_path, (kind, ))
    with pytest.raises(DataError, match=rf'{path}: LoadImageFromFile failed: .*failed to load'):
        tiny.run('train', config, '--work-dir', tmp_path / 'work',
                 options=[f'{part}_dataloader.{kind}.num_workers={num_workers}'])


def test_a_cut_file_among_the_examples_of_a_transfer(data_copy, tmp_path):
    """They are read by a pipeline of their own."""
    runner = tiny.runner_of(search_config(data_copy, tmp_path), tmp_path / 'work')
    data = runner.build_train_loop(runner._train_loop).tasks['cls']
    for path in (data_copy / 'imagenet' / 'train').rglob('*.png'):
        path.write_bytes(b'')
    with pytest.raises(DataError, match=r'imagenet/train/\w+/\w+.png: LoadImageFromFile failed'):
        next(iter(data.example_loader(0, 0, 2)))


@pytest.fixture(scope='module')
def classifier(data, tmp_path_factory):
    """Config and checkpoint of a trained one."""
    folder = tmp_path_factory.mktemp('classifier')
    config = retrain_config(data, folder, 'cls')
    tiny.run('train', config, '--work-dir', folder / 'work')
    return config, folder / 'work' / 'epoch_1.pth'


def test_a_cut_file_in_a_test(data_copy, classifier, tmp_path):
    path = spoil(data_copy, 'cls', 'val')
    for num_workers in (0, 2):
        with pytest.raises(DataError, match=rf'{path}: LoadImageFromFile failed'):
            tiny.run('test', *classifier, '--work-dir', tmp_path / 'test',
                     options=[f'test_dataloader.dataset.data_root={data_copy}/imagenet',
                              f'test_dataloader.num_workers={num_workers}'])


def test_a_test_of_other_classes_than_the_checkpoint(data_copy, classifier, tmp_path):
    for part in ('train', 'val'):
        (data_copy / 'imagenet' / part / 'green').rename(data_copy / 'imagenet' / part / 'violet')
    with pytest.raises(DataError, match=r"test_dataloader.dataset: its classes are not those of .*epoch_1.pth: it "
                       r"alone has \['violet'\], and the other alone \['green'\]"):
        tiny.run('test', *classifier, '--work-dir', tmp_path / 'test',
                 options=[f'test_dataloader.dataset.data_root={data_copy}/imagenet'])


def refuse(config, tmp_path, message, *options):
    with pytest.raises(DataError, match=message):
        tiny.run('train', config, '--work-dir', tmp_path / 'refused', options=options)
    assert not list((tmp_path / 'refused').glob('*.pth'))


@pytest.mark.parametrize('kind, option', [
    ('cls', 'model.head.num_classes=4'), ('cls', 'model.data_preprocessor.num_classes=2'),
    ('det', 'model.bbox_head.num_classes=2')])
def test_a_head_of_another_number_in_a_retraining(data, tmp_path, kind, option):
    field, number = option.split('=')
    refuse(retrain_config(data, tmp_path, kind), tmp_path,
           rf"^train_dataloader.dataset: has 3 classes \(\['blue', 'green', 'red'\]\), but {field}={number}; they must",
           option)


@pytest.mark.parametrize('task, option', [
    ('cls', 'head.num_classes=2'), ('cls', 'data_preprocessor.num_classes=4'), ('det', 'bbox_head.num_classes=4')])
def test_a_head_of_another_number_in_a_search(data, tmp_path, task, option):
    field = f'model.tasks.{task}.model.{option}'
    refuse(search_config(data, tmp_path), tmp_path,
           rf'^train_dataloader.{task}.dataset: has 3 classes \(.*, but {field}; they must be the same', field)


def test_validation_classes(data_copy, tmp_path):
    (data_copy / 'imagenet' / 'val' / 'blue').rename(data_copy / 'imagenet' / 'val' / 'navy')
    names = r"it alone has \['navy'\], and the other alone \['blue'\]"
    refuse(retrain_config(data_copy, tmp_path, 'cls'), tmp_path,
           f'^val_dataloader.dataset: its classes are not those of train_dataloader.dataset: {names}')
    refuse(search_config(data_copy, tmp_path), tmp_path,
           f'^val_dataloader.cls.dataset: its classes are not those of train_dataloader.cls.dataset: {names}')
    # names in the config hide it from mmpretrain, which numbers folders by their order
    named = [f'{part}_dataloader.dataset.metainfo.classes=[a,b,c]' for part in ('train', 'val')]
    refuse(retrain_config(data_copy, tmp_path, 'cls'), tmp_path,
           f'^val_dataloader.dataset: its class folders are not those of train_dataloader.dataset: {names}', *named)


def test_labels_of_a_list_without_class_names(data_copy, tmp_path):
    (data_copy / 'imagenet' / 'list.txt').write_text('red/red0.png 0\nred/red1.png 3\n')
    refuse(retrain_config(data_copy, tmp_path, 'cls'), tmp_path,
           r'^train_dataloader.dataset: has labels up to 3, but model.\w+.num_classes=3; labels must be smaller',
           'train_dataloader.dataset.ann_file=list.txt')


def test_where_classes_are_counted():
    """In heads and their losses at any depth; not in what knows no classes."""
    def module(number, **children):
        actual = nn.Module()
        actual.num_classes = number
        for name, child in children.items():
            actual.add_module(name, child)
        return actual

    model = module(None, backbone=module(1000, inner=module(1000)), rpn_head=module(1, stages=module(1)),
                   roi_head=module(None, bbox_head=nn.ModuleList([module(3), module(4, loss=module(5))])))
    assert class_numbers(model) == {
        'roi_head.bbox_head.0': 3, 'roi_head.bbox_head.1': 4, 'roi_head.bbox_head.1.loss': 5}


def test_difference():
    assert difference('abc', 'abd') == "it alone has ['c'], and the other alone ['d']"
    assert difference('abcd', 'abdc') == \
        "the same names in another order: from place 2 on ['c', 'd'], there ['d', 'c']"


def test_fewer_images_than_a_batch(data_copy, tmp_path):
    """A search fills the batch and says so; a retraining has a short batch, or with drop_last none."""
    work = tmp_path / 'work'
    tiny.run('train', search_config(data_copy, tmp_path, ('cls', )), '--work-dir', work,
             options=['train_dataloader.cls.batch_size=8'])
    assert tiny.log_text(work).count(
        'train_dataloader.cls.batch_size=8: 8 examples over all processes, but the part for its weights has 6: ') == 1
    refuse(retrain_config(data_copy, tmp_path, 'cls'), tmp_path,
           r'^train_dataloader.batch_size=16: the dataset has 12 examples, so that with drop_last=True there is no',
           'train_dataloader.batch_size=16', 'train_dataloader.drop_last=True')


def test_too_few_images_for_halves_or_a_transfer(data_copy, tmp_path):
    config = search_config(data_copy, tmp_path)
    refuse(config, tmp_path, '^model.transfer.num_examples=8 takes 4 images of each task, but '
           'train_dataloader.det.dataset has 2 in the part', 'model.transfer.num_examples=8')
    refuse(config, tmp_path, r'^train_dataloader.det.dataset: has 1 example; the parts that train weights and',
           'train_dataloader.det.dataset.indices=1')
    refuse(config, tmp_path, r'^val_dataloader.det.dataset: .* has no usable image',
           'val_dataloader.det.dataset.indices=0')


def add_faults(root):
    """To a COCO file: a box of no width, and an image without a box."""
    for part in ('train', 'val'):
        path = tiny.annotation_file(root, part)
        content = json.loads(path.read_text())
        content['annotations'] = [a for a in content['annotations'] if a['image_id'] != 2]
        content['annotations'].append(dict(id=99, image_id=1, category_id=1, bbox=[1, 1, 0, 5], area=0, iscrowd=0))
        path.write_text(json.dumps(content))
    (root / 'imagenet' / 'train' / 'red' / 'red0.txt').write_text('x')


DROPPED = ("dataset.ann_file: '{root}/coco/annotations/instances_{part}2017.json': 1 box in 1 image left out, narrower "
           "than a pixel or of area 0: annotations [99], images ['0.png']")
EMPTY = "{root}/coco/annotations/instances_{part}2017.json': 1 image without a box kept, as background: ['1.png']"
OTHER = "dataset.data_prefix: '{root}/imagenet/train': 1 file left out, not of the endings .bmp, .jpeg"


def test_what_is_left_out_is_logged_once_in_a_search(data_copy, tmp_path):
    """Over two epochs with workers, and two validations."""
    add_faults(data_copy)
    work = tmp_path / 'work'
    tiny.run('train', search_config(data_copy, tmp_path), '--work-dir', work, options=[
        'train_cfg.max_epochs=2', 'train_dataloader.det.num_workers=2'])
    log = tiny.log_text(work)
    for line in (*('_dataloader.det.'.join((part, DROPPED)) for part in ('train', 'val')), EMPTY,
                 'train_dataloader.cls.' + OTHER):
        for part in ('train', 'val') if line is EMPTY else (line.partition('_')[0], ):
            assert log.count(line.format(root=data_copy, part=part)) == 1, line


def test_what_is_left_out_is_logged_once_in_a_retraining_and_a_test(data_copy, tmp_path):
    add_faults(data_copy)
    config, work = retrain_config(data_copy, tmp_path, 'det', epochs=2), tmp_path / 'work'
    tiny.run('train', config, '--work-dir', work)
    for part in ('train', 'val'):
        assert tiny.log_text(work).count(f'{part}_dataloader.' + DROPPED.format(root=data_copy, part=part)) == 1
    shutil.copy(work / 'epoch_2.pth', tmp_path)
    tiny.run('test', config, tmp_path / 'epoch_2.pth', '--work-dir', tmp_path / 'test')
    assert tiny.log_text(tmp_path / 'test').count('test_dataloader.' + DROPPED.format(root=data_copy, part='val')) == 1


def test_what_is_left_out_is_logged_by_one_of_two_processes(data_copy, tmp_path):
    add_faults(data_copy)
    for name, config, field in (('search', search_config(data_copy, tmp_path, ('det', )), 'train_dataloader.det.'),
                                ('retrain', retrain_config(data_copy, tmp_path, 'det'), 'train_dataloader.')):
        ranks.run(2, tmp_path / name, tiny.run, 'train', config, '--work-dir', tmp_path / name, '--launcher', 'pytorch')
        line = field + DROPPED.format(root=data_copy, part='train')
        assert [ranks.output(tmp_path / name, rank).count(line) for rank in range(2)] == [1, 0]
        assert tiny.log_text(tmp_path / name).count(line) == 1
