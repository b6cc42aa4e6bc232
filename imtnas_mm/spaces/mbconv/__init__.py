"""Search spaces of MBConv layers: FairNAS-19, ProxylessNAS-21, and any layout that a config gives."""
from .network import MBConvNet
from .supernet import MBConvSupernet

__all__ = ['MBConvNet', 'MBConvSupernet']
