"""Submits runs as jobs by submitit: on a Slurm cluster, or in the background of this machine."""
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from ..files.atomic import write_whole
from .cards import Card, CardError, Cards, visible_cards
from .execute import TOOLS, Processes, Stopped, execute
from .records import record_path
from .run import Run

POLL = .1  # seconds between two checks of a run, in its job
REQUEUES = 1000  # how often a job is queued again at its time limit; it resumes where it stopped
SIGNAL_DELAY = 120  # seconds before the time limit, in which a training ends its iteration and writes its checkpoint
END = 600  # seconds for which a job waits to be ended by Slurm, after a SIGTERM announced its end
LOCAL_MINUTES = 60 * 24 * 365  # submitit's default ends a local job after two minutes


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
    is_set = variable in os.environ
    os.environ.setdefault(variable, 'NOCONFIG')
    try:
        import submitit
    except ImportError as error:
        raise ClusterError('--executor: submitit is not installed; pip install -r requirements-slurm.txt') from error
    finally:
        if not is_set:
            del os.environ[variable]
    return submitit


def blocked_signals() -> set[signal.Signals]:
    """submitit's signal for the near end of a job, if a training would die of it.

    Slurm sends it to all processes of a job.
    """
    name = os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')
    return {getattr(signal, f'SIG{name}')} if name in ('USR1', 'USR2') else set()


class RunJob:
    """A job: does the steps of a run.

    At the end of its time it stops the training by a SIGTERM, so that a
    checkpoint is written, and is queued again; then it resumes.

    Args:
        run (Run): to be done.
        work_dir (str): of the experiments; all machines must see it.
        tools (str | Path): folder of the tools.
        gpus_per_run (int | None): GPUs of each training and test, as in :func:`~.execute.execute`.
        cards (dict | None): arguments of :class:`~.cards.Cards`; None uses the
            cards that the cluster assigned.
    """

    processes: Processes
    worker: threading.Thread | None = None  # set by the call

    def __init__(self, run: Run, work_dir: str | Path, tools: str | Path = TOOLS, gpus_per_run: int | None = None,
                 cards: dict[str, Any] | None = None) -> None:
        self.arguments: dict[str, Any] = dict(
            run=run, work_dir=str(work_dir), tools=str(tools), gpus_per_run=gpus_per_run, cards=cards)

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
            # Slurm sends a SIGTERM to all processes of a job before it ends the job. It queues a preempted job again,
            # but not a job that has ended by itself, so this one stays alive.
            time.sleep(END)
        if error is not None:
            raise error
        return self.outcome['record']

    def _work(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked_signals())  # the processes that this thread starts inherit it
        arguments: dict[str, Any] = dict(self.arguments)
        cards = arguments.pop('cards')
        try:
            cards = Cards(**cards) if cards is not None else Cards(_assigned_cards(), hide=True, shared=False)
            self.outcome['record'] = execute(**arguments, processes=self.processes, cards=cards)
        except BaseException as error:
            self.outcome['error'] = error

    def _wait(self) -> None:
        # not join(): a signal may interrupt it, and the handler calls checkpoint(), which waits here again
        while self.worker is not None and self.worker.is_alive():
            time.sleep(POLL)

    def checkpoint(self) -> Any:
        """The job to queue again; submitit calls it in the handler of its signal."""
        if self.worker is not None:
            self.processes.stop()
            self._wait()
        return load_submitit().helpers.DelayedSubmission(RunJob(**self.arguments))


def _assigned_cards() -> list[Card]:
    """The cards that the cluster assigned to this job."""
    cards = visible_cards()
    if not cards:
        raise CardError('the job was to have a GPU, and PyTorch sees none; a run on CPUs needs --gpus 0')
    return cards


class Cluster:
    """Submits runs, and finds their jobs again.

    Args:
        executor (str): one of ``imtnas_mm.arguments.EXECUTORS``.
        work_dir (str): of the experiments.
        partition (str | None): of Slurm.
        minutes (int | None): time limit of a job, after which it is queued again.
        cpus (int | None): per process of a training.
        options (dict | None): other options of sbatch.
    """

    def __init__(self, executor: str, work_dir: str | Path, partition: str | None = None, minutes: int | None = None,
                 cpus: int | None = None, options: dict[str, str] | None = None) -> None:
        self.submitit = load_submitit()
        self.executor, self.work_dir = executor, work_dir
        self.partition, self.minutes, self.cpus, self.options = partition, minutes, cpus, options or {}

    def submit(self, run: Run, job: RunJob, gpus: int, processes: int) -> Any:
        """Start a job for a run; returns submitit's job.

        Args:
            run (Run): to be done.
            job (RunJob): of the run.
            gpus (int): that the job needs on its machine.
            processes (int): of the run's largest step.
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
        except RuntimeError as error:  # srun is missing, or sbatch failed
            raise ClusterError(f'--executor {self.executor}: {error}') from error
        if self.executor == 'slurm':
            write_whole(folder.parent / 'job.json', json.dumps(dict(id=submitted.job_id)) + '\n')
        return submitted

    def current(self, run: Run) -> Any:
        """The run's queued or running job; None if there is none. Local jobs end with the process that submitted them.
        """
        path = self._folder(run).parent / 'job.json'
        if self.executor != 'slurm' or not path.exists():
            return None
        job = self.submitit.SlurmJob(self._folder(run), json.loads(path.read_text(encoding='utf-8'))['id'])
        return None if job.done(force_check=True) else job

    def _folder(self, run: Run) -> Path:
        return (record_path(self.work_dir, run.identity).parent / 'jobs').absolute()
