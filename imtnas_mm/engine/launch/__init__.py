"""From the command line to a run: the config, its checks, the processes of a job, the runner, a search's phases."""
from .config import (
    build_runner,
    check_data,
    check_work_dir,
    is_search,
    load_config,
    named_faults,
)

__all__ = [
    'build_runner', 'check_data', 'check_work_dir', 'is_search', 'load_config',
    'named_faults'
]
