"""Run a declared experiment: search, derive, retrain and test every row with every seed; stopped runs continue.

With --rehearse, run only two iterations of each training on images of noise, and print the cost of the whole.
"""
import argparse
import os.path as osp
from collections.abc import Sequence

from imtnas_mm.arguments import EXECUTORS, SBATCH_FLAGS
from imtnas_mm.files.inputs import check_file

LIMIT = 30  # minutes of a training's rehearsal


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Run the rows and seeds of an experiment that have no record yet')
    parser.add_argument('experiment', nargs='+', help='file in configs/experiments/; --rehearse takes several, and '
                        'folders for their *_paper.py')
    parser.add_argument('--work-dir', default='work_dirs/experiments', help='default: %(default)s')
    parser.add_argument('--jobs', type=int, help='runs at once (default: as many as the GPUs hold; 1 on CPUs; all on a '
                        'Slurm cluster)')
    parser.add_argument('--dry-run', action='store_true', help='list the runs and their states, and build what '
                        'they need: faults of configs, data and metrics are refused within seconds')
    parser.add_argument('--rows', nargs='+', help='only these')
    parser.add_argument('--seeds', nargs='+', type=int, help='only these')
    parser.add_argument('--retry-failed', action='store_true', help='try failed runs again')
    rehearsal = parser.add_argument_group('rehearsal')
    rehearsal.add_argument('--rehearse', action='store_true', help='at full size and without data, on one GPU or a '
                           'CPU: two iterations of every search and retraining, two batches of its validation and of '
                           'its test; print time, memory, and the cost of the whole experiment')
    rehearsal.add_argument('--limit', type=float, metavar='MINUTES', help='for a training, which is skipped if it '
                           f'takes longer (default: {LIMIT})')
    rehearsal.add_argument('--memory', type=float, metavar='GIB', help='of the host, for a training, which is skipped '
                           'if it needs more (default: the free memory, or without a limit where a GPU trains)')
    rehearsal.add_argument('--out', metavar='FILE', help='for the table too: .md or .json')
    gpus = parser.add_argument_group('GPUs')
    gpus.add_argument('--gpus', help='how many, as in 4, or which visible ones, as in 0,2 or 2, (default: all); '
                      '0: run on CPUs')
    gpus.add_argument('--gpus-per-run', type=int, metavar='N', help='GPUs per training and test, one process on each '
                      '(default: as the experiment declares, or 1); on CPUs, the number of processes')
    gpus.add_argument('--runs-per-gpu', type=int, default=1, metavar='N', help='runs that may share a GPU (default: 1)')
    cluster = parser.add_argument_group('jobs, by submitit')
    cluster.add_argument('--executor', choices=EXECUTORS, help='a job for each run: on a Slurm cluster, or in the '
                         'background of this machine, to try it out (default: no jobs, here)')
    cluster.add_argument('--partition', help='of Slurm')
    cluster.add_argument('--time', type=int, metavar='MINUTES', help='limit of a Slurm job, after which it is queued '
                         'again and resumes')
    cluster.add_argument('--cpus', type=int, metavar='N', help='CPUs of each process of a Slurm job')
    cluster.add_argument('--slurm', nargs='+', default=[], metavar='OPTION=VALUE', help='other options of sbatch, as '
                         'in account=me mem=64GB')
    parser.add_argument('--tools', help=argparse.SUPPRESS)  # for tests
    args = parser.parse_args(argv)
    for option in ('jobs', 'gpus_per_run', 'runs_per_gpu', 'time', 'cpus'):
        value = getattr(args, option)
        if value is not None and value < 1:
            parser.error(f'--{option.replace("_", "-")} {value}: it must be at least 1')
    check_rehearsal(parser, args)
    if args.rehearse:
        return args
    check_cluster(parser, args)
    if len(args.experiment) > 1:
        parser.error(f'experiment: {" ".join(args.experiment)}: they run one by one; --rehearse takes several')
    (args.experiment, ) = args.experiment
    check_file(args.experiment, 'experiment')
    return args


def check_rehearsal(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit if options of runs and of a rehearsal contradict each other."""
    if not args.rehearse:
        for option in ('limit', 'memory', 'out'):
            if getattr(args, option) is not None:
                parser.error(f'--{option}: it is of a rehearsal; add --rehearse')
        return
    for option in ('jobs', 'dry_run', 'retry_failed', 'executor', 'partition', 'time', 'cpus', 'slurm', 'tools'):
        if getattr(args, option):
            parser.error(f'--{option.replace("_", "-")}: a rehearsal does its trainings here, one after the other; '
                         'leave it out')
    if args.gpus not in (None, '0') or args.runs_per_gpu > 1:
        parser.error('--gpus: a rehearsal takes the first GPU that it sees, or with --gpus 0 none')
    args.limit = LIMIT if args.limit is None else args.limit
    for option in ('limit', 'memory'):
        value = getattr(args, option)
        if value is not None and value <= 0:
            parser.error(f'--{option} {value:g}: it must be more than 0')
    if args.out and not args.out.endswith(('.md', '.json')):
        parser.error(f'--out {args.out}: it must end in .md or .json')
    for path in args.experiment:
        if not osp.isdir(path):
            check_file(path, 'experiment')


def check_cluster(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exit if options of jobs and of GPUs contradict each other; make ``args.slurm`` a dict."""
    if args.executor != 'slurm':
        for option in ('partition', 'time', 'cpus', 'slurm'):
            if getattr(args, option):
                parser.error(f'--{option}: it is of Slurm jobs; add --executor slurm')
    else:
        if args.gpus not in (None, '0'):
            parser.error(f'--gpus {args.gpus}: Slurm chooses the GPUs of a job; --gpus-per-run sets the GPUs per '
                         'run, and --gpus 0 gives it none')
        if args.runs_per_gpu > 1:
            parser.error(f'--runs-per-gpu {args.runs_per_gpu}: a Slurm job has its GPUs for itself')
        if args.time is None:
            parser.error('--time: it is missing; a Slurm job has a time limit, in minutes')
    options = {}
    for text in args.slurm:
        name, equals, value = text.partition('=')
        if not name or not equals:
            parser.error(f'--slurm {text}: it must be OPTION=VALUE, as in account=me')
        name = name.lstrip('-').replace('_', '-')
        if name in SBATCH_FLAGS:
            parser.error(f'--slurm {text}: {name} is set by --partition, --time, --cpus or --gpus-per-run')
        options[name] = value
    args.slurm = options


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if args.rehearse:
        from imtnas_mm.experiments.rehearsal.run import rehearse
        rehearse(args)
        return
    from imtnas_mm.experiments.compare import compare
    compare(args)


if __name__ == '__main__':
    main()
