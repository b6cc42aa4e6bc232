"""The modules that a cell supernet and its derived networks share."""
import torch.nn.functional as F

STEM_MULTIPLIER = 3  # the width of the CIFAR stem over that of the first cells


def parities(x):
    """The pixels of even row and column, and those of odd; an odd size is padded by a zero row or column."""
    height, width = x.shape[2:]
    if height % 2 or width % 2:
        x = F.pad(x, (0, width % 2, 0, height % 2))
    return x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]
