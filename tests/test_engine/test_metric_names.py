"""The names of metrics that are known beforehand are those that the metrics return."""
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmpretrain.evaluation import Accuracy, ConfusionMatrix, SingleLabelMetric
from mmpretrain.structures import DataSample

from helpers import tiny_run as tiny
from imtnas_mm.engine.metric_names import metric_names


def sample(label):
    return DataSample().set_gt_label(label).set_pred_score(torch.tensor([.2, .5, .3])).to_dict()


@pytest.mark.parametrize('metric', [
    Accuracy(topk=(1, 2)), Accuracy(topk=(1, ), thrs=(None, .25)), Accuracy(prefix='mine'),
    SingleLabelMetric(), SingleLabelMetric(items=('recall', 'support'), thrs=(0., .5), average=None),
    SingleLabelMetric(average='micro')], ids=lambda metric: str(vars(metric))[:60])
def test_of_classifiers(metric):
    metric.process({}, [sample(1), sample(2)])
    assert metric_names(Evaluator(metric)) == set(metric.evaluate(2))


@pytest.mark.parametrize('options', [
    dict(metric='bbox'), dict(metric='bbox', classwise=True, metric_items=['mAP', 'mAP_50']),
    dict(metric='proposal_fast', proposal_nums=(5, 10))], ids=str)
def test_of_coco(data, options):
    metric = CocoMetric(ann_file=str(tiny.annotation_file(data, 'val')), **options)
    metric.dataset_meta = dict(classes=tiny.CLASSES)
    boxes = dict(bboxes=torch.tensor([[1., 1., 9., 9.]]), scores=torch.tensor([.5]), labels=torch.tensor([0]))
    metric.process({}, [dict(DetDataSample(metainfo=dict(img_id=i, ori_shape=(32, 32))).to_dict(), img_id=i,
                             ori_shape=(32, 32), pred_instances=boxes) for i in (1, 2, 3, 4)])
    assert metric_names(Evaluator(metric)) == set(metric.evaluate(4))


def test_by_task_and_unknown():
    class Replaced(Accuracy):

        def compute_metrics(self, results):
            return dict(mine=0.)

    known = Evaluator(Accuracy())
    assert metric_names(dict(a=known, b=known)) == {'a/accuracy/top1', 'b/accuracy/top1'}
    for metric in (ConfusionMatrix(), Replaced()):
        assert metric_names(Evaluator([Accuracy(), metric])) is None
        assert metric_names(dict(a=known, b=Evaluator(metric))) is None
