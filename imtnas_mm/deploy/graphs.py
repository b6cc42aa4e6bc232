"""Models as functions of tensors alone, which torch.export traces: images in, classes or boxes out.

Shapes do not depend on values: a graph has a fixed number of detections, of
which the last may be empty. Batch, height and width may change.
"""
from typing import Any

import torch
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder, DistancePointBBoxCoder
from mmdet.models.task_modules.coders.delta_xywh_bbox_coder import delta2bbox
from mmdet.structures.bbox import distance2bbox
from mmpretrain.models import ImageClassifier
from torch import Tensor, nn

from ..compat.predictions import decodes_plainly, gives_softmax
from ..compat.preprocessing import normalizes, reverses_colours
from .nms import kept_by_nms

EMPTY = -1  # the label of a place without a detection


class Normalisation(nn.Module):
    """Colours and normalisation of a data preprocessor: [N, 3, H, W], 0 to 255 -> the network's images."""

    mean: Tensor
    std: Tensor

    def __init__(self, preprocessor: Any) -> None:
        super().__init__()
        self.reverses = reverses_colours(preprocessor)
        self.normalizes = normalizes(preprocessor)
        if self.normalizes:
            self.register_buffer('mean', preprocessor.mean)
            self.register_buffer('std', preprocessor.std)

    def forward(self, images: Tensor) -> Tensor:
        images = images.flip(1) if self.reverses else images
        return (images - self.mean) / self.std if self.normalizes else images


