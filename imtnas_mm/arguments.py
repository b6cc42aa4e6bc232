"""Command-line arguments that several tools share.

PyTorch and OpenMMLab take ten seconds to import. So that ``--help``, a wrong flag and a missing file answer at once, a
tool imports only the standard library, this file and files/inputs.py at module level, and all others in ``main``.
"""
import argparse
from collections.abc import Sequence

from .files.inputs import check_file

EXECUTORS = ('slurm', 'local')  # of jobs by submitit
# options of sbatch with a separate flag
SBATCH_FLAGS = ('partition', 'time', 'nodes', 'ntasks', 'ntasks-per-node', 'cpus-per-task')


def add_config_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        type=_assignment,
        metavar='KEY=VALUE',
        help='override some settings of the config, as in key=value or key="[a,b]"; nested keys by dots')


def _assignment(text: str) -> str:
    if '=' not in text:
        raise argparse.ArgumentTypeError(f'{text}: it must be key=value, as in train_cfg.max_epochs=5')
    return text


def add_launch_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that mmdet's train and test tools share."""
    add_config_options(parser)
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    # torch.distributed.launch passes --local-rank
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def add_source(parser: argparse.ArgumentParser) -> None:
    """The arguments that name an architecture: source, ``--config`` and ``--cfg-options``."""
    parser.add_argument('source', help='an architecture.json; a published name, as fairnas_a or darts_v2 (a wrong one '
                        "lists them all); a string in a benchmark's notation; or, with --config, a search checkpoint")
    parser.add_argument('--config', help='config file of the search that wrote the checkpoint; of an '
                        'architecture.json, a config whose custom_imports has its search space')
    add_config_options(parser)


def check_source(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Leave where the arguments of :func:`add_source` don't go together, or a file of them does not exist."""
    if args.cfg_options and not args.config:
        parser.error('--cfg-options needs --config')
    if args.config:
        check_file(args.config, '--config')
    if args.config or args.source.endswith('.json'):
        check_file(args.source, 'source')


def config_options(texts: Sequence[str] | None) -> dict | None:
    """The values of ``--cfg-options``, parsed by mmengine's rules; ``None`` without any.

    Args:
        texts (list[str], optional): ``key=value`` each.
    """
    if texts is None:
        return None
    from mmengine.config import DictAction  # late: see the top of the file
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(['--cfg-options', *texts]).cfg_options
