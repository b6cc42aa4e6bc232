"""Non-maximum suppression as one operator of a graph, with a batch and with classes."""
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import nms


@torch.library.custom_op('imtnas_mm::kept_by_nms', mutates_args=())
def kept_by_nms(boxes: Tensor, scores: Tensor, labels: Tensor, num_classes: int, iou_threshold: float) -> Tensor:
    """Which boxes greedy non-maximum suppression keeps, in each image and each class by itself.

    From the highest score on, a box is kept unless its IoU with a kept box of
    its class is above the threshold.

    Args:
        boxes (Tensor): [N, M, 4], as x1, y1, x2, y2.
        scores (Tensor): [N, M]; no box with a score of 0 or less is kept.
        labels (Tensor): [N, M], whole numbers below ``num_classes``.
        num_classes (int): the number of classes.
        iou_threshold (float): from 0 to 1.

    Returns:
        Tensor: [N, M], boolean.
    """
    kept = torch.zeros_like(scores, dtype=torch.bool)
    for i in range(len(boxes)):
        for label in labels[i][scores[i] > 0].unique():
            of_class = ((labels[i] == label) & (scores[i] > 0)).nonzero().squeeze(1)
            kept[i, of_class[nms(boxes[i, of_class], scores[i, of_class], iou_threshold)]] = True
    return kept


@kept_by_nms.register_fake
def _(boxes: Tensor, scores: Tensor, labels: Tensor, num_classes: int, iou_threshold: float) -> Tensor:
    return torch.empty_like(scores, dtype=torch.bool)


def onnx_kept_by_nms(boxes: Any, scores: Any, labels: Any, num_classes: int, iou_threshold: float) -> Any:
    """The operator in ONNX, for the translation table of torch.onnx: its NonMaxSuppression [N, M, 4], [N, C, M]."""
    from onnxscript import opset18
    op: Any = opset18  # its types know no results of its own operators
    classes = op.Constant(value_ints=list(range(num_classes)))
    of_class = op.Equal(op.Unsqueeze(labels, op.Constant(value_ints=[1])),
                        op.Unsqueeze(classes, op.Constant(value_ints=[0, 2])))
    by_class = op.Where(of_class, op.Unsqueeze(scores, op.Constant(value_ints=[1])), op.Constant(value_float=0.))
    number = op.Shape(scores, start=1, end=2)
    selected = op.NonMaxSuppression(
        boxes, by_class, number, op.Constant(value_floats=[iou_threshold]), op.Constant(value_floats=[0.]))
    places = op.Gather(selected, op.Constant(value_ints=[0, 2]), axis=1)  # of image, class, box
    ones = op.Expand(op.Constant(value_float=1.), op.Shape(places, start=0, end=1))
    zeros = op.Expand(op.Constant(value_float=0.), op.Shape(scores))
    return op.Cast(op.ScatterND(zeros, places, ones), to=9)  # 9: a boolean
