"""Runs a search or a retraining for tools/train.py."""
from ...checkpoint import check_checkpoint_file
from ...compat.runner import checkpoint_of
from ...datasets import log_dropped
from ..hooks.termination_hook import Terminated, sigterm_noted
from .build import build_runner
from .checks import check_data, check_work_dir, named_faults
from .config import is_search, load_config
from .phases import run_phases
from .process_group import leave_group
from .total_batch import warn_of_other_batches


def train(args):
    """Train as the arguments of tools/train.py say."""
    with sigterm_noted():
        cfg = load_config(args)
        check_work_dir(cfg.work_dir)
        try:
            with named_faults(cfg.work_dir):
                run(cfg)
        except Terminated:
            leave_group()
            raise
        leave_group()


def run(cfg):
    """Train as a config says."""
    if cfg.get('phases'):
        run_phases(cfg)
        return
    dropped = check_data(cfg, 'train', 'val')
    runner = build_runner(cfg)
    log_dropped(dropped)
    warn_of_other_batches(runner)
    if cfg.get('resume') and not is_search(cfg):  # mmengine would skip entries that don't fit
        checkpoint = checkpoint_of(runner)
        if checkpoint:
            check_checkpoint_file(checkpoint, runner.model, resumed=True)
    runner.train()