class ClassifierGraph(nn.Module):
    """A classifier with normalisation and softmax.

    Raises:
        ValueError: if its scores are not the softmax of its head, or its
            preprocessor pads images.
    """
    inputs = ('images', )
    outputs = ('scores', )

    def __init__(self, model: ImageClassifier) -> None:
        super().__init__()
        if not gives_softmax(model.head):
            raise ValueError(f'model.head: {type(model.head).__name__}; a graph needs a classifier whose scores are '
                             'the softmax of its outputs')
        preprocessor: Any = model.data_preprocessor
        if preprocessor.pad_size_divisor > 1:
            raise ValueError(f'model.data_preprocessor.pad_size_divisor={preprocessor.pad_size_divisor}: a graph of a '
                             'classifier does not pad')
        self.normalisation = Normalisation(preprocessor)
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Images [N, 3, H, W], as the test pipeline gives them -> scores [N, classes]."""
        return (self.model(self.normalisation(images)).softmax(1), )


class DetectorGraph(nn.Module):
    """A detector of one stage with normalisation, decoding and non-maximum suppression, by the rules of mmdet.

    Args:
        model (SingleStageDetector): RetinaNet, FCOS, ATSS and others whose
            head follows ``BaseDenseHead``.

    Raises:
        ValueError: if its head predicts by rules of its own; names the field.
    """
    inputs = ('images', 'sizes')
    outputs = ('boxes', 'scores', 'labels')

    def __init__(self, model: SingleStageDetector) -> None:
        super().__init__()
        head: Any = model.bbox_head
        cfg = head.test_cfg or {}
        if not decodes_plainly(head):
            raise ValueError(f'model.bbox_head: {type(head).__name__}; a graph needs a detector of one stage whose '
                             "head predicts by the rules of mmdet's BaseDenseHead, such as RetinaNet or FCOS")
        if type(head.bbox_coder) not in (DeltaXYWHBBoxCoder, DistancePointBBoxCoder):
            raise ValueError(f'model.bbox_head.bbox_coder: {type(head.bbox_coder).__name__}; it must be '
                             'DeltaXYWHBBoxCoder or DistancePointBBoxCoder')
        if getattr(head.loss_cls, 'custom_cls_channels', False):
            raise ValueError(f'model.bbox_head.loss_cls: {type(head.loss_cls).__name__} has channels of its own')
        nms = dict(cfg.get('nms') or {})
        known = {'iou_threshold', 'class_agnostic', 'split_thr'}
        if nms.pop('type', 'nms') != 'nms' or 'iou_threshold' not in nms or set(nms) - known:
            raise ValueError(f"model.test_cfg.nms={cfg.get('nms')!r}; it must be dict(type='nms', iou_threshold=...)")
        if cfg.get('nms_pre', -1) < 1 or cfg.get('max_per_img', -1) < 1 or cfg.get('min_bbox_size', 0) > 0:
            raise ValueError(f'model.test_cfg={dict(cfg)!r}; it must have nms_pre and max_per_img above 0, and a '
                             'min_bbox_size of 0')
        preprocessor: Any = model.data_preprocessor
        self.normalisation = Normalisation(preprocessor)
        self.pad_value = float(preprocessor.pad_value)
        self.model = model
        self.iou_threshold = float(nms['iou_threshold'])
        self.class_agnostic = bool(nms.get('class_agnostic', False))
        self.nms_pre, self.max_per_img = int(cfg['nms_pre']), int(cfg['max_per_img'])
        self.score_thr = float(cfg.get('score_thr', 0))
        self.drops_empty = cfg.get('min_bbox_size', -1) >= 0

    def forward(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The detections of a batch, best first.

        Args:
            images (Tensor): [N, 3, H, W], 0 to 255, each padded at its right
                and its bottom to sides that ``pad_size_divisor`` divides.
            sizes (Tensor): [N, 2], the height and width of each image before
                it was padded.

        Returns:
            (Tensor, Tensor, Tensor): boxes [N, K, 4] in pixels of these
            images, scores [N, K] and labels [N, K]. The label of an empty
            place is -1, and its score is 0.
        """
        height, width = images.shape[2:]
        inside = ((torch.arange(height)[None, :, None] < sizes[:, 0, None, None])
                  & (torch.arange(width)[None, None] < sizes[:, 1, None, None]))
        images = torch.where(inside[:, None], self.normalisation(images), self.pad_value)
        scores, priors, deltas, labels = self._candidates(self.model.bbox_head(self.model.extract_feat(images)))
        boxes = self._decoded(priors, deltas, sizes)
        if self.drops_empty:
            sides = boxes[..., 2:] - boxes[..., :2]
            scores = torch.where((sides > 0).all(-1), scores, EMPTY)
        number = self.model.bbox_head.num_classes
        groups, number = (torch.zeros_like(labels), 1) if self.class_agnostic else (labels, number)
        kept = kept_by_nms(boxes, scores, groups, number, self.iou_threshold)
        best, places = torch.where(kept, scores, EMPTY).topk(min(self.max_per_img, scores.shape[1]), 1)
        boxes = boxes.gather(1, places[..., None].expand(-1, -1, 4))
        return boxes, best.clamp(min=0), torch.where(best > 0, labels.gather(1, places), EMPTY)

    def _candidates(self, outputs: Any) -> tuple[Tensor, ...]:
        """(scores [N, M], priors [N, M, 2 or 4], deltas [N, M, 4], labels [N, M]): the best ``nms_pre`` of each level.

        Scores below the threshold are ``EMPTY``.
        """
        head = self.model.bbox_head
        priors = head.prior_generator.grid_priors([x.shape[-2:] for x in outputs[0]], torch.float32, 'cpu')
        levels = []
        for level, (logits, deltas) in enumerate(zip(*outputs[:2], strict=True)):
            logits, deltas = by_prior(logits, head.cls_out_channels), by_prior(deltas, 4)
            scores = logits.sigmoid() if head.use_sigmoid_cls else logits.softmax(-1)[..., :-1]
            classes = scores.shape[-1]
            flat = scores.flatten(1)
            flat = torch.where(flat > self.score_thr, flat, EMPTY)
            # padded, so that the number of candidates does not depend on the size of the image
            flat = torch.cat([flat, torch.full_like(flat[:, :1], EMPTY).expand(-1, self.nms_pre)], 1)
            best, places = flat.topk(self.nms_pre, 1)
            places = torch.where(best > EMPTY, places, 0)
            rows, labels = torch.div(places, classes, rounding_mode='floor'), places % classes
            if len(outputs) > 2:  # a factor per prior, such as FCOS' centerness
                factors = by_prior(outputs[2][level], 1)[..., 0].sigmoid().gather(1, rows)
                best = torch.where(best > EMPTY, best * factors, EMPTY)
            levels.append((best, priors[level][rows], deltas.gather(1, rows[..., None].expand(-1, -1, 4)), labels))
        return tuple(torch.cat(parts, 1) for parts in zip(*levels, strict=True))

    def _decoded(self, priors: Tensor, deltas: Tensor, sizes: Tensor) -> Tensor:
        """Boxes [N, M, 4] of priors and deltas, within the images where the coder clips them."""
        coder: Any = self.model.bbox_head.bbox_coder
        if isinstance(coder, DeltaXYWHBBoxCoder):
            boxes = delta2bbox(priors.flatten(0, 1), deltas.flatten(0, 1), coder.means, coder.stds,
                               add_ctr_clamp=coder.add_ctr_clamp, ctr_clamp=coder.ctr_clamp).view_as(deltas)
        else:
            boxes = distance2bbox(priors, deltas)
        if coder.clip_border:
            limits = sizes.flip(1).to(boxes.dtype).repeat(1, 2)[:, None]  # width, height, width, height
            boxes = torch.minimum(boxes.clamp(min=0), limits)
        return boxes


def by_prior(x: Tensor, channels: int) -> Tensor:
    """The outputs of a level [N, priors * channels, H, W] -> [N, H * W * priors, channels]."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, channels)


def graph_of(model: nn.Module) -> ClassifierGraph | DetectorGraph:
    """The graph of a model in evaluation mode.

    Raises:
        ValueError: if there is none of such a model.
    """
    model.eval()
    if isinstance(model, ImageClassifier):
        return ClassifierGraph(model).eval()
    if isinstance(model, SingleStageDetector):
        return DetectorGraph(model).eval()
    raise ValueError(f'model: {type(model).__name__}; a graph needs an ImageClassifier or a SingleStageDetector, and '
                     'of a joint training the model of one task (--task)')
