"""ValidationPart: the images of D^val and no others, by the pipeline of a test, and a detector's boxes among them."""
import json

import numpy as np
import pytest
from mmengine.registry import DATASETS, DefaultScope

from helpers import tiny_run as tiny
from helpers.tiny_run import data, quick_runs  # noqa: F401
from imtnas_mm.datasets import DataError, Split, build_dataset, check_boxes, is_validation_part, validation_part
from imtnas_mm.engine.loops.evaluation_loop import SearchValLoop
from imtnas_mm.engine.loops.task_data import TaskData

VAL = [*tiny.DET_TEST[:-1], dict(type='PackDetInputs', meta_keys=(*tiny.DET_TEST[-1]['meta_keys'], 'instances'))]


def task_data(loader, scope):
    return TaskData('task', 0, loader, scope, Split())


def part_of(data, scope='mmpretrain', **options):  # noqa: F811
    with DefaultScope.overwrite_default_scope(scope):
        return validation_part(dict(dict(pipeline=tiny.CLS), **options), data.dataset, data.val_indices, 'field')


def paths(dataset):
    return [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]


def test_it_is_the_part_on_which_the_architecture_learns(data):  # noqa: F811
    task = task_data(tiny.cls_loader(data, 'train'), 'mmpretrain')
    part = part_of(task)
    assert paths(part) == [paths(task.dataset)[i] for i in task.val_indices] and part.test_mode
    assert part.metainfo == task.dataset.metainfo and len(task.dataset) == 24 and not task.dataset.test_mode
    assert part[0]['data_samples'].img_path == paths(part)[0]
    some = part_of(task, num=5, seed=1)
    assert len(some) == 5 and set(paths(some)) < set(paths(part))
    assert paths(part_of(task, num=5, seed=1)) == paths(some) != paths(part_of(task, num=5, seed=2))
    assert paths(part_of(task, num=99)) == paths(part)


def test_of_several_datasets(data):  # noqa: F811
    """Each image of a ConcatDataset stays with its dataset."""
    loader = tiny.cls_loader(data, 'train')
    both = [dict(loader['dataset'], data_prefix=part) for part in ('train', 'val')]
    task = task_data(dict(loader, dataset=dict(type='ConcatDataset', datasets=both)), 'mmpretrain')
    part = part_of(task)
    every = [task.dataset.get_data_info(i)['img_path'] for i in range(len(task.dataset))]
    assert len(every) == 36 and len(part) == 18
    assert [part[i]['data_samples'].img_path for i in range(18)] == [every[i] for i in task.val_indices]


def test_images_of_one_id_are_refused(data, tmp_path):  # noqa: F811
    """COCO's metric would take their boxes and predictions for those of one image."""
    loaders = [tiny.det_loader(data, part) for part in ('train', 'val')]  # both files count from 1
    both = [dict(loader['dataset'], pipeline=loaders[0]['dataset']['pipeline'], test_mode=False) for loader in loaders]

    def part():
        with DefaultScope.overwrite_default_scope('mmdet'):
            return part_of(task_data(dict(loaders[0], dataset=dict(type='ConcatDataset', datasets=both)), 'mmdet'),
                           'mmdet', pipeline=VAL)

    with pytest.raises(DataError, match=r'field: the image id 1 is in datasets\[0\] and in datasets\[1\] of train'):
        part()
    content = json.loads(tiny.annotation_file(data, 'val').read_text())
    for image in content['images']:
        image['id'] += 1000
    for annotation in content['annotations']:
        annotation['image_id'] += 1000
    (tmp_path / 'other.json').write_text(json.dumps(content))
    both[1]['ann_file'] = str(tmp_path / 'other.json')
    assert len(part()) > 0


@pytest.mark.parametrize('options, message', [
    (dict(indices=3), r'field.indices=3: ValidationPart takes pipeline, num and seed; its images'),
    (dict(num=0), 'field.num=0: must be a whole number of examples from 1'),
    (dict(seed=-1), 'field.seed=-1: must be a whole number'),
])
def test_refused(data, options, message):  # noqa: F811
    with pytest.raises(DataError, match=message):
        part_of(task_data(tiny.cls_loader(data, 'train'), 'mmpretrain'), **options)
    with pytest.raises(DataError, match='field.pipeline: missing'):
        validation_part({}, None, np.arange(2), 'field')


@pytest.mark.parametrize('pipeline, metric, message', [
    (VAL, dict(type='CocoMetric', ann_file='a.json'), "evaluator.ann_file='a.json': the images of ValidationPart are"),
    (tiny.DET_TEST, [dict(type='mmdet.CocoMetric')], "field.pipeline: its PackDetInputs must have 'instances' in meta"),
])
def test_boxes_of_other_images_are_refused(pipeline, metric, message):
    with pytest.raises(DataError, match=message):
        check_boxes(dict(pipeline=pipeline), metric, 'field', 'evaluator')
    check_boxes(dict(pipeline=VAL), [dict(type='CocoMetric'), dict(type='Accuracy', ann_file='a')], 'field', '')


def test_a_test_has_no_such_part():
    assert is_validation_part(dict(type='imtnas_mm.ValidationPart')) and not is_validation_part(dict(type='ImageNet'))
    with pytest.raises(DataError, match='it belongs into val_dataloader'), DATASETS.switch_scope_and_registry('mmdet'):
        build_dataset(dict(type='imtnas_mm.ValidationPart', pipeline=[]), 'mmdet', 'test_dataloader.det.dataset')


def test_the_search_is_validated_on_it(data, tmp_path, monkeypatch):  # noqa: F811
    """Perfect predictions have full marks; the boxes are those of the images seen, not of a file."""
    fields = tiny.search_fields(data)
    fields['val_dataloader'] = tiny.replaced(
        cls=dict(tiny.cls_loader(data, 'val'), dataset=dict(type='imtnas_mm.ValidationPart', pipeline=tiny.CLS)),
        det=dict(tiny.det_loader(data, 'val'), dataset=dict(type='imtnas_mm.ValidationPart', pipeline=VAL, num=3)))
    fields['val_evaluator'] = tiny.replaced(
        cls=dict(type='Accuracy', topk=(1, 2)), det=dict(type='CocoMetric', metric='bbox'))
    runner = tiny.runner_of(tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields), tmp_path / 'work')
    runner.call_hook('before_run')
    runner._val_loop = loop = SearchValLoop(runner, runner.cfg.val_dataloader, runner.cfg.val_evaluator)
    tasks = runner.train_loop.tasks
    assert paths(loop.loaders['cls'].dataset) == [
        paths(tasks['cls'].dataset)[i] for i in tasks['cls'].val_indices]
    assert set(paths(loop.loaders['det'].dataset)) < {
        paths(tasks['det'].dataset)[i] for i in tasks['det'].val_indices}

    def network(task, round):
        def predict(batch):
            for sample in batch['data_samples']:
                if task == 'cls':
                    label = sample.gt_label.item()
                    sample.set_pred_label(label).set_pred_score(tiny.torch.eye(3)[label])
                else:
                    truth = sample.gt_instances
                    sample.pred_instances = truth.new(
                        bboxes=truth.bboxes.tensor / tiny.torch.tensor(sample.scale_factor).repeat(2),
                        labels=truth.labels, scores=tiny.torch.ones(len(truth)))
            return batch['data_samples']
        return predict

    monkeypatch.setattr(runner.model, 'search_network', network)
    metrics = loop.run()
    assert metrics['cls/accuracy/top1'] == 100 and metrics['det/coco/bbox_mAP'] == 1
