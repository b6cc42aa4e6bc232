"""The search spaces: a folder or a file each, which registers its supernet, its derived network and its format."""
from .base import SearchSpace
from .cells import CellHead, CellNet, DARTSSupernet, PCDARTSSupernet, PDARTSSupernet, PRDARTSSupernet
from .fused import FusedSupernet
from .mbconv import MBConvNet, MBConvSupernet
from .nasbench201 import NASBench201Net, NASBench201Supernet

__all__ = [
    'CellHead', 'CellNet', 'DARTSSupernet', 'FusedSupernet', 'MBConvNet', 'MBConvSupernet', 'NASBench201Net',
    'NASBench201Supernet', 'PCDARTSSupernet', 'PDARTSSupernet', 'PRDARTSSupernet', 'SearchSpace'
]
