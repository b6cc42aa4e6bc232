"""The object detection task: a detector of mmdet."""
from typing import Any

import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmengine.logging import print_log

from ..compat.preprocessing import colours_kept, reverses_colours
from ..registry import MODELS
from .anchor_loss import AnchorLoss, why_not
from .base import Task
from .box_losses import unseen
from .moving import are_images, moved, stacked


@MODELS.register_module()
class DetectionTask(Task):
    """Any mmdet detector with a backbone; its names are looked up in mmdet.

    :class:`AnchorLoss` computes the targets of a ``RetinaHead`` and of other
    plain anchor heads with ``MaxIoUAssigner`` and ``PseudoSampler``. mmdet
    computes those of other heads, and the log says so.
    """
    scope = 'mmdet'

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reason = why_not(self.template)
        if reason is None:
            head = self.template.bbox_head
            head.loss_by_feat = AnchorLoss(head)
            head.loss_bbox = unseen(head.loss_bbox)
        else:
            print_log(f'{type(self.template).__name__}: mmdet computes the targets of its anchors or points, and a GPU '
                      f'waits for each image in every loss ({reason}); a RetinaHead with MaxIoUAssigner and '
                      'PseudoSampler needs no wait', 'current')

    def preprocess(self, data: dict[str, Any], training: bool) -> dict[str, Any]:
        pre = self.data_preprocessor
        if type(pre) is not DetDataPreprocessor or not are_images(data['inputs']):
            return super().preprocess(data, training)
        images = stacked(data['inputs'], pre.device)
        data = moved({key: value for key, value in data.items() if key != 'inputs'}, pre.device)
        if not reverses_colours(pre) or any(image.shape[-3] != 3 for image in images):
            return pre(dict(data, inputs=images), training)
        # mmengine reverses the colours by a list of indices, for which a GPU waits
        images = images.flip(1) if isinstance(images, torch.Tensor) else [image.flip(0) for image in images]
        with colours_kept(pre):
            return pre(dict(data, inputs=images), training)
