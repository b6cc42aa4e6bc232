"""Runs all unfinished rows and seeds of a declared experiment, for tools/compare.py."""
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .cards import Card, CardError, Cards, choose_cards, visible_cards
from .checks import refusals, table_refusals, unchecked
from .cluster import Cluster, ClusterError, RunJob
from .declaration import load_experiment
from .dry_run import dry_runs
from .execute import TOOLS, Processes, Stopped, execute, state_of
from .records import RunRecord
from .run import Run, different_runs, plan_runs
from .write_report import refresh_report

STOPPED = ': stopped'  # the end of what is said of a run that a signal ended
POLL = dict(slurm=10., local=.1)  # seconds between two checks of jobs


def lease_arguments(args: Namespace) -> dict[str, Any]:
    """Arguments of :class:`~imtnas_mm.experiments.cards.Cards` for this machine's GPUs, as ``--gpus`` selects them."""
    visible = visible_cards()
    return dict(cards=choose_cards(args.gpus, visible), hide=bool(visible), runs_per_gpu=args.runs_per_gpu)


def jobs_at_once(args: Namespace, runs: Iterable[Run], cards: list[Card] | None) -> int:
    """int: number of simultaneous runs.

    Raises:
        CardError: ``--jobs`` is more than the GPUs hold.
    """
    if not cards:
        return args.jobs or 1
    smallest = min((run.processes(name, args.gpus_per_run) for run in runs for name in run.trainings()), default=1)
    most = max(len(cards) * args.runs_per_gpu // smallest, 1)
    if args.jobs is not None and args.jobs > most:
        raise CardError(f'--jobs {args.jobs}: {len(cards)} GPU(s) with {args.runs_per_gpu} run(s) on each and '
                        f'{smallest} for each run hold {most}; it must be at most that, or --runs-per-gpu more')
    return args.jobs or most


def compare(args: Namespace) -> None:
    """Run an experiment as the arguments of tools/compare.py say."""
    args.tools = args.tools or str(TOOLS)
    try:
        experiment = load_experiment(args.experiment)
        runs = different_runs(plan_runs(experiment, args.rows, args.seeds))
        states = {identity: state_of(run, args.work_dir) for identity, run in runs.items()}
        lease = None if args.executor == 'slurm' else lease_arguments(args)
        cluster = args.executor and Cluster(
            args.executor, args.work_dir, args.partition, args.time, args.cpus, args.slurm)
        cards = lease['cards'] if lease else None
        at_once = len(runs) if lease is None and args.jobs is None else jobs_at_once(args, runs.values(), cards)
    except ValueError as error:
        sys.exit(f'compare: {error}')
    if args.dry_run:
        for identity, run in runs.items():
            job = cluster.current(run) if cluster else None
            print(f'{identity}  {states[identity]:8}  {run.name}' + (f'  (job {job.job_id})' if job else ''))
    todo = [run for identity, run in runs.items() if states[identity] in ('new', 'started') or (
        states[identity] == 'failed' and args.retry_failed)]
    for text in unchecked(todo, args.gpus_per_run):
        print(f'compare: {text}', file=sys.stderr)
    problems = refusals(todo, args.gpus_per_run, len(cards) if cards else None) + table_refusals(todo)
    if args.dry_run and not problems:
        lines, problems = dry_runs(experiment, todo)
        for line in lines:
            print(line)
    if problems:
        sys.exit('\n'.join(['compare: nothing is started:', *problems]))
    if args.dry_run:
        return
    problems = [f'{called(run)}: failed before; --retry-failed tries again' for run in runs.values()
                if states[run.identity] == 'failed' and not args.retry_failed]
    done = [run for run in runs.values() if states[run.identity] == 'finished']
    for run in done:
        print(f'finished: {called(run)}', flush=True)
    if cluster:
        problems += run_as_jobs(todo, cluster, lease, at_once, args)
    else:
        problems += run_here(todo, Cards(**(lease or {})), at_once, args)
    if not any(problem.endswith(STOPPED) for problem in problems):
        try:
            page = refresh_report(experiment, args.work_dir)
        except (OSError, ValueError) as error:  # the runs are done, and tools/report.py says more
            print(f'compare: the report could not be written: {error}', file=sys.stderr)
        else:
            if page is not None:
                print(f'page: {page}')
    if problems:
        sys.exit('\n'.join(['compare: not finished:', *problems]))


def called(run: Run) -> str:
    return f'{run.name} ({run.identity})'


def report(run: Run, record: RunRecord) -> str | None:
    """Print how a run ended; returns the failure, or None."""
    print(f'{record["state"]}: {called(run)}', flush=True)
    return None if record['state'] == 'finished' else f'{called(run)}: {record.get("failure")}'


def on_ending(stop: Callable[..., None]) -> None:
    """Stop at a SIGTERM, and at the SIGHUP of a terminal that is closed unless nohup made the process ignore it."""
    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, stop)


