"""Records that are published with the code, and the document that is made from them.

An experiment's records are one JSON file with a line per run. They stay readable when configs change later: a run is
known by its row, task and seed, and keeps the identity that it had.
"""
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files.atomic import write_whole
from .declaration import SEARCH, Experiment
from .equal_cost import EqualCost, settings_of
from .records import Recorded, RecordError
from .report import finished_seeds
from .report_text import full_report
from .run import Run, different_runs

FORMAT, VERSION = 'imtnas_mm.evidence', 1
STEP_FIELDS = ('seconds', 'peak_memory', 'logged_memory_mb', 'epoch_seconds', 'processes')  # not the machine's name
RESULT_FIELDS = ('test', 'parameters', 'macs', 'table', 'accuracies')  # of an evaluation
PLACE = re.compile(r'<!-- report: (\w+) -->\n')  # in the template of the document
EMPTY = 'No run is recorded yet.\n'


class PublishedRun(Recorded):
    """The published part of a finished run's record."""
    row: str
    task: str | None
    gpus: list[str]  # their names


def evidence_path(folder: str | Path, experiment: Experiment) -> Path:
    return Path(folder) / f'{experiment.name}.json'


def entry_of(run: Run, record: Recorded) -> PublishedRun:
    """The published part of a finished run: results and costs; the identity stands for the options."""
    results: dict[str, Any] = {}
    for name, result in record['results'].items():
        if name in ('history', 'sampler'):
            results[name] = result
        elif name == 'architecture':
            results[name] = {key: value for key, value in result.items() if key != 'importance'}
        elif name == SEARCH:  # the last validation of the search network
            results[name] = dict(list(result.items())[-1:])
        else:
            results[name] = {key: result[key] for key in RESULT_FIELDS if key in result}
    gpus = sorted({gpu['name'] for step in record['steps'].values() for gpu in step.get('gpus', ()) if gpu['name']})
    steps = {name: {key: step[key] for key in STEP_FIELDS if step.get(key) is not None}
             for name, step in record['steps'].items()}
    return PublishedRun(row=run.row, task=run.task, seed=run.seed, identity=run.identity, gpus=gpus,
                        versions=record['versions'], steps=steps, results=results)


def export_records(folder: str | Path, experiment: Experiment, runs: Sequence[Run],
                   records: Mapping[str, Recorded], equal_cost: EqualCost | None = None) -> Path:
    """Write the finished runs of an experiment; the same records give the same bytes.

    Records that the file has of other runs stay in it: an experiment may run
    in parts, in several work dirs. Runs that it shares with other experiments
    of the folder are taken from their files.

    Args:
        folder (str | Path): to write to.
        experiment (Experiment): whose they are.
        runs (list[Run]): all that it has.
        records (dict): identity -> record of each finished run.
        equal_cost (EqualCost, optional): the means at equal cost, if the experiment declares an ``equal_cost``.

    Raises:
        RecordError: as :func:`read_exported`, of the file that is there; or
            some of its records were made by other options. Nothing is written.
    """
    path = evidence_path(folder, experiment)
    head: dict[str, Any] = dict(format=FORMAT, version=VERSION, experiment=experiment.name)
    if equal_cost is not None:
        head['equal_cost'] = equal_cost
    kept, other = read_exported(folder, experiment, runs)
    if other:
        raise RecordError(f'{path}: {other} of {len(kept)} records were made by options that the configs no longer '
                          'have, and an export would mix them with others; remove the file to publish this work dir '
                          'alone')
    different = different_runs(runs)
    finished = {identity: entry_of(run, records[identity]) for identity, run in different.items()
                if identity in records}
    entries = {**shared_records(folder, experiment, runs), **kept, **finished}
    lines = [json.dumps(entries[identity], separators=(',', ':'), allow_nan=False)
             for identity in different if identity in entries]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(head)[:-1] + ', "runs": [\n' + ',\n'.join(lines) + '\n]}\n')
    return path


def read_exported(folder: str | Path, experiment: Experiment,
                  runs: Sequence[Run]) -> tuple[dict[str, PublishedRun], int]:
    """The published records of an experiment; none without a file.

    Returns:
        tuple: identity of a run -> its record; and the number of records that
        were made under another identity: by other options than the configs have now.

    Raises:
        RecordError: the file is damaged, or of another experiment.
    """
    path = evidence_path(folder, experiment)
    data = _read(path, experiment)
    if data is None:
        return {}, 0
    places = {(run.row, run.task, run.seed): run.identity for run in runs}
    by_identity, other = {}, 0
    for i, record in enumerate(data['runs']):
        place = record['row'], record['task'], record['seed']
        if place not in places:
            raise RecordError(f'{path}: runs[{i}]: {place}; {experiment.name} has no such row, task and seed; remove '
                              'the line, or the file')
        if places[place] in by_identity:
            raise RecordError(f'{path}: runs[{i}]: {place}: is there twice')
        by_identity[places[place]] = record
        other += record['identity'] != places[place]
    return by_identity, other


