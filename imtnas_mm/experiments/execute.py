"""Does the steps of a run, each by a tool in a separate process, and keeps the run's record."""
import fcntl
import json
import os
import platform
import shlex
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import find_latest_checkpoint
from mmengine.utils import import_modules_from_strings
from torch.distributed.elastic.multiprocessing import SignalException

from ..analysis.complexity import count_macs, count_parameters
from ..engine.hooks.epoch_time_hook import EPOCH_TIME
from ..engine.hooks.termination_hook import STOPPED
from ..files.atomic import write_whole
from ..genotype import load_genotype, resolve_genotype, save_genotype
from ..registry import SCOPE
from ..shipped import shipped_folder
from ..tables.accuracy import TableError, read_table
from ..tasks.joint_model import joint_backbones
from .cards import Cards, GivenUp
from .lookups import search_history, searched_genotype, table_result
from .records import RunRecord, new_record, read_record, record_path, write_record
from .run import Run, sampler_of

TOOLS = shipped_folder('tools')
TERMINATED = 128 + signal.SIGTERM  # exit code of a training that a SIGTERM stopped; it has written a checkpoint
LOG_LINES = 20  # of a failed step, in the record
POLL = .05  # seconds between two checks of a process
RSS_UNIT = 1 if sys.platform == 'darwin' else 1024  # of ru_maxrss, in bytes
SHUTDOWN = dict(TORCH_ELASTIC_SHUTDOWN_TIMEOUT='120')  # seconds that torchrun gives processes after a SIGTERM; else 30
_building = threading.Lock()  # mmengine's default scope is a global


class Stopped(Exception):
    """The comparison was told to stop."""


class StepFailed(Exception):
    """A step's process ended with an error."""


