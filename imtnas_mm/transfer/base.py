"""What a kind of knowledge transfer is to the algorithms."""
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Encoder:
    """One encoder as a transfer sees it: its weight vector [D] and images [N, 3, H, W] -> embeddings [N, F]."""
    weights: Tensor
    embed: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class TransferLoss:
    """T for one student.

    ``needed`` [number of views] is true for the views that its derivatives
    depend on; ``None`` where they depend on all. What is zero around a point
    needs no second pass. All tensors stay on the device: nothing is read here.
    """
    loss: Tensor
    figures: dict[str, Tensor] = field(default_factory=dict)  # to log, scalar tensors
    needed: Tensor | None = None


class KnowledgeTransfer(nn.Module, metaclass=ABCMeta):
    """T(teacher, student), the loss that trains an encoder from the one before it in the chain.

    ``num_examples`` images, half from the previous task and half from the
    student's own, resized to ``image_size``, are what ``views`` starts from;
    with 0 it gets none, and neither do the two sides.
    """
    num_examples = 20
    image_size = 32

    @abstractmethod
    def views(self, images: Tensor | None) -> Tensor | None:
        """Examples [S, 3, H, W] RGB in [0, 1] -> the images both encoders see. Random: uses torch's global state, the
        host's on every device."""

    @abstractmethod
    def teacher_side(self, teacher: Encoder, views: Tensor | None) -> Tensor:
        """What the teacher says of the views; computed once a stage."""

    @abstractmethod
    def student_side(self, student: Encoder, views: Tensor | None, teaching: Tensor) -> TransferLoss:
        """:class:`TransferLoss` of the student given the teacher's word, for all views or some that are needed."""


def without_autocast(device_type: str) -> AbstractContextManager:
    """Inside, operators compute in the precision of their inputs."""
    if torch.amp.is_autocast_available(device_type):
        return torch.autocast(device_type, enabled=False)
    return nullcontext()


def check_num_examples(num_examples: int) -> int:
    if num_examples < 2 or num_examples % 2:
        raise ValueError(f'transfer.num_examples={num_examples} must be even and at least 2: half from each task')
    return num_examples


def check_weight(weight: float) -> float:
    if weight <= 0:
        raise ValueError(f'transfer.weight={weight} must be positive; transfer=None switches transfer off')
    return weight
