"""Search an architecture or retrain a derived one, as the config says."""
import argparse
from collections.abc import Sequence

from imtnas_mm.arguments import add_launch_arguments
from imtnas_mm.files.inputs import check_file


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
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
    parser.add_argument('--architecture', help='the architecture to retrain: an architecture.json or a published name; '
                        'sets model.backbone.architecture')
    parser.add_argument('--dry-run', action='store_true', help='build everything, describe the run, and run nothing: '
                        'wrong fields, missing data files and unknown metrics are refused within seconds')
    add_launch_arguments(parser)
    args = parser.parse_args(argv)
    check_file(args.config, 'config')
    if args.resume not in (None, 'auto'):
        check_file(args.resume, '--resume')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    from imtnas_mm.engine.launch.train import train
    train(args)


if __name__ == '__main__':
    parse_args()
    from imtnas_mm.engine.launch.process_group import run_as_program
    run_as_program(main)
