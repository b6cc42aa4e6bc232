"""Parameters and multiply-accumulates of a network."""
import torch
from torch.utils.flop_counter import FlopCounterMode

from ..compat import addmm, bmm, convolution, mm

# what convolutions and linear layers call, those of the search spaces too; each flop counter of torch gives two
# operations per multiply-accumulate
COUNTED = (convolution, addmm, mm, bmm)


def count_parameters(module):
    """int: the number of entries of all parameters, frozen ones too, buffers not."""
    return sum(parameter.numel() for parameter in module.parameters())


@torch.no_grad()
def count_macs(module, input_shape):
    """int: multiply-accumulates of the convolutions and linear layers in one evaluation forward pass.

    Normalisation, activations, pooling and biases don't count, as in the
    papers on mobile networks.

    Args:
        module (nn.Module): called with one batch of images; its modes and
            buffers are left as they were.
        input_shape (tuple[int]): of one image, (channels, height, width).
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
