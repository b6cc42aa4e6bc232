"""``task_data`` becomes the dataloaders and metrics that a user would write."""
import pytest
from mmengine.config import Config

from imtnas_mm.config.task_data import expand_task_data

ENTRY = dict(data_root='here', image_size=56, batch_size=3)
SCOPES = dict(cls='mmpretrain', det='mmdet')


def expanded(scopes, search=False, **fields):
    cfg = Config(fields)
    expand_task_data(cfg, scopes, search)
    return cfg


def types(loader):
    return [step['type'] for step in loader['dataset']['pipeline']]


def test_a_classifier():
    cfg = expanded({'': 'mmpretrain'}, task_data=dict(birds=ENTRY, det=ENTRY), data_task='birds')
    assert 'task_data' not in cfg and 'data_task' not in cfg
    train, val = cfg.train_dataloader, cfg.val_dataloader
    assert types(train) == ['LoadImageFromFile', 'RandomResizedCrop', 'RandomFlip', 'PackInputs']
    assert types(val) == ['LoadImageFromFile', 'ResizeEdge', 'CenterCrop', 'PackInputs']
    crop, resize, centre = train.dataset.pipeline[1], *val.dataset.pipeline[1:3]
    assert (crop.scale, resize.scale, centre.crop_size) == (56, 64, 56)  # 224 of 256
    data = {name: value for name, value in train.dataset.items() if name != 'pipeline'}
    assert data == dict(type='CustomDataset', data_root='here', metainfo=dict(classes=None), data_prefix='train')
    assert val.dataset.data_prefix == 'val' and val == cfg.test_dataloader
    assert (train.batch_size, train.num_workers, train.sampler.shuffle, val.sampler.shuffle) == (3, 2, True, False)
    assert cfg.val_evaluator == cfg.test_evaluator == dict(type='Accuracy', topk=(1, ))


def test_a_detector():
    """Its files are named once: the metric reads that of the test data."""
    entry = dict(
        ENTRY, val=dict(ann_file='v.json', data_prefix=dict(img='v/')), classes=('a', 'b'), image_size=(80, 60),
        flip=.1, num_workers=0, test=dict(ann_file='t.json', data_prefix=dict(img='t/')))
    cfg = expanded({'': 'mmdet'}, task_data=dict(det=entry), data_task='det')
    train = cfg.train_dataloader
    assert train.dataset.ann_file == 'annotations/instances_train2017.json'
    assert train.dataset.data_prefix == dict(img='train2017/') and train.dataset.metainfo.classes == ('a', 'b')
    assert types(train) == ['LoadImageFromFile', 'LoadAnnotations', 'Resize', 'RandomFlip', 'PackDetInputs']
    assert (train.dataset.pipeline[2].scale, train.dataset.pipeline[3].prob) == ((80, 60), .1)
    assert not train.persistent_workers and 'collate_fn' not in train
    for part, name in dict(val='v', test='t').items():
        data = cfg[f'{part}_dataloader'].dataset
        assert (data.ann_file, data.data_prefix, data.test_mode) == (f'{name}.json', dict(img=f'{name}/'), True)
        assert cfg[f'{part}_evaluator'] == dict(type='CocoMetric', metric='bbox', ann_file=f'here/{name}.json')


@pytest.mark.parametrize('fields, expected', [
    (dict(data_root='there'), 'there/t.json'), (dict(ann_file='/far/t.json'), '/far/t.json'),
    (dict(ann_file='s3://far/t.json'), 's3://far/t.json'), (dict(data_root=''), 't.json')])
def test_the_metric_reads_the_file_of_the_dataset(fields, expected):
    entry = dict(ENTRY, classes=('a', ), image_size=(80, 60), test=dict(dict(ann_file='t.json'), **fields))
    cfg = expanded({'': 'mmdet'}, task_data=dict(det=entry), data_task='det')
    assert cfg.test_evaluator.ann_file == expected
    assert cfg.test_dataloader.dataset.data_root == fields.get('data_root', 'here')


def test_a_search_is_validated_on_its_training_data():
    cfg = expanded(SCOPES, True, task_data=dict(cls=ENTRY, det=ENTRY))
    assert list(cfg.train_dataloader) == list(cfg.test_evaluator) == ['cls', 'det']
    assert 'sampler' not in cfg.train_dataloader.det  # a search draws its batches itself
    for task in SCOPES:
        assert set(cfg.val_dataloader[task].dataset) == {'type', 'pipeline'}
        assert cfg.val_dataloader[task].dataset.type == 'imtnas_mm.ValidationPart'
    assert 'instances' in cfg.val_dataloader.det.dataset.pipeline[-1].meta_keys
    assert 'instances' not in cfg.test_dataloader.det.dataset.pipeline[-1].meta_keys
    assert 'ann_file' not in cfg.val_evaluator.det
    assert cfg.test_evaluator.det.ann_file == 'here/annotations/instances_val2017.json'
    assert cfg.test_dataloader.cls.sampler == dict(type='DefaultSampler', shuffle=True, seed=0)


