"""Segmentation in one file, which a config names in ``custom_imports``: a task with its model, its data and its metric.

The names in its configs are looked up in ``imtnas_mm``, where this file registers them.
"""
import numpy as np
import torch
import torch.nn.functional as F
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel, BaseModule
from mmengine.structures import BaseDataElement, PixelData
from torch import nn

from imtnas_mm.registry import DATASETS, METRICS, MODELS, TRANSFORMS
from imtnas_mm.tasks import Task


@MODELS.register_module()
class SegmentationTask(Task):
    """A model that labels each pixel."""
    scope = 'imtnas_mm'


@MODELS.register_module()
class ToySegmentor(BaseModel):
    """Backbone and head; a sample has the labels of its pixels in ``gt_sem_seg``, int64 [1, H, W]."""

    def __init__(self, backbone, decode_head, data_preprocessor, init_cfg=None):
        super().__init__(dict(data_preprocessor, type='mmengine.ImgDataPreprocessor'), init_cfg)
        self.backbone = MODELS.build(backbone)
        self.decode_head = MODELS.build(decode_head)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        logits = self.decode_head(self.backbone(inputs), inputs.shape[2:])
        if mode == 'loss':
            labels = torch.cat([sample.gt_sem_seg.data for sample in data_samples])
            return dict(loss_seg=F.cross_entropy(logits, labels))
        if mode == 'predict':
            for sample, labels in zip(data_samples, logits.argmax(1, keepdim=True), strict=True):
                sample.pred_sem_seg = PixelData(data=labels)
            return data_samples
        return logits


@MODELS.register_module()
class ToyFCNHead(BaseModule):
    """A 1x1 convolution per stage; its scores are enlarged to the size of the images and added (FCN).

    Args:
        in_channels (list[int]): of the backbone's outputs.
    """

    def __init__(self, in_channels, num_classes, init_cfg=None):
        super().__init__(init_cfg)
        self.scores = nn.ModuleList(nn.Conv2d(channels, num_classes, 1) for channels in in_channels)

    def forward(self, features, size):
        return sum(F.interpolate(score(x), size, mode='bilinear', align_corners=False)
                   for score, x in zip(self.scores, features, strict=True))


@DATASETS.register_module()
class ToyScenes(BaseDataset):
    """A bright square on a dark ground in each image; made on the spot, no files.

    Args:
        number (int): of images.
        first (int): number of the first image; it seeds its drawing.
    """
    METAINFO = dict(classes=('ground', 'square'))

    def __init__(self, number, pipeline, first=0, size=32, **options):
        self.numbers, self.size = range(first, first + number), size
        super().__init__(pipeline=pipeline, **options)

    def load_data_list(self):
        return [self.scene(np.random.default_rng(number)) for number in self.numbers]

    def scene(self, rng):
        image = rng.integers(0, 100, (self.size, self.size, 3)).astype(np.uint8)
        labels = np.zeros((self.size, self.size), np.int64)
        left, top = rng.integers(0, self.size // 2, 2)
        inside = slice(top, top + self.size // 2), slice(left, left + self.size // 2)
        image[inside], labels[inside] = 220, 1
        return dict(img=image, gt_seg_map=labels)


@TRANSFORMS.register_module()
class PackPixelInputs(BaseTransform):
    """The arguments of :class:`ToySegmentor`. Its name begins with Pack, as a search asks of the last transform."""

    def transform(self, results):
        labels = torch.from_numpy(results['gt_seg_map'])[None]
        return dict(inputs=torch.from_numpy(results['img']).permute(2, 0, 1).contiguous(),
                    data_samples=BaseDataElement(gt_sem_seg=PixelData(data=labels)))


@METRICS.register_module()
class PixelAccuracy(BaseMetric):
    """The percentage of pixels whose label is right."""
    default_prefix = 'seg'

    def process(self, data_batch, data_samples):
        for sample in data_samples:
            right = sample['pred_sem_seg']['data'] == sample['gt_sem_seg']['data']
            self.results.append((right.sum().item(), right.numel()))

    def compute_metrics(self, results):
        right, total = map(sum, zip(*results, strict=True))
        return dict(pixel_accuracy=100 * right / total)
