"""Transfers by the L2 distance of weights or embeddings (paper Table 6, "L2-Weights" and "L2-Embedding")."""
from torch import Tensor

from ..registry import MODELS
from .base import Encoder, KnowledgeTransfer, TransferLoss, check_num_examples, check_weight


@MODELS.register_module()
class L2Weights(KnowledgeTransfer):
    """``T = weight ||W~_{k-1} - W_k||^2`` (paper 4.5, after Rajeswaran et al., 2019); needs no images."""
    num_examples = 0

    def __init__(self, weight: float = 1.) -> None:
        super().__init__()
        self.weight = check_weight(weight)

    def views(self, images: Tensor) -> None:
        return None

    def teacher_side(self, teacher: Encoder, views: None) -> Tensor:
        return teacher.weights

    def student_side(self, student: Encoder, views: None, teaching: Tensor) -> TransferLoss:
        """Logs the distance."""
        square = (teaching - student.weights).square().sum()
        return TransferLoss(self.weight * square, dict(distance=square.detach().sqrt()))

    def extra_repr(self) -> str:
        return f'weight={self.weight}'


@MODELS.register_module()
class L2Embedding(KnowledgeTransfer):
    """``T = weight mean_i ||e(x_i; W~_{k-1}) - e(x_i; W_k)||^2`` (paper 4.5, after Romero et al., 2014).

    Args:
        num_examples (int): images per stage, half from each task.
        weight (float): of T.
        image_size (int): the images are resized to it.

    The last features of all tasks must have the same number of channels.
    """
    compares_embeddings = True

    def __init__(self, num_examples: int = 20, weight: float = 1., image_size: int = 224) -> None:
        super().__init__()
        self.num_examples = check_num_examples(num_examples)
        self.weight = check_weight(weight)
        self.image_size = image_size

    def views(self, images: Tensor) -> Tensor:
        return images

    def teacher_side(self, teacher: Encoder, views: Tensor) -> Tensor:
        return teacher.embed(views)

    def student_side(self, student: Encoder, views: Tensor, teaching: Tensor) -> TransferLoss:
        """Logs the root of the mean square distance."""
        square = (teaching - student.embed(views)).square().sum(1).mean()
        return TransferLoss(self.weight * square, dict(distance=square.detach().sqrt()))

    def extra_repr(self) -> str:
        return f'num_examples={self.num_examples}, weight={self.weight}'
