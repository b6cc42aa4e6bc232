"""Runs a search or a retraining for tools/train.py."""
import argparse
import signal
import sys
import time
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from ...checkpoint import check_checkpoint_file
from ...compat.runner import checkpoint_of
from ...datasets import log_dropped
from ..hooks.termination_hook import Terminated, sigterm_noted
from .build import build_runner
from .checks import check_data, check_future_work_dir, check_work_dir, named_faults
from .config import is_search, load_config
from .dry_run import dry_run
from .phases import run_phases
from .process_group import leave_group
from .total_batch import warn_of_other_batches

INTERRUPTED = 128 + signal.SIGINT  # the exit code of a shell's command that Ctrl-C ended


def train(args: argparse.Namespace) -> None:
    """Train as the arguments of tools/train.py say."""
    with sigterm_noted():
        cfg = load_config(args)
        if args.dry_run:
            print_dry_run(cfg, args.config)
            leave_group()
            return
        check_work_dir(cfg.work_dir)
        started = time.time()
        try:
            with named_faults(cfg.work_dir):
                run(cfg)
        except Terminated:
            leave_group()
            raise
        except KeyboardInterrupt:
            if is_main_process():
                print(f'\n{left_by(cfg.work_dir, started)}', file=sys.stderr)
            raise SystemExit(INTERRUPTED) from None
        leave_group()


def left_by(work_dir: str, started: float) -> str:
    """What a training that Ctrl-C ended leaves to go on from.

    Args:
        work_dir (str): of the training; its phases lie below.
        started (float): when it started, in seconds since the epoch.
    """
    names = [path for pattern in ('last_checkpoint', 'phase*/last_checkpoint') for path in Path(work_dir).glob(pattern)]
    written = [path for path in names if path.stat().st_mtime >= started]
    if not written:
        return 'Interrupted before this training wrote a checkpoint.' + (
            f' Those of an earlier one are in {work_dir}.' if names else '')
    last = max(written, key=lambda path: path.stat().st_mtime)
    return (f'Interrupted. The last checkpoint is {last.read_text()}; --resume with --work-dir {work_dir} goes on from '
            'there. What came after it is lost (a SIGTERM writes a checkpoint first).')


def print_dry_run(cfg: Config, config: str) -> None:
    """Print the run of a config; exit if it would fail."""
    try:
        check_future_work_dir(cfg.work_dir)
        done = dry_run(cfg)
    except Exception as error:  # whatever the run would raise
        raise SystemExit(f'dry run: {config}: {type(error).__name__}: {error}') from error
    metrics = 'not known before they are computed' if done.validated is None else ', '.join(sorted(done.validated))
    for line in (*done.lines, f'metrics of the validation: {metrics}', f'work dir: {cfg.work_dir}'):
        print(f'dry run: {line}')


def run(cfg: Config) -> None:
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
