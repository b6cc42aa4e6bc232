"""Search an architecture, or retrain a derived one: which, the config says."""
import argparse

from imtnas_mm.checkpoint import check_checkpoint_file
from imtnas_mm.datasets import log_dropped
from imtnas_mm.engine.hooks.termination_hook import Terminated, sigterm_noted
from imtnas_mm.engine.launch import (
    add_common_arguments,
    build_runner,
    check_data,
    check_work_dir,
    is_search,
    load_config,
    named_faults,
)
from imtnas_mm.engine.launch.phases import run_phases
from imtnas_mm.engine.launch.process_group import leave_group, run_as_program
from imtnas_mm.engine.launch.total_batch import warn_of_other_batches


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description='Search an architecture or retrain a derived one')
    parser.add_argument('config', help='config file of a search (configs/imtnas_*.py) or of a retraining '
                        '(configs/retrain/)')
    parser.add_argument('--work-dir', help='the dir to save logs, checkpoints and the architecture')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='a checkpoint to resume from; without a path, the latest one in the work dir')
    parser.add_argument('--amp', action='store_true', help='mixed precision: bfloat16 for the weight stages of a '
                        "search, mmengine's AmpOptimWrapper for a retraining")
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate of a retraining with '
                        'its batch size')
    parser.add_argument('--architecture', help='what to retrain: an architecture.json or a published name; sets '
                        'model.backbone.architecture')
    add_common_arguments(parser)
    return parser.parse_args(argv)


def train(cfg):
    if cfg.get('phases'):
        run_phases(cfg)
        return
    dropped = check_data(cfg, 'train', 'val')
    runner = build_runner(cfg)
    log_dropped(dropped)
    warn_of_other_batches(runner)
    if cfg.get('resume') and not is_search(cfg):  # mmengine would skip what doesn't fit; a search checks it itself
        if runner._load_from:
            check_checkpoint_file(runner._load_from, runner.model, resumed=True)
    runner.train()


def main(argv=None):
    args = parse_args(argv)
    with sigterm_noted():
        cfg = load_config(args)
        check_work_dir(cfg.work_dir)
        try:
            with named_faults(cfg.work_dir):
                train(cfg)
        except Terminated:
            leave_group()
            raise
        leave_group()


if __name__ == '__main__':
    run_as_program(main)
