from .base import SearchSpace
from .darts import DARTSSupernet
from .fused import FusedSupernet
from .mbconv import MBConvSupernet
from .pcdarts import PCDARTSSupernet
from .pdarts import PDARTSSupernet
from .prdarts import PRDARTSSupernet

__all__ = [
    'SearchSpace', 'DARTSSupernet', 'FusedSupernet', 'MBConvSupernet', 'PCDARTSSupernet', 'PDARTSSupernet',
    'PRDARTSSupernet'
]
