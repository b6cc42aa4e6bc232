"""Command-line arguments that several tools share; nothing is imported before they are read.

PyTorch and OpenMMLab take ten seconds to import. ``--help`` and a wrong flag answer at once, so a tool's module level
imports the standard library and this file alone, and its ``main`` the rest.
"""
import argparse

EXECUTORS = ('slurm', 'local')  # of jobs by submitit
# options of sbatch that have a flag of their own
SBATCH_FLAGS = ('partition', 'time', 'nodes', 'ntasks', 'ntasks-per-node', 'cpus-per-task')


def add_config_options(parser):
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        metavar='KEY=VALUE',
        help='override some settings of the config, as in key=value or key="[a,b]"; nested keys by dots')


def add_launch_arguments(parser):
    """The flags that mmdet's train and test tools share."""
    add_config_options(parser)
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    # torch.distributed.launch passes --local-rank
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def config_options(texts):
    """dict: the values of ``--cfg-options``, by mmengine's rules; ``None`` without any.

    Args:
        texts (list[str], optional): ``key=value`` each.

    Raises:
        SystemExit: a text isn't ``key=value``.
    """
    if texts is None:
        return None
    from mmengine.config import DictAction  # once the other arguments are read
    for text in texts:
        if '=' not in text:
            raise SystemExit(f'--cfg-options {text}: it must be key=value, as in train_cfg.max_epochs=5')
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(['--cfg-options', *texts]).cfg_options
