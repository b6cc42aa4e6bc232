from ..checkpoint import CheckpointError, check_state_dict
from ..finite import NonFiniteError
from .architecture_hook import ArchitectureHook
from .checkpoint_hook import AtomicCheckpointHook
from .data_hook import DataHook
from .drop_path_hook import DropPathHook
from .evaluation import JointTestLoop, JointValLoop, SearchTestLoop, SearchValLoop
from .joint_loop import JointTrainLoop
from .non_finite import FiniteHook
from .optim import SearchOptimWrapperConstructor
from .retrain_loop import RetrainLoop
from .runner import JointRunner, SearchRunner
from .search_loop import InterleavedSearchLoop
from .termination import TerminationHook
from .version_hook import VersionHook
from .workers_hook import WorkersHook

__all__ = [
    'ArchitectureHook', 'AtomicCheckpointHook', 'CheckpointError', 'DataHook', 'DropPathHook', 'FiniteHook',
    'InterleavedSearchLoop', 'JointRunner', 'JointTestLoop', 'JointTrainLoop', 'JointValLoop', 'NonFiniteError',
    'RetrainLoop', 'SearchOptimWrapperConstructor', 'SearchRunner', 'SearchTestLoop', 'SearchValLoop',
    'TerminationHook', 'VersionHook', 'WorkersHook', 'check_state_dict'
]
