from .base import SearchAlgorithm
from .imtnas import IMTNAS
from .joint import MTLHWS, MTLSAO, MTLSWS, SingleTask
from .unrolled import UnrolledSearch

__all__ = ['SearchAlgorithm', 'UnrolledSearch', 'IMTNAS', 'MTLSAO', 'MTLHWS', 'MTLSWS', 'SingleTask']
