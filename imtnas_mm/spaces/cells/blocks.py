"""Parts that cell supernets and derived networks share."""
import torch.nn.functional as F
from torch import Tensor

STEM_MULTIPLIER = 3  # the width of the CIFAR stem over the width of the first cells


def parities(x: Tensor) -> tuple[Tensor, Tensor]:
    """The pixels of even rows and columns, and the pixels of odd rows and columns.

    An odd size is padded by a row or column of zeros.
    """
    height, width = x.shape[2:]
    if height % 2 or width % 2:
        x = F.pad(x, (0, width % 2, 0, height % 2))
    return x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]
