"""The paper's transfer by MMD with its threshold tau (Eq. 3-4).

Student and teacher agree on which augmentation sets differ in distribution.
"""
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from ..registry import MODELS
from .augmentation import DEFAULT_AUGMENTATIONS, augmentation_sets, build_augmentations
from .base import Encoder, KnowledgeTransfer, TransferLoss, check_num_examples, without_autocast
from .pairs import in_any_pair, pairs_of
from .statistic import is_studentized, largest_statistic, reference, two_sample_statistics

PAPER_THRESHOLD = 5.  # tau


def hinge(teacher: Tensor, student: Tensor, threshold: Tensor | float) -> Tensor:
    """Eq. 4 per pair: ``max(0, -(d_teacher - tau)(d_student - tau))``, all of one shape; ``threshold`` is tau."""
    return (-(teacher - threshold) * (student - threshold)).relu()


@MODELS.register_module()
class MMDTransfer(KnowledgeTransfer):
    """Trains the student to agree with the teacher on which augmentation sets come from the same distribution.

    Two sets differ where their statistic d exceeds tau. A pair of sets is
    active, or violates the hinge, where student and teacher disagree.

    Args:
        num_examples (int): examples per stage, half from each task (paper: 20).
        num_augmentations (int): C, augmentations of each (paper: 20).
        threshold (float): tau of Eq. 4 (paper: 5); the unit of T, without effect, for ``relative``.
        kernel_scale (float): of the RBF kernel (paper: .1).
        statistic (str): d. Reading 1 has the reasons.
            ``relative`` (default): ``tau z / r``. z is the studentised statistic, r the
            median of the teacher's z, at least 3. So d exceeds tau where z exceeds r,
            whatever tau is. T is the mean of Eq. 4 over pairs, in units of tau^2.
            ``studentized``: z, Eq. 3 over its standard deviation for sets of one
            distribution, with distances relative to their mean. tau = 5 asks for five
            standard deviations.
            ``scaled``: C times Eq. 3. ``plain``: Eq. 3, which an RBF kernel keeps below 2.
        image_size (int): the examples are resized to it before augmentation.
        augmentations (list[dict]): kornia augmentations by class name; the default classes are fastest on a GPU.
    """

    advice = (
        "If teachers tell no pair or all pairs apart, use model.transfer.statistic='relative', which puts the "
        'threshold among the statistics of the teacher, or change model.transfer.threshold for another statistic. '
        'More model.transfer.num_augmentations, or weaker model.transfer.augmentations, tell more pairs apart. If '
        'students always agree, their encoders may be alike: model.transfer.num_examples takes more pairs, and '
        'model.encoder_weights.stage_std of a hypernetwork makes encoders start further apart.')

    def __init__(self,
                 num_examples: int = 20,
                 num_augmentations: int = 20,
                 threshold: float = PAPER_THRESHOLD,
                 kernel_scale: float = .1,
                 statistic: str = 'relative',
                 image_size: int = 224,
                 augmentations: Sequence[Mapping[str, Any]] = DEFAULT_AUGMENTATIONS) -> None:
        super().__init__()
        if num_augmentations < 2:
            raise ValueError(f'transfer.num_augmentations={num_augmentations} must be at least 2 (Eq. 3); '
                             'transfer=None switches transfer off')
        self.num_examples = check_num_examples(num_examples)
        self.num_augmentations = num_augmentations
        self.threshold = threshold
        self.kernel_scale = kernel_scale
        self.statistic = statistic
        self.image_size = image_size
        self.augmentations = build_augmentations(augmentations, image_size)
        most = largest_statistic(num_augmentations, statistic)
        if statistic == 'relative' and threshold != PAPER_THRESHOLD:
            print_log(
                f"transfer.threshold={threshold} has no effect: transfer.statistic='relative' measures in units of it. "
                "statistic='studentized' takes it as a number of standard deviations.",
                logger='current',
                level=30)  # logging.WARNING
        if threshold >= most:
            print_log(
                f'transfer.threshold={threshold} can never be exceeded: the {statistic} statistic of sets of '
                f'{num_augmentations} stays below {most:g}, so every pair counts as "same", the transfer loss is 0 '
                "and no knowledge passes between tasks. Lower the threshold, or use statistic='relative'.",
                logger='current',
                level=30)  # logging.WARNING

    def views(self, images: Tensor) -> Tensor:
        """C views of each example, [S * C, 3, image_size, image_size], one set after the other.

        The random numbers come from the host; see :class:`Augmentations`.
        """
        return augmentation_sets(images, self.num_augmentations, self.augmentations)

    def statistics(self, encoder: Encoder, views: Tensor) -> Tensor:
        """Eq. 3 as ``statistic`` has it, for every pair of sets, [S (S - 1) / 2]; for ``relative`` it is z."""
        embeddings = encoder.embed(views)
        sets = embeddings.view(-1, self.num_augmentations, embeddings.shape[-1])
        with without_autocast(sets.device.type):  # differences of near numbers
            sets = sets.float() if sets.dtype in (torch.bfloat16, torch.float16) else sets
            return pairs_of(two_sample_statistics(sets, self.kernel_scale, self.statistic))

    def cut(self, teaching: Tensor) -> Tensor | float:
        """The value of :meth:`statistics` where d is tau: r for ``relative``, else tau."""
        return reference(teaching) if self.statistic == 'relative' else self.threshold

    def total(self, losses: Tensor, cut: Tensor | float) -> Tensor:
        """T from Eq. 4 per pair: the sum; for ``relative`` the mean, in units of the cut.

        A sum in units of tau would weigh T against the first task's loss by the
        square of the number of examples and by tau^2.
        """
        if self.statistic != 'relative':
            return losses.sum()
        return losses.sum() / max(len(losses), 1) / cut**2  # no pair: a rank that needs no image in its second pass

    def teacher_side(self, teacher: Encoder, views: Tensor) -> Tensor:
        return self.statistics(teacher, views)

    def student_side(self, student: Encoder, views: Tensor, teaching: Tensor) -> TransferLoss:
        """Eq. 4 over all pairs; see :meth:`total`.

        With ``scaled`` and ``plain``, its derivatives need only the sets in active pairs. The units of the other
        statistics depend on all sets.

        Logs the shares of pairs that are active, and that the teacher tells apart.
        """
        cut = self.cut(teaching)
        losses = hinge(teaching, self.statistics(student, views), cut)
        violated = losses.detach() > 0
        figures = dict(
            active=violated.mean(dtype=torch.float32),
            different=(teaching > cut).mean(dtype=torch.float32))
        needed = None
        if not is_studentized(self.statistic):
            sets = in_any_pair(violated, len(views) // self.num_augmentations)
            needed = sets.repeat_interleave(self.num_augmentations)
        return TransferLoss(self.total(losses, cut), figures, needed)

    def extra_repr(self) -> str:
        return (f'num_examples={self.num_examples}, num_augmentations={self.num_augmentations}, '
                f'threshold={self.threshold}, kernel_scale={self.kernel_scale}, statistic={self.statistic!r}, '
                f'augmentations={list(self.augmentations.steps)}')
