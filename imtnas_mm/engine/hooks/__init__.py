"""Hooks of mmengine's Runner: checkpoints, the architecture in log, history and table, the page of a search, times of
epochs, checks of data, numbers and the transfer, SIGTERM."""
from .architecture_hook import ArchitectureHook
from .checkpoint_hook import AtomicCheckpointHook
from .data_hook import DataHook
from .drop_path_hook import DropPathHook
from .epoch_time_hook import EpochTimeHook
from .finite_hook import FiniteHook
from .genotype_hook import GenotypeHook
from .history_hook import HistoryHook
from .lookup_hook import LookupHook
from .report_hook import ReportHook
from .termination_hook import TerminationHook
from .transfer_hook import TransferHook
from .validated_hook import ValidatedHook
from .version_hook import VersionHook
from .workers_hook import WorkersHook

__all__ = [
    'ArchitectureHook', 'AtomicCheckpointHook', 'DataHook', 'DropPathHook', 'EpochTimeHook', 'FiniteHook',
    'GenotypeHook', 'HistoryHook', 'LookupHook', 'ReportHook', 'TerminationHook', 'TransferHook', 'ValidatedHook',
    'VersionHook', 'WorkersHook'
]
