"""The search methods: IMTNAS, and the methods that it is compared with."""
from .base import SearchAlgorithm
from .bmtas import BMTAS
from .hard_sharing import MTLHWS
from .imtnas import IMTNAS
from .interleaving import MinibatchInterleaving
from .method import SearchMethod
from .mtlnas import MTLNAS
from .one_round import MTLSAO
from .random_search import RandomSearch
from .separate_interleaving import SeparateInterleaving
from .single_task import SingleTask
from .soft_sharing import MTLSWS
from .unrolled import UnrolledSearch
from .weight_stages import WeightStages

__all__ = [
    'SearchMethod', 'SearchAlgorithm', 'WeightStages', 'UnrolledSearch', 'IMTNAS', 'MTLSAO', 'MTLHWS', 'MTLSWS',
    'MinibatchInterleaving', 'SingleTask', 'RandomSearch', 'BMTAS', 'MTLNAS', 'SeparateInterleaving'
]
