"""The search spaces: a folder or a file each, which registers its supernet, its derived network and its format."""
from .base import SearchSpace
from .cells import CellHead, CellNet, DARTSSupernet, PCDARTSSupernet, PDARTSSupernet, PRDARTSSupernet
from .fused_supernet import FusedSupernet
from .mbconv import MBConvNet, MBConvSupernet

__all__ = [
    'CellHead', 'CellNet', 'DARTSSupernet', 'FusedSupernet', 'MBConvNet', 'MBConvSupernet', 'PCDARTSSupernet',
    'PDARTSSupernet', 'PRDARTSSupernet', 'SearchSpace'
]
