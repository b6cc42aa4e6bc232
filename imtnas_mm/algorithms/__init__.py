from .base import SearchAlgorithm
from .bmtas import BMTAS
from .imtnas import IMTNAS
from .joint import MTLHWS, MTLSAO, MTLSWS, SingleTask
from .unrolled import UnrolledSearch

__all__ = ['SearchAlgorithm', 'UnrolledSearch', 'BMTAS', 'IMTNAS', 'MTLSAO', 'MTLHWS', 'MTLSWS', 'SingleTask']
