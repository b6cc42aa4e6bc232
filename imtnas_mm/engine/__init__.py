"""Hooks, loops and runners with which mmengine runs searches and retrainings, and the launch code of the tools."""
from ..checkpoint import CheckpointError, check_state_dict
from ..finite import NonFiniteError
from .hooks import (
    ArchitectureHook,
    AtomicCheckpointHook,
    DataHook,
    DropPathHook,
    EpochTimeHook,
    FiniteHook,
    GenotypeHook,
    HistoryHook,
    ReportHook,
    TerminationHook,
    VersionHook,
    WorkersHook,
)
from .log_processor import SearchLogProcessor, TaskLogProcessor
from .loops import (
    InterleavedSearchLoop,
    JointTestLoop,
    JointTrainLoop,
    JointValLoop,
    RetrainLoop,
    SearchTestLoop,
    SearchValLoop,
)
from .optim import SearchOptimWrapperConstructor
from .runner import JointRunner, SearchRunner

__all__ = [
    'ArchitectureHook', 'AtomicCheckpointHook', 'CheckpointError', 'DataHook', 'DropPathHook', 'EpochTimeHook',
    'FiniteHook', 'GenotypeHook', 'HistoryHook', 'InterleavedSearchLoop', 'JointRunner', 'JointTestLoop',
    'JointTrainLoop', 'JointValLoop', 'NonFiniteError', 'ReportHook', 'RetrainLoop', 'SearchLogProcessor',
    'SearchOptimWrapperConstructor', 'SearchRunner', 'SearchTestLoop', 'SearchValLoop', 'TaskLogProcessor',
    'TerminationHook', 'VersionHook', 'WorkersHook', 'check_state_dict'
]
