"""Test a search, or retrained networks: COCO AP by size and threshold, top-1 and top-5, whatever the config has."""
import argparse
import os.path as osp

from imtnas_mm.checkpoint import check_checkpoint_file
from imtnas_mm.datasets import log_dropped
from imtnas_mm.engine.launch import (
    add_common_arguments,
    build_runner,
    check_data,
    check_file,
    check_work_dir,
    is_search,
    load_config,
    named_faults,
)
from imtnas_mm.engine.launch.process_group import leave_group, run_as_program
from imtnas_mm.tasks.joint_model import is_joint


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description='Test a search checkpoint or a retrained network')
    parser.add_argument('config', help='the config the checkpoint was made with')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='the dir to save the evaluation metrics')
    parser.add_argument('--out', help='dump predictions to this .pkl file, for offline evaluation')
    parser.add_argument('--show-dir', help='save images with predictions painted on them here (under the work dir)')
    parser.add_argument('--architecture', help='the architecture of a retrained network: an architecture.json or a '
                        'published name; sets model.backbone.architecture')
    add_common_arguments(parser)
    return parser.parse_args(argv)


def paint(cfg, folder, config):
    """Have the config's visualization hook paint every test image into ``folder``."""
    hook = cfg.get('default_hooks', {}).get('visualization') or {}
    options = dict(
        DetVisualizationHook=dict(draw=True, test_out_dir=folder),
        # mmdet's hook puts it under the work dir, mmpretrain's does not
        VisualizationHook=dict(enable=True, interval=1, out_dir=osp.join(cfg.work_dir, folder)),
    ).get(hook.get('type', '').rpartition('.')[2])
    if options is None:
        raise SystemExit(f'--show-dir: default_hooks.visualization of {config} is {dict(hook)}; it must be '
                         "mmdet's DetVisualizationHook or mmpretrain's VisualizationHook")
    hook.update(options)


def dump(cfg, path):
    """Add the metric that writes the predictions to ``path``."""
    if not path.endswith(('.pkl', '.pickle')):
        raise SystemExit(f'--out {path}: the dump is a pickle; name a .pkl file')
    metric = 'mmdet.DumpDetResults' if cfg.get('default_scope') == 'mmdet' else 'DumpResults'
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, (list, tuple)) else [cfg.test_evaluator]
    cfg.test_evaluator = [*evaluators, dict(type=metric, out_file_path=path)]


def main(argv=None):
    args = parse_args(argv)
    check_file('checkpoint', args.checkpoint)
    cfg = load_config(args)
    check_work_dir(cfg.work_dir)
    if (is_search(cfg) or is_joint(cfg)) and (args.out or args.show_dir):
        raise SystemExit(f'--out and --show-dir are for networks of one task; {args.config} is of several, which are '
                         'only evaluated')
    cfg.load_from = args.checkpoint
    if args.show_dir:
        paint(cfg, args.show_dir, args.config)
    if args.out:
        dump(cfg, args.out)
    dropped = check_data(cfg, 'test')
    runner = build_runner(cfg)
    log_dropped(dropped)
    if not is_search(cfg):  # mmengine would skip what doesn't fit, and test the rest
        check_checkpoint_file(args.checkpoint, runner.model)
    with named_faults(cfg.work_dir):
        runner.test()
    leave_group()


if __name__ == '__main__':
    run_as_program(main)
