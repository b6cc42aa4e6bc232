"""Layers that are cheap to differentiate twice, and to compute again: convolution, normalisation, activation."""
from .activation import TwiceDifferentiableReLU6
from .convolution import TwiceDifferentiableConv2d
from .normalization import TwiceDifferentiableBatchNorm2d

__all__ = ['TwiceDifferentiableBatchNorm2d', 'TwiceDifferentiableConv2d', 'TwiceDifferentiableReLU6']
