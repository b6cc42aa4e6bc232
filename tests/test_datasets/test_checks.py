import json

import pytest
from mmengine.registry import DefaultScope

from imtnas_mm.datasets import DataError, build_dataset
from imtnas_mm.datasets.checks import check_class_folders, load_coco

FIELD = 'train_dataloader.det.dataset'


def coco():
    return dict(
        images=[dict(id=1, file_name='1.png', height=10, width=20), dict(id=2, file_name='2.png', height=10, width=20)],
        annotations=[dict(id=1, image_id=1, category_id=7, bbox=[1, 2, 3, 4], area=12, iscrowd=0)],
        categories=[dict(id=7, name='cat'), dict(id=9, name='dog')])


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'images').mkdir()
    for name in '12':
        (tmp_path / 'images' / f'{name}.png').write_bytes(b'x')
    (tmp_path / 'boxes.json').write_text(json.dumps(coco()))
    return tmp_path


def detection(root, **change):
    return {
        **dict(
            type='CocoDataset',
            data_root=str(root),
            ann_file='boxes.json',
            data_prefix=dict(img='images/'),
            metainfo=dict(classes=('cat', 'dog')),
            filter_cfg=dict(filter_empty_gt=True),
            pipeline=[dict(type='LoadAnnotations', with_bbox=True)]),
        **change
    }


def test_builds_in_the_given_scope(root):
    before = DefaultScope.get_current_instance()
    dataset = build_dataset(detection(root), 'mmdet')
    assert type(dataset).__module__ == 'mmdet.datasets.coco'
    # LoadAnnotations exists in mmcv, mmdet and others: the children are of the scope, too
    assert type(dataset.pipeline.transforms[0]).__module__.startswith('mmdet.')
    assert DefaultScope.get_current_instance() is before
    assert len(dataset) == 1  # the image without a box is filtered out
    assert dataset[0]['gt_bboxes'].tensor.tolist() == [[1., 2., 4., 6.]]


def test_missing_root(tmp_path):
    with pytest.raises(DataError, match=rf"^{FIELD}.data_root: '{tmp_path}/no' is not a folder; expected annotations/"):
        build_dataset(detection(tmp_path / 'no'), 'mmdet', FIELD)
    with pytest.raises(DataError, match='data_root.*train/<class>'):
        build_dataset(dict(type='ImageNet', data_root=str(tmp_path / 'no'), split='train'), 'mmpretrain', FIELD)


def test_wrappers_are_looked_through(tmp_path):
    cfg = dict(type='RepeatDataset', times=2, dataset=detection(tmp_path / 'no'))
    with pytest.raises(DataError, match=rf'^{FIELD}.dataset.data_root'):
        build_dataset(cfg, 'mmdet', FIELD)
    cfg = dict(type='ConcatDataset', datasets=[detection(tmp_path / 'no')])
    with pytest.raises(DataError, match=rf'^{FIELD}.datasets\[0\].data_root'):
        build_dataset(cfg, 'mmdet', FIELD)


@pytest.mark.parametrize(('change', 'match'), [
    (dict(ann_file='no.json'), r"\.ann_file: '.*no.json' is not a file"),
    (dict(ann_file=''), r'\.ann_file: missing'),
    (dict(data_prefix=dict(img='elsewhere/')), r'\.data_prefix.img: 2 of the 2 images of .*boxes.json. are not in'),
    (dict(metainfo=dict(classes=('cat', 'mouse'))),
     r"\.metainfo.classes: \['mouse'\] of 2 class names .*boxes.json', whose categories are \['cat', 'dog'\]"),
    (dict(metainfo={}), r'of 80 class names'),  # CocoDataset's own
    (dict(metainfo=dict(classes=('dog', 'cat'))), r'another order'),
    (dict(filter_cfg=dict(filter_empty_gt=True, min_size=99)), r'no usable image.*min_size'),
])
def test_bad_config(root, change, match):
    with pytest.raises(DataError, match=f'{FIELD}.*{match}'):
        build_dataset(detection(root, **change), 'mmdet', FIELD)


