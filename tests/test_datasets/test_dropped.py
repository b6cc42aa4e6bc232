"""Boxes and images that mmdet leaves out, and files that mmpretrain leaves out, are counted and named."""
import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.tiny_run import scope_put_back  # noqa: F401
from imtnas_mm.datasets import DataError, build_dataset, check_dataset

FIELD = 'train_dataloader.det.dataset'
SIZE = 32
BOXES = {  # by image: [box, category, other fields]
    'good': [([2, 2, 9, 9], 1, {}), ([20, 20, 30, 30], 2, {})],  # the second partly outside
    'bad': [([2, 2, 0, 9], 1, {}), ([2, 2, .5, 9], 1, {}), ([40, 2, 9, 9], 1, {}), ([-9, 2, 9, 9], 1, {}),
            ([2, 2, 9, 9], 1, dict(area=0)), ([2, 2, 9, 9], 1, {}), ([2, 2, 9, 9], 1, dict(ignore=1))],
    'other': [([2, 2, 9, 9], 3, {})],  # of a category that isn't in classes
    'crowd': [([2, 2, 9, 9], 1, dict(iscrowd=1)), ([2, 2, 5, 5], 1, {})],
    'none': [],
    'small': [([1, 1, 4, 4], 1, {})],
    'wrong': [([2, 2, 0, 0], 1, {})],
}


def write(root, boxes=BOXES):
    images, annotations = [], []
    (root / 'images').mkdir(exist_ok=True)
    for i, (name, actual) in enumerate(boxes.items()):
        size = 8 if name == 'small' else SIZE
        images.append(dict(id=10 + i, file_name=f'{name}.png', height=size, width=size))
        cv2.imwrite(str(root / 'images' / f'{name}.png'), np.zeros((size, size, 3), np.uint8))
        for box, category, fields in actual:
            annotations.append(dict(dict(id=len(annotations), image_id=10 + i, category_id=category, bbox=box,
                                         area=box[2] * box[3], iscrowd=0), **fields))
    categories = [dict(id=k, name=name) for k, name in ((1, 'cat'), (2, 'dog'), (3, 'cow'))]
    (root / 'boxes.json').write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return root


def config(root, **change):
    return dict(dict(type='CocoDataset', data_root=str(root), ann_file='boxes.json', data_prefix=dict(img='images/'),
                     metainfo=dict(classes=('cat', 'dog')), pipeline=[dict(type='LoadImageFromFile')]), **change)


def lines(root, **change):
    start = f"{FIELD}.ann_file: '{root}/boxes.json': "
    actual = check_dataset(config(root, **change), 'mmdet', FIELD)
    assert all(line.startswith(start) for line in actual)
    return [line[len(start):] for line in actual]


BOX_LINES = [
    "1 box in 1 image left out, marked 'ignore': annotations [8], images ['bad.png']",
    "4 boxes in 2 images left out, narrower than a pixel or of area 0: annotations [2, 3, 6, 13], "
    "images ['bad.png', 'wrong.png']",
    "1 box in 1 image left out, of a category that is not in metainfo.classes: annotations [9], images ['other.png']",
    "2 boxes in 1 image left out, wholly outside the image: annotations [4, 5], images ['bad.png']",
    "1 box in 1 image of iscrowd=1, not trained on: annotations [10], images ['crowd.png']",
]


def test_boxes_and_images(tmp_path):
    write(tmp_path)
    assert sorted(lines(tmp_path)) == sorted(
        [*BOX_LINES, "3 images without a box kept, as background: ['other.png', 'none.png', 'wrong.png']"])
    filtered = lines(tmp_path, filter_cfg=dict(filter_empty_gt=True, min_size=16))
    assert sorted(filtered) == sorted([
        *BOX_LINES, "1 image left out, smaller than filter_cfg.min_size=16: ['small.png']",
        "2 images left out, without a box of the classes (filter_cfg.filter_empty_gt=True): ['other.png', 'none.png']",
        "1 image without a box kept, as background: ['wrong.png']"])
    tested = lines(tmp_path, filter_cfg=dict(filter_empty_gt=True, min_size=16), test_mode=True)
    assert not any('filter_cfg' in line for line in tested)  # mmdet tests on all images


def test_a_clean_file_has_no_line(tmp_path):
    assert lines(write(tmp_path, dict(good=BOXES['good']))) == []


@pytest.mark.parametrize('scope', ['mmdet', 'mmpretrain'])
def test_scope_of_an_inherited_config(tmp_path, scope):
    """What mmdet's own configs carry after inheritance; a dataset's own scope goes before the run's."""
    write(tmp_path)
    assert check_dataset(config(tmp_path, _scope_='mmdet'), scope, FIELD) == check_dataset(
        config(tmp_path), 'mmdet', FIELD)
    wrapped = dict(type='RepeatDataset', times=1, dataset=config(tmp_path, _scope_='mmdet'))
    assert len(check_dataset(wrapped, scope, FIELD)) == len(BOX_LINES) + 1


