from .activation import TwiceReLU6
from .base import SearchSpace
from .convolution import TwiceConv2d
from .darts import DARTSSupernet
from .fused import FusedSupernet
from .mbconv import MBConvSupernet
from .normalization import TwiceBatchNorm2d
from .pcdarts import PCDARTSSupernet
from .pdarts import PDARTSSupernet
from .prdarts import PRDARTSSupernet

__all__ = [
    'SearchSpace', 'DARTSSupernet', 'FusedSupernet', 'MBConvSupernet', 'PCDARTSSupernet', 'PDARTSSupernet',
    'PRDARTSSupernet', 'TwiceBatchNorm2d', 'TwiceConv2d', 'TwiceReLU6'
]
