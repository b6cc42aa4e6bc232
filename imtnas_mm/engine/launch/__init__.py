"""From the command line to a run: the config, its checks, the processes of a job, the runner, a search's phases."""
from .config import (
    add_common_arguments,
    build_runner,
    check_data,
    check_file,
    check_work_dir,
    is_search,
    load_config,
    named_faults,
)

__all__ = [
    'add_common_arguments', 'build_runner', 'check_data', 'check_file', 'check_work_dir', 'is_search', 'load_config',
    'named_faults'
]
