from .base import SearchSpace
from .mbconv import MBConvSupernet

__all__ = ['SearchSpace', 'MBConvSupernet']