class Processes:
    """The running processes; ``stop`` ends them with their children, and no further one starts."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: dict[int, subprocess.Popen] = {}  # by number
        self.stopped = False

    def start(self, command: list[str], log: IO, environment: Mapping[str, str] | None = None,
              keep: Collection[int] = ()) -> int:
        """Start a process; returns its id.

        Args:
            environment (dict, optional): variables that are added to the environment.
            keep (list[int]): descriptors of locks, which the process holds as
                long as it lives, even if this one is killed.
        """
        with self.lock:
            if self.stopped:
                raise Stopped
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                                       env={**os.environ, **(environment or {})}, pass_fds=keep)
            self.running[process.pid] = process  # kept, since Python may reap a collected one
            return process.pid

    def wait(self, pid: int) -> tuple[int, int]:
        """(exit code, peak resident bytes) of a started process.

        It is reaped under the lock of ``stop``, so that ``stop`` never signals
        an id that belongs to another process by now.
        """
        while True:
            with self.lock:
                ended, status, usage = os.wait4(pid, os.WNOHANG)
                if ended:
                    process, code = self.running.pop(pid), os.waitstatus_to_exitcode(status)
                    process.returncode = code  # nothing is left to reap
                    return code, usage.ru_maxrss * RSS_UNIT
            time.sleep(POLL)

    def stop(self) -> None:
        with self.lock:
            self.stopped = True
            for pid in self.running:
                with suppress(ProcessLookupError, PermissionError):  # on macOS if it has ended and is not reaped
                    os.killpg(pid, signal.SIGTERM)


def state_of(run: Run, work_dir: str | Path) -> str:
    """``'finished'``, ``'failed'``, ``'started'`` or ``'new'``."""
    record = read_record(record_path(work_dir, run.identity), run.identity)
    return record['state'] if record else 'new'


def execute(run: Run, work_dir: str | Path, processes: Processes, tools: str | Path = TOOLS,
            cards: Cards | None = None, gpus_per_run: int | None = None) -> RunRecord:
    """Do the steps that the run's record lacks; returns the record.

    Args:
        run (Run): to be done.
        work_dir (str | Path): of the experiments.
        processes (Processes): starts the steps.
        tools (str | Path): folder of the tools.
        cards (Cards | None): each training and test leases its GPUs from them;
            None: there are no GPUs.
        gpus_per_run (int | None): GPUs per training and test, or processes where there
            are no GPUs; None: the number that the experiment declares, or 1.

    Raises:
        BlockingIOError: if another process is doing this run.
        Stopped: if the processes were stopped, or a SIGTERM stopped a training;
            the record has the finished steps.
    """
    if processes.stopped:
        raise Stopped
    path = record_path(work_dir, run.identity)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name('lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            steps = _Steps(run, path, processes, Path(tools), cards or Cards(), gpus_per_run, lock.fileno())
            return _execute(run, path, steps)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)


def _execute(run: Run, path: Path, steps: '_Steps') -> RunRecord:
    record = read_record(path, run.identity) or new_record(run)
    if record['state'] == 'finished':
        return record
    record.pop('failure', None)
    record['state'] = 'started'
    write_record(path, record)
    try:
        steps.do(record)
        record['state'] = 'finished'
    except StepFailed as error:
        record.update(state='failed', failure=str(error))
    except GivenUp as error:
        raise Stopped from error
    write_record(path, record)
    return record


class _Steps:

    def __init__(self, run: Run, path: Path, processes: Processes, tools: Path, cards: Cards, gpus_per_run: int | None,
                 lock: int) -> None:
        self.run, self.path, self.processes, self.tools = run, path, processes, tools
        self.cards, self.gpus_per_run, self.lock = cards, gpus_per_run, lock
        self.folder = path.parent

    def do(self, record: RunRecord) -> None:
        self.record = record
        architecture = self.architecture()
        results = self.record['results']
        for name, cfg in self.run.evaluations.items():
            config = self.write_config(name, cfg)
            start = []
            if name in self.run.initial:
                checkpoint = self.checkpoint(self.folder / self.run.initial[name])
                start = ['--cfg-options', f'model.backbone.init_cfg.checkpoint={checkpoint}']
            count = self.run.processes(name, self.gpus_per_run)
            self.train(f'{name}_retrain', config, self.folder / name, count, *architecture, *start)
            folder = self.folder / f'{name}_test'
            self.step(f'{name}_test', 'test.py', count, config, self.checkpoint(self.folder / name), *architecture,
                      '--work-dir', str(folder))
            test, shape = test_metrics(folder), self.run.shapes[name]
            if name in self.run.tasks:
                parameters, macs = joint_complexity(cfg, shape, *architecture[1:])
                for task, filled in self.run.tasks[name].items():
                    results[filled] = dict(test=metrics_of(task, test), parameters=parameters, macs=macs[task])
            else:
                parameters, macs = complexity(cfg, shape, *architecture[1:])
                results[name] = dict(test=test, parameters=parameters, macs=macs)
        try:
            for name, options in self.run.tables.items():
                results[name] = table_result(read_table(options['table'], options['metrics']), options['table'],
                                             results['architecture'], self.history)
        except TableError as error:
            raise StepFailed(str(error)) from error
        if self.history is not None:
            results['history'] = self.history

    def architecture(self) -> list[str]:
        """Search or save the architecture to retrain; returns the option of the tools that names it, if any."""
        path = self.folder / 'architecture.json'
        self.history: dict[str, list] | None = None  # of the architectures that are looked up
        if self.run.search is not None:
            config = self.write_config('search', self.run.search)
            search = self.folder / 'search'
            self.train('search', config, search, self.run.processes('search', self.gpus_per_run))
            if self.run.search.get('phases'):  # the last phase has its config and checkpoints there
                search = search / f'phase{len(self.run.search.phases)}'
                config = str(search / 'search.py')
            self.record['results']['search'] = validations(search)
            if self.run.tables:
                try:
                    self.history = search_history(search)
                except OSError as error:
                    raise StepFailed(f'{error}; a search whose architectures are looked up has a table') from error
            if self.run.search_test:
                folder = self.folder / 'search_test'
                self.step('search_test', 'test.py', self.run.processes('search', self.gpus_per_run), config,
                          self.checkpoint(search), '--work-dir', str(folder), '--cfg-options',
                          'test_cfg.all_rounds=True')
                self.record['results']['search_test'] = dict(test=test_metrics(folder))
            if self.run.evaluations:
                self.step('derive', 'derive.py', 0, config, self.checkpoint(search), '--out', str(path))
            else:  # nothing needs the network's size; the search has derived the architecture
                save_genotype(searched_genotype(search), path)
        elif self.run.sampler is not None:
            self.record['results']['sampler'] = self.sample(path)
        elif self.run.architecture is not None:
            save_genotype(self.run.architecture, path)
        else:
            return []
        self.record['results']['architecture'] = load_genotype(path).to_dict()
        return ['--architecture', str(path)]

    def sample(self, path: Path) -> dict[str, Any]:
        """Leaves the architecture of the sampler, and the best ones before it as the history."""
        options: Any = self.run.sampler
        try:
            table = read_table(options['table'], (options['metric'], ))
            sampled = sampler_of(options).run(table, self.run.seed)
        except TableError as error:
            raise StepFailed(str(error)) from error
        save_genotype(resolve_genotype(sampled.architecture), path)
        best = sampled.best
        if best[-1][0] < sampled.queries:  # the result stays up to the last query
            best = [*best, (sampled.queries, sampled.architecture)]
        self.history = dict(queries=[number for number, _ in best], architecture=[string for _, string in best])
        return dict(queries=sampled.queries, sha256=table.sha256)

    def write_config(self, name: str, cfg: Config) -> str:
        file = self.folder / f'{name}.py'
        if not file.exists():
            write_whole(file, cfg.pretty_text)
        return str(file)

    def train(self, name: str, config: str, folder: Path, count: int, *arguments: str) -> None:
        resume = ['--resume'] if any(folder.rglob('last_checkpoint')) else []
        self.step(name, 'train.py', count, config, '--work-dir', str(folder), *resume, *arguments)

    def checkpoint(self, folder: Path) -> str:
        latest = find_latest_checkpoint(str(folder))
        if latest is None:
            raise StepFailed(f'{folder} holds no checkpoint')
        return str(Path(folder, Path(latest).name))  # the folder may have moved

    def step(self, name: str, tool: str, count: int, *arguments: str) -> None:
        """Run a tool unless the record has it as finished, with ``count`` processes on one GPU each, or one process."""
        steps = self.record['steps']
        if steps.get(name, {}).get('state') == 'finished':
            return
        with self.cards.lease(count, lambda: self.processes.stopped) as lease:
            command = self.command(tool, count, arguments)
            environment = {**lease.environment(), **(SHUTDOWN if count > 1 else {})}
            with open(self.folder / 'commands.sh', 'a', encoding='utf-8') as file:
                file.write(' '.join([f'{key}={value}' for key, value in environment.items()] + [shlex.join(command)])
                           + '\n')
            log = self.folder / f'{name}.log'
            before = self.before(name, log)
            steps[name] = dict(before, state='unfinished', begun=time.time())
            write_record(self.path, self.record)
            begin = time.monotonic()
            with open(log, 'ab') as file:
                place = file.tell()
                code, peak = self.processes.wait(self.processes.start(
                    command, file, environment, [self.lock, *lease.files]))
        folder = self.folder / name.removesuffix('_retrain')
        steps[name] = dict(  # time of all attempts
            seconds=round(before['seconds'] + time.monotonic() - begin, 2),
            peak_memory=max(before['peak_memory'], peak),
            logged_memory_mb=logged_memory(folder),
            epoch_seconds=epoch_seconds(folder),
            machine=platform.node(),
            processes=max(count, 1),
            gpus=[dict(id=card.id, name=card.name) for card in lease.cards],
            state='finished' if code == 0 else 'unfinished')
        write_record(self.path, self.record)
        if code == 0:
            return
        text = log.read_bytes()[place:].decode('utf-8', errors='replace')
        if self.processes.stopped or terminated(code, text, count):
            raise Stopped
        raise StepFailed('\n'.join([f'{name}: exit code {code}', *text.splitlines()[-LOG_LINES:]]))

    def before(self, name: str, log: Path) -> dict[str, Any]:
        """Seconds and peak memory of the earlier attempts at a step.

        A comparison that was killed has not noted the end of its attempt. The step itself went on, and its log was
        last written near its end.
        """
        step = self.record['steps'].get(name, {})
        seconds = step.get('seconds', 0.)
        if 'begun' in step and log.is_file():
            seconds += max(0., log.stat().st_mtime - step['begun'])
        return dict(seconds=round(seconds, 2), peak_memory=step.get('peak_memory', 0))

    def command(self, tool: str, count: int, arguments: tuple[str, ...]) -> list[str]:
        if count < 2:
            return [sys.executable, str(self.tools / tool), *arguments]
        return [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', str(count),
                str(self.tools / tool), *arguments, '--launcher', 'pytorch']


def terminated(code: int, text: str, count: int) -> bool:
    """Whether a SIGTERM ended a step, by its exit code and its output.

    torchrun then exits with 1. Its traceback names the exception if torchrun
    got the signal; the training logs it if one of its processes got it.
    """
    if count < 2:
        return code in (TERMINATED, -signal.SIGTERM)
    return STOPPED in text or SignalException.__name__ in text


def _logged(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(Path(folder).rglob('vis_data/scalars.json')):  # also of the phases of a search
        for line in file.read_text(encoding='utf-8').splitlines():
            try:
                yield json.loads(line)
            except ValueError:  # the last line of a process that was stopped
                continue


def logged_memory(folder: Path) -> float | None:
    """The largest ``memory`` in MB that the runner logged, of a GPU if there is one; None if it logged none."""
    return max((line['memory'] for line in _logged(folder) if 'memory' in line), default=None)


def epoch_seconds(folder: Path) -> float | None:
    """Mean seconds of an epoch over the epochs of which a training, in all its phases, logged them; else None."""
    seconds = [line[EPOCH_TIME] for line in _logged(folder) if EPOCH_TIME in line]
    return round(statistics.fmean(seconds), 3) if seconds else None


def validations(folder: Path) -> dict[str, Any]:
    """dict: step of the search -> metrics of its validation."""
    metrics = {}
    for line in _logged(folder):
        if 'iter' not in line:  # lines of training have it
            metrics[str(line['step'])] = {key: value for key, value in line.items()
                                          if key not in ('step', 'time', 'data_time')}
    return metrics


def test_metrics(folder: Path) -> dict[str, Any]:
    """The metrics that tools/test.py wrote into a folder."""
    files = [file for file in sorted(Path(folder).glob('*/*.json')) if file.parent.name == file.stem]
    if not files:
        raise StepFailed(f'{folder} holds no metrics of a test')
    metrics = json.loads(files[-1].read_text(encoding='utf-8'))
    return {key: value for key, value in metrics.items() if key not in ('time', 'data_time')}


def metrics_of(task: str, metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics of one task, without its name in front."""
    return {key.removeprefix(f'{task}/'): value for key, value in metrics.items() if key.startswith(f'{task}/')}


