"""From the command line to a run: the config, its checks, the processes of a job, the runner, a search's phases."""
from .build import build_runner
from .checks import check_data, check_work_dir, named_faults
from .config import is_search, load_config

__all__ = [
    'build_runner', 'check_data', 'check_work_dir', 'is_search', 'load_config',
    'named_faults'
]
