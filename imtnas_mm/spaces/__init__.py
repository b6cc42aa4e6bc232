"""The search spaces. Each folder registers the supernet, the derived network and the architecture files of a space."""
from .base import SearchSpace
from .cells import CellHead, CellNet, DARTSSupernet, PCDARTSSupernet, PDARTSSupernet, PRDARTSSupernet
from .fused_supernet import FusedSupernet
from .layered import LayeredNet, LayeredSpace, LayeredSupernet
from .mbconv import MBConvNet, MBConvSupernet
from .nasbench201 import NASBench201Net, NASBench201Supernet

__all__ = [
    'CellHead', 'CellNet', 'DARTSSupernet', 'FusedSupernet', 'LayeredNet', 'LayeredSpace', 'LayeredSupernet',
    'MBConvNet', 'MBConvSupernet', 'NASBench201Net', 'NASBench201Supernet', 'PCDARTSSupernet', 'PDARTSSupernet',
    'PRDARTSSupernet', 'SearchSpace'
]
