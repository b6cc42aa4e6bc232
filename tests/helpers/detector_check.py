"""Checks that a derived network works as the backbone of a detector."""
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData


def check_trains_and_predicts(model, height, width):
    """Losses reach every parameter of the backbone, and an image gives boxes."""
    sample = DetDataSample(
        gt_instances=InstanceData(bboxes=torch.tensor([[4., 4., 50., 50.]]), labels=torch.tensor([2])),
        metainfo=dict(img_shape=(height, width), ori_shape=(height, width), pad_shape=(height, width),
                      scale_factor=(1., 1.)))
    losses = model.loss(torch.randn(1, 3, height, width), [sample])
    assert set(losses) == {'loss_cls', 'loss_bbox'}
    sum(sum(loss) for loss in losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.backbone.parameters())
    boxes = model.eval().predict(torch.randn(1, 3, height, width), [sample])[0].pred_instances
    assert boxes.bboxes.shape[1] == 4
