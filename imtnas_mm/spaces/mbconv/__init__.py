"""Search spaces of MBConv layers: FairNAS-19, ProxylessNAS-21, NAS-Bench-Macro, and any layout that a config gives."""
from .format import register_layout
from .layout import Candidate, Layout
from .network import MBConvNet
from .supernet import MBConvSupernet

__all__ = ['Candidate', 'Layout', 'MBConvNet', 'MBConvSupernet', 'register_layout']