def joint_complexity(cfg: Config, shapes: Mapping[str, tuple[int, int]], architecture: str | None = None) -> tuple[int,
                     dict[str, int]]:
    """(parameters, task -> MACs) of the backbones of a resolved joint retraining.

    Parameters are counted over all backbones, shared ones once; MACs for the
    backbone of each task.
    """
    with _building:
        import_modules_from_strings(**cfg.get('custom_imports', dict(imports=[])))
        backbone = dict(cfg.model.backbone, **{} if architecture is None else dict(architecture=architecture))
        networks = joint_backbones(backbone, cfg.model.tasks)
        return count_parameters(networks), {
            task: count_macs(networks[task], (3, *shape)) for task, shape in shapes.items()}


def complexity(cfg: Config, shape: tuple[int, int], architecture: str | None = None) -> tuple[int, int]:
    """(parameters, MACs) of the backbone of a resolved retraining, with the architecture in a file."""
    with _building, DefaultScope.overwrite_default_scope(cfg.get('default_scope', SCOPE)):
        import_modules_from_strings(**cfg.get('custom_imports', dict(imports=[])))  # they register the backbone
        options = {key: value for key, value in cfg.model.backbone.items() if key != 'init_cfg'}
        if architecture is not None:
            options['architecture'] = architecture
        network = MODELS.build(options)
        return count_parameters(network), count_macs(network, (3, *shape))
