"""Run a declared experiment: search, derive, retrain and test every row with every seed, continuing what stopped."""
import argparse
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

from imtnas_mm.experiments import load_experiment, plan_runs
from imtnas_mm.experiments.execute import TOOLS, Processes, Stopped, execute, state_of


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description='Run the rows and seeds of an experiment that have no record yet')
    parser.add_argument('experiment', help='file in configs/experiments/')
    parser.add_argument('--work-dir', default='work_dirs/experiments', help='default: %(default)s')
    parser.add_argument('--jobs', type=int, default=1, help='runs at once (default: 1)')
    parser.add_argument('--dry-run', action='store_true', help='list the runs and their states')
    parser.add_argument('--rows', nargs='+', help='only these')
    parser.add_argument('--seeds', nargs='+', type=int, help='only these')
    parser.add_argument('--retry-failed', action='store_true', help='try failed runs again')
    parser.add_argument('--tools', default=str(TOOLS), help=argparse.SUPPRESS)  # for tests
    args = parser.parse_args(argv)
    if args.jobs < 1:
        parser.error(f'--jobs {args.jobs}: it must be at least 1')
    return args


def main(argv=None):
    args = parse_args(argv)
    try:
        runs = {run.identity: run for run in plan_runs(load_experiment(args.experiment), args.rows, args.seeds)}
        states = {identity: state_of(run, args.work_dir) for identity, run in runs.items()}
    except ValueError as error:
        sys.exit(f'compare: {error}')
    if args.dry_run:
        for identity, run in runs.items():
            print(f'{identity}  {states[identity]:8}  {run.name}')
        return
    processes = Processes()

    def stop(*_):
        processes.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)

    def one(run):
        name = f'{run.name} ({run.identity})'
        if states[run.identity] == 'failed' and not args.retry_failed:
            return f'{name}: failed before; --retry-failed tries again'
        try:
            record = execute(run, args.work_dir, processes, args.tools)
        except Stopped:
            return f'{name}: stopped'
        except BlockingIOError:
            return f'{name}: another process is at it'
        except Exception as error:  # the other runs go on
            return f'{name}: {type(error).__name__}: {error}'
        print(f'{record["state"]}: {name}', flush=True)
        return None if record['state'] == 'finished' else f'{name}: {record["failure"]}'

    with ThreadPoolExecutor(args.jobs) as pool:
        problems = [problem for problem in pool.map(one, runs.values()) if problem]
    if problems:
        sys.exit('\n'.join(['compare: not finished:', *problems]))


if __name__ == '__main__':
    main()