def test_other_fields_of_the_config_come_first():
    loader = dict(batch_size=5, dataset=dict(pipeline=[dict(type='PackInputs')]))
    cfg = expanded(SCOPES, task_data=dict(cls=ENTRY, det=ENTRY), train_dataloader=dict(cls=loader),
                   val_evaluator=dict(cls=dict(topk=(1, 5))))
    assert types(cfg.train_dataloader.cls) == ['PackInputs']
    assert (cfg.train_dataloader.cls.batch_size, cfg.train_dataloader.det.batch_size) == (5, 3)
    assert cfg.train_dataloader.cls.dataset.data_root == 'here'
    assert cfg.val_evaluator.cls == dict(type='Accuracy', topk=(1, 5))


def test_another_dataset_brings_its_metric():
    voc = dict(type='VOCDataset', data_prefix=dict(sub_data_root='VOC2012/'))
    cfg = expanded({'': 'mmdet'}, task_data=dict(det=dict(ENTRY, train=voc, val=voc)), data_task='det')
    assert cfg.train_dataloader.dataset.type == 'VOCDataset'
    assert 'val_evaluator' not in cfg and 'test_evaluator' not in cfg


def test_a_config_without_it_stays_as_it_is():
    fields = dict(train_dataloader=dict(batch_size=2))
    assert expanded({'': 'mmdet'}, **fields).to_dict() == fields


@pytest.mark.parametrize('change, message', [
    (dict(image_sise=3), r'^task_data\.cls\.image_sise=3: unknown field; known are data_root, train, '),
    (dict(data_root=None), r'^task_data\.cls\.data_root=None: it must be a folder'),
    (dict(image_size=(3, 4)), r'^task_data\.cls\.image_size=\(3, 4\): it must be a number of pixels$'),
    (dict(batch_size=0), r'^task_data\.cls\.batch_size=0: it must be a whole number from 1'),
    (dict(num_workers=-1), r'^task_data\.cls\.num_workers=-1: it must be a whole number from 0'),
    (dict(flip=2), r'^task_data\.cls\.flip=2: it must be a share between 0 and 1'),
    (dict(val='val'), r"^task_data\.cls\.val='val': it must be the fields of the dataset"),
])
def test_a_wrong_entry(change, message):
    with pytest.raises(ValueError, match=message):
        expanded({'': 'mmpretrain'}, task_data=dict(cls=dict(ENTRY, **change)), data_task='cls')


@pytest.mark.parametrize('scopes, fields, message', [
    (SCOPES, dict(task_data=dict(dogs=ENTRY)), r"task_data\.dogs: there is no such task; .* has \['cls', 'det'\]"),
    ({'': 'mmdet'}, dict(task_data=dict(dogs=ENTRY), data_task='det'), r"data_task='det': must .* one of \['dogs'\]"),
    ({'': 'mmdet'}, dict(task_data=dict(dogs=ENTRY)), r"data_task=None: must be .* one of \['dogs'\]"),
    ({'': 'mmseg'}, dict(task_data=dict(a=ENTRY), data_task='a'), 'task_data.a: its task is one of mmseg; '),
    ({'': 'mmdet'}, dict(task_data=dict(a=dict(data_root='b')), data_task='a'), 'task_data.a.image_size is missing: '),
    ({'': 'mmdet'}, dict(task_data=['a'], data_task='a'), r"task_data=\['a'\]: must be a dict of one dict per task"),
])
def test_tasks_that_do_not_fit(scopes, fields, message):
    with pytest.raises(ValueError, match=message):
        expanded(scopes, **fields)


def test_a_dataset_at_the_top_of_the_config_is_refused():
    """Unless an entry has it: then it is a variable."""
    part = dict(ann_file='boxes.json')
    with pytest.raises(ValueError, match=r"train=\{'ann_file': 'boxes.json'\}: stands at the top of the config, where "
                       r"nothing reads it; .* belong into task_data.<task>.train, with tasks \['det'\]"):
        expanded({'': 'mmdet'}, task_data=dict(det=ENTRY), data_task='det', train=part)
    cfg = expanded({'': 'mmdet'}, task_data=dict(det=dict(ENTRY, train=part)), data_task='det', train=part,
                   test=dict(other=3))
    assert cfg.train_dataloader.dataset.ann_file == 'boxes.json'
