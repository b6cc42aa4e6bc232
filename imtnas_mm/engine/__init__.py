from ..checkpoint import CheckpointError, check_state_dict
from .architecture_hook import ArchitectureHook
from .evaluation import SearchTestLoop, SearchValLoop
from .optim import SearchOptimWrapperConstructor
from .runner import SearchRunner
from .search_loop import InterleavedSearchLoop

__all__ = [
    'ArchitectureHook', 'CheckpointError', 'InterleavedSearchLoop', 'SearchOptimWrapperConstructor', 'SearchRunner',
    'SearchTestLoop', 'SearchValLoop', 'check_state_dict'
]
