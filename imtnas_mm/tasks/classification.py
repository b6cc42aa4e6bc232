"""The image classification task: a classifier of mmpretrain."""
from typing import Any

import torch
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample

from ..registry import MODELS
from ..transport import to_device
from .base import Task
from .moving import are_images, stacked

TARGETS = ('gt_label', 'gt_score')


@MODELS.register_module()
class ClassificationTask(Task):
    """Any mmpretrain classifier; its names are looked up in mmpretrain."""
    scope = 'mmpretrain'
    replayable = True

    def preprocess(self, data: dict[str, Any], training: bool) -> dict[str, Any]:
        pre = self.data_preprocessor
        if type(pre) is ClsDataPreprocessor and are_images(data['inputs']):
            move_targets(data.get('data_samples'), pre.device)
            data = dict(data, inputs=stacked(data['inputs'], pre.device))
        return super().preprocess(data, training)


def move_targets(samples: list | None, device: torch.device) -> None:
    """Moves the labels and scores of a batch to the preprocessor's device in one copy, in place.

    Args:
        samples (list[DataSample] or None): samples of other types are left to the preprocessor.
        device (torch.device): the target.
    """
    if device.type == 'cpu' or not samples or any(type(sample) is not DataSample for sample in samples):
        return
    held = [(sample, name) for name in TARGETS for sample in samples if name in sample]
    for (sample, name), tensor in zip(held, to_device([getattr(*pair) for pair in held], device), strict=True):
        sample.set_field(tensor, name)