def run_here(runs: Iterable[Run], cards: Cards, at_once: int, args: Namespace) -> list[str]:
    """Does the runs in child processes; returns one text per unfinished run."""
    processes = Processes()

    def stop(*_: Any) -> None:
        processes.stop()

    signal.signal(signal.SIGINT, stop)
    on_ending(stop)

    def do(run: Run) -> str | None:
        try:
            return report(run, execute(run, args.work_dir, processes, args.tools, cards, args.gpus_per_run))
        except Stopped:
            return f'{called(run)}{STOPPED}'
        except BlockingIOError:
            return f'{called(run)}: another process is at it'
        except Exception as error:  # the other runs go on
            return f'{called(run)}: {type(error).__name__}: {error}'

    with ThreadPoolExecutor(at_once) as pool:
        return [problem for problem in pool.map(do, runs) if problem]


def run_as_jobs(runs: Iterable[Run], cluster: Cluster, lease: dict[str, Any] | None, at_once: int,
                args: Namespace) -> list[str]:
    """Does each run as a job, ``at_once`` at a time; returns one text per unfinished run."""
    waiting, at_work, problems = list(runs), {}, []

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    on_ending(stop)
    try:
        while waiting or at_work:
            while waiting and len(at_work) < at_once:
                run = waiting.pop(0)
                at_work[run.identity] = run, job_of(run, cluster, lease, args)
            for run, job in list(at_work.values()):
                if job.done():
                    del at_work[run.identity]
                    problems.append(outcome(run, job))
            time.sleep(POLL[args.executor])
    except KeyboardInterrupt:
        if args.executor == 'local':
            for _, job in at_work.values():
                job.cancel()
            problems += [f'{called(run)}{STOPPED}' for run in (*(run for run, _ in at_work.values()), *waiting)]
        else:
            problems += [f'{called(run)}: job {job.job_id} goes on; started again, this waits for it, and scancel '
                         f'{job.job_id} ends it' for run, job in at_work.values()]
            problems += [f'{called(run)}: not submitted' for run in waiting]
    except ClusterError as error:
        sys.exit(f'compare: {error}')
    return [problem for problem in problems if problem]


def job_of(run: Run, cluster: Cluster, lease: dict[str, Any] | None, args: Namespace) -> Any:
    """The job of a run, submitted before or now."""
    job = cluster.current(run)
    if job is not None:
        print(f'job {job.job_id}, submitted before: {called(run)}', flush=True)
        return job
    most = run.most_processes(args.gpus_per_run)
    on_cpus = args.gpus == '0' or lease is not None
    cards = dict(lease) if lease is not None else dict(hide=True) if on_cpus else None
    job = cluster.submit(run, RunJob(run, args.work_dir, args.tools, args.gpus_per_run, cards),
                         gpus=0 if on_cpus else most, processes=most)
    print(f'job {job.job_id}: {called(run)}', flush=True)
    return job


def outcome(run: Run, job: Any) -> str | None:
    """The failure of an ended job's run, or None."""
    error = job.exception()
    if error is not None:
        return f'{called(run)}: job {job.job_id}: {error}'
    return report(run, job.result())
