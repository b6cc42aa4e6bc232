from .base import SearchAlgorithm
from .imtnas import IMTNAS

__all__ = ['SearchAlgorithm', 'IMTNAS']
