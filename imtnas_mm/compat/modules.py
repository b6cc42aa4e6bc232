"""Undocumented parts of PyTorch's modules and autograd graphs."""
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from .private import TORCH, Private

NAMES = (
    Private(
        'torch.nn.modules.batchnorm._BatchNorm', '', 'the class of all batch normalisations, whatever their dimensions',
        seen=TORCH),
    Private(
        'torch.nn.modules.batchnorm._NormBase', '', 'the class of all normalisations that may keep running statistics',
        seen=TORCH),
    Private(
        'torch.nn.Conv2d._conv_forward', '', 'overridden: it computes the convolution for every padding mode',
        seen=TORCH),
    Private(
        'torch.nn.Module._parameters', '', "a module's parameters under their attribute names; its state dict has "
        'others', seen=TORCH),
    Private(
        'torch.autograd.function.BackwardCFunction._forward_cls', '',
        'the Function of a node of a graph, which shows whether it has a second derivative', seen=TORCH),
)

BatchNorm = _BatchNorm
NormBase = _NormBase
