"""How exactly a GPU multiplies float32 numbers: in full, or rounded to TF32."""
from contextlib import contextmanager

import torch

# one setting per kind of operator, since torch 2.9; all of a kind must agree, or torch's older switches can't be read
OPERATORS = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul)


@contextmanager
def float32_products(tf32):
    """Inside, convolutions and matrix products of float32 tensors on a GPU use TF32, or don't.

    TF32 keeps 10 of the 23 bits of each factor (relative error 5e-4). PyTorch
    lets cuDNN's convolutions use it unless told otherwise. A CPU has no TF32.

    Args:
        tf32 (bool)
    """
    before = [operator.fp32_precision for operator in OPERATORS]
    for operator in OPERATORS:
        operator.fp32_precision = 'tf32' if tf32 else 'ieee'
    try:
        yield
    finally:
        for operator, precision in zip(OPERATORS, before, strict=True):
            operator.fp32_precision = precision
