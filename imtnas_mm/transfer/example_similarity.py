"""Transfer by pairs of similar examples (paper Table 6, "Example-Similarity")."""
import torch
import torch.nn.functional as F
from torch import Tensor

from ..registry import MODELS
from .base import Encoder, KnowledgeTransfer, TransferLoss, check_num_examples, check_weight, without_autocast
from .pairs import pairs_of


def cosine_similarities(embeddings: Tensor) -> Tensor:
    """[N, F] -> [N (N - 1) / 2], every pair once."""
    normal = F.normalize(embeddings, dim=1)
    return pairs_of(normal @ normal.T)


@MODELS.register_module()
class ExampleSimilarity(KnowledgeTransfer):
    """The teacher labels pairs of examples as similar or not; the student fits the labels (paper 4.5).

    The paper gives no formula. Here a pair is similar if the cosine of its
    embeddings exceeds ``threshold``. With the student's cosine s, the
    probability of "similar" is ``sigmoid((s - threshold) / temperature)``. T is
    the mean cross entropy. Labels have no derivative, so no gradient reaches
    the teacher's weights.

    Args:
        num_examples (int): images per stage, half from each task.
        threshold (float): of the cosine, between -1 and 1.
        temperature (float): of the student's probability.
        weight (float): of T.
        image_size (int): the images are resized to it.
    """

    def __init__(self, num_examples: int = 20, threshold: float = .5, temperature: float = .1, weight: float = 1.,
                 image_size: int = 224) -> None:
        super().__init__()
        if not -1 < threshold < 1:
            raise ValueError(f'transfer.threshold={threshold} must lie between -1 and 1, as cosines do')
        if temperature <= 0:
            raise ValueError(f'transfer.temperature={temperature} must be positive')
        self.num_examples = check_num_examples(num_examples)
        self.threshold = threshold
        self.temperature = temperature
        self.weight = check_weight(weight)
        self.image_size = image_size

    def views(self, images: Tensor) -> Tensor:
        return images

    def teacher_side(self, teacher: Encoder, views: Tensor) -> Tensor:
        return (cosine_similarities(teacher.embed(views)) > self.threshold).detach()

    def student_side(self, student: Encoder, views: Tensor, teaching: Tensor) -> TransferLoss:
        """Logs the shares of pairs that the teacher labels dissimilar, and on which the student disagrees."""
        logits = (cosine_similarities(student.embed(views)) - self.threshold) / self.temperature
        with without_autocast(logits.device.type):
            loss = F.binary_cross_entropy_with_logits(logits, teaching.to(logits.dtype))
        figures = dict(
            different=1 - teaching.mean(dtype=torch.float32),
            active=((logits.detach() > 0) != teaching).mean(dtype=torch.float32))
        return TransferLoss(self.weight * loss, figures)

    def extra_repr(self) -> str:
        return (f'num_examples={self.num_examples}, threshold={self.threshold}, temperature={self.temperature}, '
                f'weight={self.weight}')
