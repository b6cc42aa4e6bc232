"""Rehearses all rows of experiments, for tools/compare.py --rehearse."""
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ...files.atomic import write_whole
from ..checks import refusals
from ..declaration import ExperimentError, load_experiment
from ..run import plan_runs, with_architecture
from .checks import misfits, missing_metrics
from .process import ARGUMENTS, CONFIG, GIB, RESULT
from .table import as_json, cost_of, markdown, training_cells
from .trainings import Training, different_trainings

PACKAGE = Path(__file__).parents[3]
LOG, LOG_LINES = 'rehearsal.log', 20
TOTAL = 'all'
Measure = Callable[[Path, int | None, float], dict[str, Any]]


def experiment_files(paths: Sequence[str]) -> list[Path]:
    """list[Path]: the files, and of a folder its ``*_paper.py``.

    Raises:
        ExperimentError: a folder without one.
    """
    files = []
    for path in map(Path, paths):
        inside = sorted(path.glob('*_paper.py')) if path.is_dir() else [path]
        if not inside:
            raise ExperimentError(f'{path}: holds no experiment of the paper, *_paper.py')
        files += inside
    return files


def rehearse(args: Namespace, measure: Measure | None = None) -> None:
    """Rehearse experiments as the arguments of tools/compare.py say.

    Args:
        args (Namespace): ``experiment`` (files or folders), ``rows``, ``seeds``,
            ``gpus_per_run``, ``gpus``, ``work_dir``, ``limit`` (minutes),
            ``memory`` (GiB or None) and ``out`` (file or None).
        measure: (folder, bytes or None, seconds) -> result of the training in
            the folder; by default in a process of its own. A result that is
            there already is of the same training.

    Raises:
        SystemExit: another rehearsal has this work dir; or a training fails or has another total batch than its config
            declares, a column has no such metric, or a retraining does not take
            the architecture of its search; or it was stopped, after it has
            written the table of what it had measured.
    """
    if args.gpus == '0':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    try:
        experiments = {}
        for file in experiment_files(args.experiment):
            experiment = load_experiment(file)
            if experiment.name in experiments:
                raise ExperimentError(f'{file}: another experiment has this name; rehearse them one by one')
            experiments[experiment.name] = experiment
        runs = {name: plan_runs(experiment, args.rows, args.seeds) for name, experiment in experiments.items()}
        trainings, keys = different_trainings(runs, args.gpus_per_run)
    except ValueError as error:
        sys.exit(f'compare: {error}')
    folder = Path(args.work_dir, 'rehearsal')
    folder.mkdir(parents=True, exist_ok=True)
    # without a GPU there is a limit by default, before the machine swaps or the system ends other processes
    memory = None if args.memory is None else int(args.memory * GIB)
    if memory is None and not (torch.cuda.device_count() and args.gpus != '0'):
        memory = free_memory()
    results: dict[str, dict[str, Any]] = {}
    stopped = False
    try:
        with _alone_in(folder), _left_by_sigterm():
            for number, (key, training) in enumerate(trainings.items(), 1):
                results[key] = _rehearse_training(training, folder / key, results, memory, args.limit * 60,
                                                  measure or in_a_process)
                cells = filter(None, training_cells(training, results[key]))
                when = ' (measured before)' if results[key].get('earlier') else ''
                print(f'{number} of {len(trainings)}: {", ".join(cells)}{when}', flush=True)
    except KeyboardInterrupt:
        stopped = True
        results.update({key: dict(state='skipped', reason='the rehearsal was stopped before it')
                        for key in trainings if key not in results})
    every = [run for its_runs in runs.values() for run in its_runs]
    costs = {name: cost_of(its_runs, keys, trainings, results) for name, its_runs in runs.items()}
    if len(costs) > 1:
        costs[TOTAL] = cost_of(every, keys, trainings, results)
    text = markdown(trainings, results, costs)
    print(text)
    if args.out:
        write_whole(args.out, json.dumps(as_json(trainings, results, costs), indent=1) if args.out.endswith('.json')
                    else text)
        print(f'written: {args.out}')
    if stopped:
        sys.exit('compare: stopped; started again, the rehearsal goes on')
    problems = [f'{trainings[key].title}: {result["reason"]}' for key, result in results.items()
                if result['state'] == 'failed']
    problems += refusals(every, args.gpus_per_run)
    for experiment in experiments.values():
        problems += missing_metrics(experiment, runs[experiment.name], keys, results)
    problems += misfits(every, keys, results, folder)
    if problems:
        sys.exit('\n'.join(['compare: the rehearsal found:', *problems]))


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Inside, no other rehearsal uses the folder."""
    with open(folder / 'lock', 'w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f'compare: --work-dir: {folder} is in use by another rehearsal; wait for its end, or name another '
                     'folder')
        yield


@contextmanager
def _left_by_sigterm() -> Iterator[None]:
    """Inside, a SIGTERM does what Ctrl-C does, so that no process is left behind."""

    def leave(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _rehearse_training(training: Training, folder: Path, results: dict[str, dict[str, Any]], memory: int | None,
                       seconds: float, measure: Measure) -> dict[str, Any]:
    cfg = training.cfg
    if training.needs is not None:
        architecture = results[training.needs].get('architecture')
        if architecture is None:
            return dict(state='skipped', reason='its architecture is what its search finds, which was not measured')
        cfg = with_architecture(cfg, architecture)
    folder.mkdir(parents=True, exist_ok=True)
    text, arguments = cfg.pretty_text, folder / ARGUMENTS
    told = json.dumps(dict(processes=training.processes, test=training.test,
                           sha256=hashlib.sha256(text.encode()).hexdigest()))
    if not arguments.is_file() or arguments.read_text(encoding='utf-8') != told:
        (folder / RESULT).unlink(missing_ok=True)  # of another training
        write_whole(arguments, told)
    write_whole(folder / CONFIG, text)  # the runner writes its own config there
    return measure(folder, memory, seconds)


def in_a_process(folder: Path, memory: int | None, seconds: float) -> dict[str, Any]:
    """The result of the training in a folder, by a process that ends with it; its output is ``rehearsal.log``."""
    path = os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get('PYTHONPATH')]))
    command = [sys.executable, '-m', 'imtnas_mm.experiments.rehearsal.process', str(folder)]
    with open(folder / LOG, 'w', encoding='utf-8') as log:
        process = subprocess.Popen(
            command + ([] if memory is None else [str(memory)]), stdout=log, stderr=subprocess.STDOUT,
            env=dict(os.environ, PYTHONPATH=path), start_new_session=True)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return dict(state='skipped', reason=f'more than {seconds / 60:g} minutes')
        finally:  # also if this process is stopped
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if (folder / RESULT).is_file():
        return json.loads((folder / RESULT).read_text(encoding='utf-8'))
    if code == -signal.SIGKILL:
        return dict(state='skipped', reason='the system ended it, most likely for its memory')
    lines = (folder / LOG).read_text(encoding='utf-8', errors='replace').splitlines()[-LOG_LINES:]
    return dict(state='failed', reason='\n'.join([f'exit code {code}', *lines]))


def free_memory() -> int | None:
    """int | None: bytes that a process can get without swapping; None where the system does not say."""
    info = Path('/proc/meminfo')
    if not info.is_file():
        return None
    sizes = {line.partition(':')[0]: line.split()[1] for line in info.read_text().splitlines()}
    return int(sizes['MemAvailable']) * 1024
