"""Test a search or a retrained network: COCO AP by size and threshold, top-1 and top-5, whatever the config has."""
import argparse
import os.path as osp

from imtnas_mm.checkpoint import check_checkpoint_file
from imtnas_mm.engine.launch import add_common_arguments, build_runner, is_search, load_config


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


def main(argv=None):
    args = parse_args(argv)
    if not osp.isfile(args.checkpoint):
        raise SystemExit(f'checkpoint: {args.checkpoint} is not a file')
    cfg = load_config(args)
    if is_search(cfg) and (args.out or args.show_dir):
        raise SystemExit('--out and --show-dir are for retrained networks; a search checkpoint is only evaluated')
    cfg.load_from = args.checkpoint
    if args.show_dir:
        hook = cfg.default_hooks.get('visualization')
        if hook is None:
            raise SystemExit(f'--show-dir: {args.config} has no default_hooks.visualization to paint with')
        hook.update({'DetVisualizationHook': dict(draw=True, test_out_dir=args.show_dir),
                     'VisualizationHook': dict(enable=True, out_dir=args.show_dir)}[hook.type.rpartition('.')[2]])
    if args.out:
        if not args.out.endswith(('.pkl', '.pickle')):
            raise SystemExit(f'--out {args.out}: the dump is a pickle; name a .pkl file')
        dump = dict(type='DumpResults', out_file_path=args.out)
        evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, (list, tuple)) else [cfg.test_evaluator]
        cfg.test_evaluator = [*evaluators, dump]
    runner = build_runner(cfg)
    if not is_search(cfg):  # mmengine would skip what doesn't fit, and test the rest
        check_checkpoint_file(args.checkpoint, runner.model)
    runner.test()


if __name__ == '__main__':
    main()
