"""Makes the table of a rehearsal: time and memory of each training, and the costs of whole experiments."""
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..markdown_table import table_lines
from ..run import Run
from .cost import Part
from .trainings import Training

GIB, GB = 2**30, 1e9
NOTES = (
    'Time per iteration is of the second one, without the making of its examples; where A is frozen in some epochs, or '
    'the tasks train in turns, of each kind of epoch, and where a search has phases, of each phase. Memory is the '
    'largest that torch held on the GPU or, without one, that the process held.',
    'GPU hours are those of the device above, for all iterations, validations and the test: seconds times GPUs. '
    'Reading of files, the work between epochs, and communication between GPUs are not in them. Disk is that of the '
    'checkpoints that are kept.')


@dataclass(frozen=True)
class Cost:
    """The cost of several trainings together.

    Args:
        gpu_hours (float): of the measured ones.
        disk (float): bytes of their checkpoints.
        runs (int): different runs.
        left_out (int): trainings in them that were not measured; the cost is at least the sum of the others.
    """
    gpu_hours: float
    disk: float
    runs: int
    left_out: int


def hours_of(training: Training, result: Mapping[str, Any]) -> float:
    """float: GPU hours of a measured training with its test."""
    seconds = sum(Part(**part).seconds for part in result['parts']) + result['test']
    return seconds * training.processes / 3600


def disk_of(result: Mapping[str, Any]) -> int:
    """int: bytes that the checkpoints of a measured training take."""
    return sum(Part(**part).disk for part in result['parts'])


def cost_of(runs: Iterable[Run], keys: Mapping[str, Mapping[str, str]], trainings: Mapping[str, Training],
            results: Mapping[str, dict[str, Any]]) -> Cost:
    """The cost of runs, each different one once, as tools/compare.py does them.

    Args:
        runs (list[Run]): with all rows and seeds.
        keys, trainings: of :func:`~imtnas_mm.experiments.rehearsal.trainings.different_trainings`.
        results (dict): key -> result of its rehearsal.
    """
    hours, disk, left_out = 0., 0, 0
    identities = {run.identity for run in runs}
    for identity in identities:
        for key in keys[identity].values():
            if results[key]['state'] != 'measured':
                left_out += 1
                continue
            hours += hours_of(trainings[key], results[key])
            disk += disk_of(results[key])
    return Cost(hours, disk, len(identities), left_out)


def training_cells(training: Training, result: Mapping[str, Any]) -> list[str]:
    """The cells of a training's row."""
    if result['state'] != 'measured':
        return [training.title, f'{result["state"]}: {result["reason"].splitlines()[0]}', *[''] * 5]
    parts = [Part(**part) for part in result['parts']]
    kinds = [kind for part in parts for kind in part.epochs]
    return [
        training.title,
        ', '.join(f'{seconds:.3g}' for _, _, seconds in kinds),
        ', '.join(f'{epochs} x {length:,}' for epochs, length, _ in kinds),
        f'{result["memory"] / GIB:.2f}',
        str(training.processes),
        f'{hours_of(training, result):,.3g}',
        f'{disk_of(result) / GB:.3g}']


HEADER = ['training', 's per iteration', 'epochs x iterations', 'GiB', 'GPUs', 'GPU hours', 'GB on disk']


def experiment_cells(name: str, cost: Cost) -> list[str]:
    """The cells of an experiment's row."""
    least = 'at least ' if cost.left_out else ''
    return [name, str(cost.runs), f'{least}{cost.gpu_hours:,.3g}', f'{least}{cost.disk / GB:,.3g}',
            str(cost.left_out)]


EXPERIMENT_HEADER = ['experiment', 'runs', 'GPU hours', 'GB on disk', 'trainings left out']


def markdown(trainings: Mapping[str, Training], results: Mapping[str, dict[str, Any]],
             costs: Mapping[str, Cost]) -> str:
    """The tables as Markdown."""
    devices = sorted({result['device'] for result in results.values() if 'device' in result})
    lines = ['# Rehearsal', '', f'Measured on: {"; ".join(devices) or "nothing was measured"}.', '']
    lines += table_lines(HEADER, [training_cells(trainings[key], result) for key, result in results.items()])
    lines += ['', *table_lines(EXPERIMENT_HEADER, [experiment_cells(name, cost) for name, cost in costs.items()]), '']
    return '\n'.join([*lines, *NOTES]) + '\n'


def as_json(trainings: Mapping[str, Training], results: Mapping[str, dict[str, Any]],
            costs: Mapping[str, Cost]) -> dict[str, Any]:
    """The same for programs, with all users of each training."""
    return dict(
        trainings=[dict(
            users=trainings[key].users, name=trainings[key].name, processes=trainings[key].processes,
            **{field: value for field, value in result.items() if field != 'architecture'},
            **dict(gpu_hours=hours_of(trainings[key], result), disk=disk_of(result))
            if result['state'] == 'measured' else {}) for key, result in results.items()],
        experiments={name: asdict(cost) for name, cost in costs.items()})
