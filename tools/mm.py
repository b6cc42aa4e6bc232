"""Run a tool of mmdet or mmpretrain on a config of a search, a joint training or a retraining."""
import argparse
import runpy
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from imtnas_mm.files.inputs import check_file

# tool -> its file below .mim/tools of each library that has it
TOOLS = dict(
    browse_dataset=dict(mmdet='analysis_tools/browse_dataset.py', mmpretrain='visualization/browse_dataset.py'),
    get_flops=dict(mmdet='analysis_tools/get_flops.py', mmpretrain='analysis_tools/get_flops.py'),
    print_config=dict(mmdet='misc/print_config.py', mmpretrain='misc/print_config.py'),
    benchmark=dict(mmdet='analysis_tools/benchmark.py'),
    vis_scheduler=dict(mmpretrain='visualization/vis_scheduler.py'))


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Run a tool of mmdet or mmpretrain; arguments that aren't listed here are the tool's",
        allow_abbrev=False)
    parser.add_argument('tool', choices=sorted(TOOLS))
    parser.add_argument('config', help='config file of a search or of a retraining')
    parser.add_argument('--of', metavar='TASK', help='the task whose data the tool gets, in a search or a joint '
                        'training')
    parser.add_argument('--optimizer', metavar='NAME', help='the optimiser of a search, for vis_scheduler: encoder, '
                        'head or architecture')
    args, args.rest = parser.parse_known_args(argv)
    check_file(args.config, 'config')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.compat.figures import bbox_without_renderer
    from imtnas_mm.engine.launch.mm_tools import config_for, tool_file
    try:
        path = tool_file(TOOLS[args.tool], args.config, args.of)
        cfg, more = config_for(args.tool, args.config, args.of, args.optimizer)
    except (RuntimeError, ValueError) as error:
        sys.exit(f'mm: {args.tool}: {error}')
    with tempfile.TemporaryDirectory() as folder:
        config = args.config
        if cfg is not None:
            config = str(Path(folder) / Path(args.config).name)
            cfg.dump(config)
        before, sys.argv = sys.argv, [path, config, *more, *args.rest]
        try:
            with bbox_without_renderer():
                runpy.run_path(path, run_name='__main__')
        finally:
            sys.argv = before


if __name__ == '__main__':
    main()