def without(key):
    content = coco()
    del content[key]
    return json.dumps(content)


def changed(key, **change):
    content = coco()
    content[key][0].update(change)
    content[key][0] = {k: v for k, v in content[key][0].items() if v is not None}
    return json.dumps(content)


@pytest.mark.parametrize(('text', 'match'), [
    ('', r'empty \(0 bytes\)'),
    ('{"images": [', 'is not JSON.*line 1 column'),
    ('[1]', 'holds a list'),
    (without('images'), "has no 'images'"),
    (without('annotations'), "has no 'annotations'"),
    (without('categories'), "has no 'categories'"),
    (json.dumps({**coco(), 'images': []}), "'images' must be a list with one entry or more, got an empty list"),
    (json.dumps({**coco(), 'annotations': {}}), 'got dict'),
    (changed('annotations', bbox=None), r"annotations\[0\] lacks \['bbox'\]"),
    (changed('annotations', bbox=[1, 2, 3]), r'annotations\[0\].bbox is \[1, 2, 3\]'),
    (changed('images', height=None), r"images\[0\] lacks \['height'\]"),
    (json.dumps({**coco(), 'categories': ['cat']}), r"categories\[0\] lacks \['id', 'name'\]"),
])
def test_bad_annotation_file(root, text, match):
    (root / 'boxes.json').write_text(text)
    with pytest.raises(DataError, match=rf"{FIELD}.ann_file: '{root}/boxes.json'.*{match}"):
        build_dataset(detection(root), 'mmdet', FIELD)
    with pytest.raises(DataError, match=match):
        load_coco(str(root / 'boxes.json'), 'ann_file')


def folders(root, **images):
    for name, count in images.items():
        (root / 'train' / name).mkdir(parents=True)
        for i in range(count):
            (root / 'train' / name / f'{i}.PNG').write_bytes(b'x')
    return str(root)


def test_class_folders(tmp_path):
    root = folders(tmp_path, ant=2, bee=1)
    cfg = dict(type='CustomDataset', data_root=root, data_prefix='train')
    dataset = build_dataset(cfg, 'mmpretrain')
    assert dataset.metainfo['classes'] == ('ant', 'bee')
    assert dataset.get_gt_labels().tolist() == [0, 0, 1]
    with pytest.raises(DataError, match=r"data_prefix: .*2 class folders \(\['ant', 'bee'\]\).*1000 classes"):
        build_dataset(dict(type='ImageNet', data_root=root, split='train'), 'mmpretrain')
    with pytest.raises(DataError, match='3 classes'):
        build_dataset(dict(cfg, metainfo=dict(classes='abc')) | dict(classes=['a', 'b', 'c']), 'mmpretrain')
    with pytest.raises(DataError, match="data_prefix: '.*/val' is not a folder"):
        build_dataset(dict(cfg, data_prefix='val'), 'mmpretrain')


def test_class_folder_without_images(tmp_path):
    root = folders(tmp_path, ant=2, bee=0)
    with pytest.raises(DataError, match=r"data_prefix: '.*/train/bee' has no image \(\.jpeg, \.png\)"):
        check_class_folders(f'{root}/train', None, ('.png', '.JPEG'), 'data_prefix')
    with pytest.raises(DataError, match='has no folders'):
        check_class_folders(f'{root}/train/ant', None, ('.png', ), 'data_prefix')


def test_unknown_scope(root):
    with pytest.raises(DataError, match="scope 'mmdetect'"):
        build_dataset(detection(root), 'mmdetect')


def test_missing_type(root):
    cfg = detection(root)
    del cfg['type']
    with pytest.raises(DataError, match=rf'{FIELD}.type: missing'):
        build_dataset(cfg, 'mmdet', FIELD)
