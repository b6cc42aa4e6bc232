"""Tests a checkpoint for tools/test.py: computes its metrics, and writes or paints its predictions."""
import os.path as osp

from ...checkpoint import check_checkpoint_file
from ...datasets import log_dropped
from ...tasks.joint_model import is_joint
from .build import build_runner
from .checks import check_data, check_work_dir, named_faults
from .config import is_search, load_config
from .process_group import leave_group


def paint(cfg, folder, config):
    """Have the config's visualization hook paint every test image into ``folder``."""
    hook = cfg.get('default_hooks', {}).get('visualization') or {}
    options = dict(
        DetVisualizationHook=dict(draw=True, test_out_dir=folder),
        # mmdet's hook puts the folder under the work dir, mmpretrain's does not
        VisualizationHook=dict(enable=True, interval=1, out_dir=osp.join(cfg.work_dir, folder)),
    ).get(hook.get('type', '').rpartition('.')[2])
    if options is None:
        raise SystemExit(f'--show-dir: default_hooks.visualization of {config} is {dict(hook)}; it must be '
                         "mmdet's DetVisualizationHook or mmpretrain's VisualizationHook")
    hook.update(options)


def dump(cfg, path):
    """Add the metric that writes the predictions to ``path``."""
    metric = 'mmdet.DumpDetResults' if cfg.get('default_scope') == 'mmdet' else 'DumpResults'
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, (list, tuple)) else [cfg.test_evaluator]
    cfg.test_evaluator = [*evaluators, dict(type=metric, out_file_path=path)]


def test(args):
    """Test as the arguments of tools/test.py say."""
    cfg = load_config(args)
    check_work_dir(cfg.work_dir)
    if (is_search(cfg) or is_joint(cfg)) and (args.out or args.show_dir):
        raise SystemExit(f'--out and --show-dir are for networks of one task; {args.config} has several, which are '
                         'only evaluated')
    cfg.load_from = args.checkpoint
    if args.show_dir:
        paint(cfg, args.show_dir, args.config)
    if args.out:
        dump(cfg, args.out)
    dropped = check_data(cfg, 'test')
    runner = build_runner(cfg)
    log_dropped(dropped)
    if not is_search(cfg):  # mmengine would skip entries that don't fit, and test the rest
        check_checkpoint_file(args.checkpoint, runner.model)
    with named_faults(cfg.work_dir):
        runner.test()
    leave_group()
