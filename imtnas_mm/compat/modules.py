"""What PyTorch keeps to itself of modules and of the graph of a computation."""
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
        'torch.nn.Conv2d._conv_forward', '', 'what a convolution computes once its padding is dealt with; overridden',
        seen=TORCH),
    Private(
        'torch.nn.Module._parameters', '', 'the parameters of a module itself, where its state dict has other names',
        seen=TORCH),
    Private(
        'torch.autograd.function.BackwardCFunction._forward_cls', '',
        'which Function a node of a graph is of, and so whether it has a second derivative', seen=TORCH),
)

BatchNorm = _BatchNorm
NormBase = _NormBase