def read_equal_cost(folder: str | Path, experiment: Experiment) -> EqualCost | None:
    """The published means at equal cost; None without a file, or if the experiment declares none.

    Raises:
        RecordError: the file is damaged, or of another experiment; or its means were computed by other settings.
    """
    path = evidence_path(folder, experiment)
    data = None if experiment.equal_cost is None else _read(path, experiment)
    if data is None:
        return None
    equal_cost: EqualCost = data.get('equal_cost', {})
    if equal_cost.get('settings') != settings_of(experiment):
        raise RecordError(f'{path}: equal_cost.settings: {equal_cost.get("settings")}; it must be '
                          f'{settings_of(experiment)}, as in {experiment.name}; tools/report.py --export writes it')
    return equal_cost


def _read(path: Path, experiment: Experiment) -> dict[str, Any] | None:
    """The content of a published file; None if there is none."""
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise RecordError(f'{path}: is not JSON: {error}; tools/report.py --export writes it') from error
    expected = dict(format=FORMAT, version=VERSION, experiment=experiment.name)
    if not isinstance(data, dict) or {key: data.get(key) for key in expected} != expected:
        raise RecordError(f'{path}: it must have {", ".join(f"{key} {value!r}" for key, value in expected.items())}; '
                          'tools/report.py --export writes it')
    return data


def shared_records(folder: str | Path, experiment: Experiment, runs: Sequence[Run]) -> dict[str, PublishedRun]:
    """Identity -> published record of each run that is in the file of another experiment, too: rows may share runs."""
    by_identity, shared = different_runs(runs), {}
    for path in sorted(Path(folder).glob('*.json')):
        data = json.loads(path.read_text(encoding='utf-8'))
        if path == evidence_path(folder, experiment) or data.get('format') != FORMAT:
            continue
        for record in data['runs']:
            run = by_identity.get(record['identity'])
            if run is not None:
                shared[run.identity] = dict(record, row=run.row, task=run.task, seed=run.seed)
    return shared


def provenance(runs: Sequence[Run], records: Mapping[str, PublishedRun], other: int) -> str:
    """The number of finished runs, their seeds, their time, and their GPUs and versions."""
    different = different_runs(runs)
    finished = [records[identity] for identity in different if identity in records]
    seeds = sorted({record['seed'] for record in finished})
    seconds = sorted(record['steps']['search']['seconds'] for record in finished if 'search' in record['steps'])
    lines = [f'{len(finished)} of {len(different)} runs are finished, seeds {", ".join(map(str, seeds))}.']
    if seconds:
        lines.append(f'A search took {seconds[0]:.0f} to {seconds[-1]:.0f} s, all of them {sum(seconds) / 3600:.1f} h.')
    gpus = sorted({name for record in finished for name in record['gpus']})
    lines.append(f'They ran on {", ".join(gpus)}.' if gpus else 'They ran on CPUs.')
    for package in ('imtnas_mm', 'torch'):
        versions = sorted({str(record['versions'].get(package)) for record in finished})
        lines.append(f'{package} {", ".join(versions)}.')
    if other:
        lines.append(f'{other} of them were made by options that the configs no longer have.')
    return ' '.join(lines) + '\n'


def section(experiment: Experiment, runs: Sequence[Run], records: Mapping[str, PublishedRun], other: int,
            pictures: Sequence[str] = (), equal_cost: EqualCost | None = None) -> str:
    """The report of published records, as a section of a document.

    Args:
        experiment (Experiment): whose they are.
        runs (list[Run]): all that it has.
        records (dict), other (int): of :func:`read_exported`.
        pictures (list[str]): paths of the report's pictures, from the document.
        equal_cost (EqualCost, optional): of :func:`read_equal_cost`.
    """
    if not records:
        return EMPTY
    lines = full_report(experiment, finished_seeds(runs, records), equal_cost).split('\n')
    text = '\n'.join(f'#{line}' if line.startswith('#') else line for line in lines[2:])  # without the title
    shown = ''.join(f'\n![{experiment.title}]({picture})\n' for picture in pictures)
    return f'{provenance(runs, records, other)}\n{text}{shown}'


def document(template: str, sections: Mapping[str, str]) -> str:
    """The template with a section in the place of each ``<!-- report: NAME -->``.

    Raises:
        ValueError: a section is of no experiment in ``sections``.
    """
    def put(match: re.Match[str]) -> str:
        if match[1] not in sections:
            raise ValueError(f'<!-- report: {match[1]} -->; it must be one of {", ".join(sections)}')
        return sections[match[1]]

    return PLACE.sub(put, template)
