"""Layers for fast second derivatives: convolution, normalisation, activation, pooling, recomputed blocks."""
from .activation import TwiceDifferentiableReLU6
from .convolution import TwiceDifferentiableConv2d
from .normalization import TwiceDifferentiableBatchNorm2d

__all__ = ['TwiceDifferentiableBatchNorm2d', 'TwiceDifferentiableConv2d', 'TwiceDifferentiableReLU6']
