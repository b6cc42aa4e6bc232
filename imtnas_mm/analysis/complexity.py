"""Counts the parameters and the multiply-accumulates of a network."""
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..compat import addmm, bmm, convolution, mm

# the operators of convolutions and linear layers, here and in PyTorch; torch's flop counters count two operations per
# multiply-accumulate
COUNTED = (convolution, addmm, mm, bmm)


def count_parameters(module: nn.Module) -> int:
    """The number of entries of all parameters, with the frozen parameters and without buffers."""
    return sum(parameter.numel() for parameter in module.parameters())


@torch.no_grad()
def count_macs(module: nn.Module, input_shape: Sequence[int]) -> int:
    """The multiply-accumulates of the convolutions and linear layers in a forward pass of an image.

    Normalisation, activations, pooling and biases don't count, as in the
    papers on mobile networks.

    Args:
        module (nn.Module): runs in evaluation mode on a batch of one image.
            Afterwards its modes and buffers are as before.
        input_shape (tuple[int]): (channels, height, width) of the image.

    Raises:
        ValueError: if ``input_shape`` is not three positive numbers.
    """
    if len(input_shape) != 3 or any(size < 1 for size in input_shape):
        raise ValueError(f'input_shape={tuple(input_shape)!r} must be (channels, height, width), each at least 1')
    modes = {part: part.training for part in module.modules()}
    device = next((parameter.device for parameter in module.parameters()), None)
    module.eval()
    try:
        with FlopCounterMode(display=False) as counter:
            module(torch.zeros(1, *input_shape, device=device))
    finally:
        for part, mode in modes.items():
            part.training = mode
    counts = counter.get_flop_counts().get('Global', {})  # absent where nothing counts
    return sum(counts.get(operation, 0) for operation in COUNTED) // 2
