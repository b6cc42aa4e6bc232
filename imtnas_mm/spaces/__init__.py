from .base import SearchSpace
from .convolution import TwiceConv2d
from .mbconv import MBConvSupernet

__all__ = ['SearchSpace', 'MBConvSupernet', 'TwiceConv2d']
