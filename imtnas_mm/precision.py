"""Switches between full precision and TF32 for float32 products on a GPU."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

# torch 2.9 added settings per operator to the two older switches, each of which sets several operators at once
BACKENDS: Any = torch.backends  # declares no types for these settings
OPERATORS = (BACKENDS.cudnn.conv, BACKENDS.cudnn.rnn, BACKENDS.cuda.matmul)
SWITCHES = (BACKENDS.cudnn, BACKENDS.cuda.matmul)


def _switch(owner: Any) -> bool | None:
    """The older switch; ``None`` if settings per operator contradict it, where PyTorch refuses to read it."""
    try:
        return owner.allow_tf32
    except RuntimeError:
        return None


@contextmanager
def float32_products(tf32: bool) -> Iterator[None]:
    """Inside, convolutions and matrix products of float32 tensors on a GPU use TF32, or don't.

    TF32 keeps 10 of the 23 bits of each factor (relative error 5e-4). PyTorch
    lets cuDNN's convolutions use it unless told otherwise. A CPU has no TF32.

    Args:
        tf32 (bool): whether matrix products and convolutions may use it.
    """
    precisions = [operator.fp32_precision for operator in OPERATORS]
    switches = [_switch(owner) for owner in SWITCHES]
    for owner in SWITCHES:  # the older switches: PyTorch refuses products if old and new settings differ
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
