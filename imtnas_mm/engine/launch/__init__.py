"""Starts runs for the tools: loads and checks the config, joins the process group, builds the runner, runs phases."""
from .build import build_runner
from .checks import check_data, check_work_dir, named_faults
from .config import is_search, load_config

__all__ = [
    'build_runner', 'check_data', 'check_work_dir', 'is_search', 'load_config',
    'named_faults'
]
