"""Base class of knowledge transfers, and checks of their options."""
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Encoder:
    """An encoder for a transfer: its weight vector [D], and ``embed``, images [N, 3, H, W] -> embeddings [N, F]."""
    weights: Tensor
    embed: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class TransferLoss:
    """The loss T of one student.

    ``needed`` [number of views] is true for the views on which the derivatives
    of T depend; ``None`` stands for all views. The others need no second pass.
    All tensors stay on the device: the host reads none.
    """
    loss: Tensor
    figures: dict[str, Tensor] = field(default_factory=dict)  # scalar tensors for the log
    needed: Tensor | None = None


class KnowledgeTransfer(nn.Module, metaclass=ABCMeta):
    """T(teacher, student): the loss by which an encoder learns from the encoder before it in the chain.

    ``views`` gets ``num_examples`` images, half from the previous task and half
    from the student's task, resized to ``image_size``. With 0 examples there
    are no views. ``advice`` names the fields to change if nothing is
    transferred.
    """
    num_examples = 20
    image_size = 32
    compares_embeddings = False  # whether embeddings of student and teacher must have one size
    advice = 'model.transfer.threshold and model.transfer.num_examples change the pairs that are compared.'  # if off

    @abstractmethod
    def views(self, images: Tensor | None) -> Tensor | None:
        """Examples [S, 3, H, W] RGB in [0, 1] -> the images that both encoders embed.

        Random numbers come from torch's global generator of the host, on every device.
        """

    @abstractmethod
    def teacher_side(self, teacher: Encoder, views: Tensor | None) -> Tensor:
        """The teacher's output for the views; computed once per stage (one task in one round of the search)."""

    @abstractmethod
    def student_side(self, student: Encoder, views: Tensor | None, teaching: Tensor) -> TransferLoss:
        """:class:`TransferLoss` of the student for the teacher's output, on all views or the needed ones alone."""


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
