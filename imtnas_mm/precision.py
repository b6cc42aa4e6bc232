"""How exactly a GPU multiplies float32 numbers: in full, or rounded to TF32."""
from contextlib import contextmanager

import torch

# the settings by operator, since torch 2.9, beside the two older switches, which set several of them at once
OPERATORS = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul)
SWITCHES = (torch.backends.cudnn, torch.backends.cuda.matmul)


def _switch(owner):
    """The older switch, or ``None`` where settings by operator contradict it: PyTorch then refuses to read it."""
    try:
        return owner.allow_tf32
    except RuntimeError:
        return None


@contextmanager
def float32_products(tf32):
    """Inside, convolutions and matrix products of float32 tensors on a GPU use TF32, or don't.

    TF32 keeps 10 of the 23 bits of each factor (relative error 5e-4). PyTorch
    lets cuDNN's convolutions use it unless told otherwise. A CPU has no TF32.

    Args:
        tf32 (bool): whether matrix products and convolutions may use it.
    """
    precisions = [operator.fp32_precision for operator in OPERATORS]
    switches = [_switch(owner) for owner in SWITCHES]
    for owner in SWITCHES:  # by the older switches: PyTorch refuses products where the two kinds of setting differ
        owner.allow_tf32 = bool(tf32)
    try:
        yield
    finally:
        for owner, switch in zip(SWITCHES, switches, strict=True):
            if switch is not None:
                owner.allow_tf32 = switch
        for operator, precision in zip(OPERATORS, precisions, strict=True):
            if operator.fp32_precision != precision:
                operator.fp32_precision = precision
