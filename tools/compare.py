"""Run a declared experiment: search, derive, retrain and test every row with every seed; stopped runs continue."""
import argparse

from imtnas_mm.arguments import EXECUTORS, SBATCH_FLAGS, check_file


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description='Run the rows and seeds of an experiment that have no record yet')
    parser.add_argument('experiment', help='file in configs/experiments/')
    parser.add_argument('--work-dir', default='work_dirs/experiments', help='default: %(default)s')
    parser.add_argument('--jobs', type=int, help='runs at once (default: as many as the GPUs hold; 1 on CPUs; all on a '
                        'Slurm cluster)')
    parser.add_argument('--dry-run', action='store_true', help='list the runs and their states, and build what '
                        'they need: faults of configs, data and metrics are refused within seconds')
    parser.add_argument('--rows', nargs='+', help='only these')
    parser.add_argument('--seeds', nargs='+', type=int, help='only these')
    parser.add_argument('--retry-failed', action='store_true', help='try failed runs again')
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
    check_cluster(parser, args)
    check_file('experiment', args.experiment)
    return args


def check_cluster(parser, args):
    """Exit if options of jobs and of GPUs contradict each other; make ``args.slurm`` a dict."""
    if args.executor != 'slurm':
        for option in ('partition', 'time', 'cpus', 'slurm'):
            if getattr(args, option):
                parser.error(f'--{option}: it is of Slurm jobs; add --executor slurm')
    else:
        if args.gpus not in (None, '0'):
            parser.error(f'--gpus {args.gpus}: Slurm chooses the GPUs of a job; --gpus-per-run says how many a run '
                         'gets, and --gpus 0 that it gets none')
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


def main(argv=None):
    args = parse_args(argv)
    from imtnas_mm.experiments.compare import compare
    compare(args)


if __name__ == '__main__':
    main()