def test_long_lists_are_cut(tmp_path):
    actual = lines(write(tmp_path, {f'i{k}': BOXES['other'] for k in range(20)} | dict(good=BOXES['good'])))
    assert actual[0].startswith('20 boxes in 20 images left out, of a category')
    assert 'annotations [0, 1, 2, 3, 4] and 15 more, images' in actual[0] and "'i4.png'] and 15 more" in actual[0]


def test_wrappers_and_other_rules(tmp_path):
    """A subclass with rules of its own: the count is of what it does, not of what mmdet's class does."""
    from mmdet.datasets import CocoDataset

    class Few(CocoDataset):

        def parse_data_info(self, raw):
            info = super().parse_data_info(raw)
            info['instances'] = [instance for instance in info['instances'] if instance['bbox_label'] == 0]
            return info

        def filter_data(self):
            return self.data_list[1:]

    write(tmp_path, dict(good=BOXES['good'], second=BOXES['good']))
    actual = check_dataset(dict(type='RepeatDataset', times=2, dataset=config(tmp_path, type=Few)), 'mmdet', FIELD)
    assert [line.partition("json': ")[2] for line in actual] == [
        "2 boxes in 2 images left out, by other rules of the dataset class: annotations [1, 3], "
        "images ['good.png', 'second.png']",
        "1 image left out, by other rules of the dataset class: ['good.png']"]
    assert actual[0].startswith(f'{FIELD}.dataset.ann_file')


edges = st.sampled_from([-40, -9, -1, 0, .5, 1, 9, 31.5, 32, 50])
sides = st.sampled_from([0, .3, 1, 5, 33, 90])
a_box = st.tuples(st.tuples(edges, edges, sides, sides), st.integers(1, 3),
                  st.sampled_from([{}, {}, dict(area=0), dict(iscrowd=1), dict(ignore=1)]))


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    return write(tmp_path_factory.mktemp('images'), {f'i{k}': [] for k in range(3)} | dict(good=BOXES['good']))


@given(boxes=st.lists(st.lists(a_box, max_size=4), min_size=3, max_size=3))
@settings(max_examples=60)
def test_counts_are_those_of_the_dataset_built(images, boxes):
    """Boxes in the file = boxes of the dataset + boxes in the lines, and so for crowds and images."""
    write(images, {f'i{k}': [(list(box), category, more) for box, category, more in actual]
                   for k, actual in enumerate(boxes)} | dict(good=BOXES['good']))
    cfg = config(images, filter_cfg=dict(filter_empty_gt=True))
    dataset = build_dataset(cfg, 'mmdet', FIELD)
    actual = [line.partition("json': ")[2] for line in check_dataset(cfg, 'mmdet', FIELD)]
    instances = [instance for i in range(len(dataset)) for instance in dataset.get_data_info(i)['instances']]

    def count(word, after):
        return sum(int(line.split()[0]) for line in actual
                   if line.split()[1].startswith(word) and after in line and 'other rules' not in line)

    assert count('box', 'left out') == sum(map(len, boxes)) + 2 - len(instances)
    assert count('box', 'iscrowd') == sum(instance['ignore_flag'] for instance in instances)
    assert count('image', 'left out') == 4 - len(dataset)
    assert count('image', 'kept') == sum(not dataset.get_data_info(i)['instances'] for i in range(len(dataset)))


def test_building_logs_it(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('imtnas_mm.datasets.build.print_log', lambda text, *_: said.append(text))
    build_dataset(config(write(tmp_path)), 'mmdet', FIELD)
    assert len(said) == 6 and all(sum(line in text for text in said) == 1 for line in BOX_LINES)


def test_other_ranks_count_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr('imtnas_mm.datasets.build.is_main_process', lambda: False)
    assert lines(write(tmp_path)) == []


def test_files_that_are_no_images(tmp_path):
    for name in ('ant/0.png', 'ant/1.PNG', 'ant/more/2.jpg', 'ant/notes.txt', 'ant/more/3.webp', 'ant/.hidden.png',
                 'ant/.cache/4.png', 'bee/0.png', 'stray.png'):
        path = tmp_path / 'train' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'x')
    cfg = dict(type='CustomDataset', data_root=str(tmp_path), data_prefix='train')
    actual = check_dataset(cfg, 'mmpretrain', FIELD)
    start = f"{FIELD}.data_prefix: '{tmp_path}/train': "
    assert actual == [
        f"{start}1 file left out, outside the class folders: ['stray.png']",
        f"{start}1 file left out, hidden: ['ant/.hidden.png']",
        f"{start}2 files left out, not of the endings .bmp, .jpeg, .jpg, .pgm, .png, .ppm, .tif: "
        "['ant/notes.txt', 'ant/more/3.webp']"]
    assert len(build_dataset(cfg, 'mmpretrain', FIELD)) == 9 - 4
    (tmp_path / 'train' / '.ipynb_checkpoints').mkdir()
    with pytest.raises(DataError, match=r"train' has the hidden folders \['.ipynb_checkpoints'\], which mmpretrain"):
        check_dataset(cfg, 'mmpretrain', FIELD)
