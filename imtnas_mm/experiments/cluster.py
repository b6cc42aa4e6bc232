"""Runs as jobs of submitit: on a Slurm cluster, or each in the background of this machine."""
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from ..atomic_files import write_whole
from .cards import Card, CardError, Cards, visible_cards
from .execute import TOOLS, Processes, Stopped, execute
from .records import record_path
from .run import Run

POLL = .1  # seconds between two looks at a run, in its job
REQUEUES = 1000  # of a job at its time limit: each resumes where the last one stopped
SIGNAL_DELAY = 120  # seconds before the time limit, in which a training ends its iteration and writes its checkpoint
END = 600  # seconds that a job whose training got a SIGTERM waits for the end that Slurm announced so
LOCAL_MINUTES = 60 * 24 * 365  # submitit ends a local job after two, if it isn't told


class ClusterError(ValueError):
    """Jobs that can't be submitted here."""


def load_submitit() -> Any:
    """The library.

    Its import would close the log handlers of the whole process, by ``logging.config.dictConfig``; its messages go the
    way of all others instead.

    Raises:
        ClusterError: it is not installed.
    """
    variable = 'SUBMITIT_LOG_LEVEL'
    said = variable in os.environ
    os.environ.setdefault(variable, 'NOCONFIG')
    try:
        import submitit
    except ImportError as error:
        raise ClusterError('--executor: submitit is not installed; pip install -r requirements-slurm.txt') from error
    finally:
        if not said:
            del os.environ[variable]
    return submitit


def blocked_signals() -> set[signal.Signals]:
    """The signal of submitit that a job is about to end, if it is not one that stops a training.

    Slurm sends it to all processes of a job, and it would kill a training.
    """
    name = os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')
    return {getattr(signal, f'SIG{name}')} if name in ('USR1', 'USR2') else set()


class RunJob:
    """What a job does: the steps of a run.

    Told that its time is over, it stops the training by a SIGTERM, which
    writes a checkpoint, and is put into the queue again; there it resumes.

    Args:
        run (Run): whose steps are done.
        work_dir (str): of the experiments; all machines see it.
        tools (str | Path): folder of the tools.
        asked (int | None): GPUs of each training and test, as in :func:`~.execute.execute`.
        cards (dict | None): arguments of :class:`~.cards.Cards`; None: the
            cards that the cluster gives the job.
    """

    processes: Processes
    worker: threading.Thread | None = None  # until it is called

    def __init__(self, run: Run, work_dir: str | Path, tools: str | Path = TOOLS, asked: int | None = None,
                 cards: dict[str, Any] | None = None) -> None:
        self.arguments: dict[str, Any] = dict(
            run=run, work_dir=str(work_dir), tools=str(tools), asked=asked, cards=cards)

    def __getstate__(self) -> dict[str, Any]:
        return dict(arguments=self.arguments)

    def __call__(self) -> dict[str, Any]:
        """The run's record."""
        self.processes = Processes()
        self.outcome: dict[str, Any] = {}
        # the main thread is free for signals, which submitit handles there
        self.worker = threading.Thread(target=self._work)
        self.worker.start()
        try:
            self._wait()
        except BaseException:
            self.processes.stop()
            raise
        error = self.outcome.get('error')
        if isinstance(error, Stopped) and 'SLURM_JOB_ID' in os.environ:
            # Slurm sends a SIGTERM to all processes of a job that it is about to end. The job must be alive then: one
            # that was preempted is queued again by Slurm, one that has ended is not.
            time.sleep(END)
        if error is not None:
            raise error
        return self.outcome['record']

    def _work(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked_signals())  # the processes that this thread starts inherit it
        given: dict[str, Any] = dict(self.arguments)
        cards = given.pop('cards')
        try:
            cards = Cards(**cards) if cards is not None else Cards(_given_cards(), hide=True, shared=False)
            self.outcome['record'] = execute(**given, processes=self.processes, cards=cards)
        except BaseException as error:
            self.outcome['error'] = error

    def _wait(self) -> None:
        # not join(): checkpoint() waits in the handler of a signal, in the midst of this
        while self.worker is not None and self.worker.is_alive():
            time.sleep(POLL)

    def checkpoint(self) -> Any:
        """Called by submitit, in the handler of its signal: what is queued again."""
        if self.worker is not None:
            self.processes.stop()
            self._wait()
        return load_submitit().helpers.DelayedSubmission(RunJob(**self.arguments))


def _given_cards() -> list[Card]:
    """Those that the cluster gave this job."""
    cards = visible_cards()
    if not cards:
        raise CardError('the job was to have a GPU, and PyTorch sees none; a run on CPUs needs --gpus 0')
    return cards


class Cluster:
    """Submits runs and finds their jobs again.

    Args:
        executor (str): one of ``imtnas_mm.arguments.EXECUTORS``.
        work_dir (str): of the experiments.
        partition (str | None): Slurm's.
        minutes (int | None): time limit of a job, after which it is queued again.
        cpus (int | None): of each process of a training.
        options (dict | None): others of sbatch.
    """

    def __init__(self, executor: str, work_dir: str | Path, partition: str | None = None, minutes: int | None = None,
                 cpus: int | None = None, options: dict[str, str] | None = None) -> None:
        self.submitit = load_submitit()
        self.executor, self.work_dir = executor, work_dir
        self.partition, self.minutes, self.cpus, self.options = partition, minutes, cpus, options or {}

    def submit(self, run: Run, job: RunJob, gpus: int, processes: int) -> Any:
        """Start a job for a run; returns submitit's job.

        Args:
            run (Run): that it does.
            job (RunJob): the same, as a job.
            gpus (int): that it needs on its machine.
            processes (int): that its largest step has.
        """
        folder = self._folder(run)
        try:
            executor = self.submitit.AutoExecutor(
                folder, cluster=self.executor, slurm_max_num_timeout=REQUEUES, local_max_num_timeout=REQUEUES)
            common = dict(name=f'imtnas_mm {run.identity}', nodes=1, tasks_per_node=1)
            if self.executor == 'local':
                executor.update_parameters(**common, timeout_min=LOCAL_MINUTES)
            else:
                executor.update_parameters(
                    **common, timeout_min=self.minutes, gpus_per_node=gpus or None, slurm_partition=self.partition,
                    cpus_per_task=None if self.cpus is None else self.cpus * processes,
                    slurm_signal_delay_s=SIGNAL_DELAY, slurm_additional_parameters=dict(self.options) or None)
            submitted = executor.submit(job)
        except RuntimeError as error:  # no srun here, or what sbatch printed
            raise ClusterError(f'--executor {self.executor}: {error}') from error
        if self.executor == 'slurm':
            write_whole(folder.parent / 'job.json', json.dumps(dict(id=submitted.job_id)) + '\n')
        return submitted

    def current(self, run: Run) -> Any:
        """The run's job in the queue or at work, submitted before; None if there is none. Local jobs end with the
        process that submitted them."""
        path = self._folder(run).parent / 'job.json'
        if self.executor != 'slurm' or not path.exists():
            return None
        job = self.submitit.SlurmJob(self._folder(run), json.loads(path.read_text(encoding='utf-8'))['id'])
        return None if job.done(force_check=True) else job

    def _folder(self, run: Run) -> Path:
        return (record_path(self.work_dir, run.identity).parent / 'jobs').absolute()
