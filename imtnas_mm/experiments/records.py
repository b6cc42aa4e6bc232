"""Reads and writes the JSON record of a run."""
import importlib.metadata
import json
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from .. import __version__
from ..files.atomic import write_whole
from .run import Run

PACKAGES = ('torch', 'onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection', 'onedl-mmpretrain', 'numpy')
FORMAT, VERSION = 'imtnas_mm.run', 1


class Recorded(TypedDict):
    """What the record of a run and its published part have in common, as JSON values."""
    identity: str
    seed: int
    versions: dict[str, str | None]  # by package
    steps: dict[str, dict[str, Any]]  # the costs by the name of a step
    results: dict[str, dict[str, Any]]  # by evaluation, and of the search


class RunRecord(Recorded):
    """The record of a run in its work dir."""
    format: str
    version: int
    state: str  # started, finished or failed
    failure: NotRequired[str]
    options: dict[str, Any]


class RecordError(ValueError):
    """A record that can't be read."""


def versions() -> dict[str, str | None]:
    """dict: package -> version, None if it isn't installed as a package; and Python's version."""
    by_package: dict[str, str | None] = dict(imtnas_mm=__version__, python=platform.python_version())
    for name in PACKAGES:
        try:
            by_package[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            by_package[name] = None  # built from source by hand
    return by_package


def record_path(work_dir: str | Path, identity: str) -> Path:
    return Path(work_dir) / 'runs' / identity / 'record.json'


def new_record(run: Run) -> RunRecord:
    return RunRecord(
        format=FORMAT, version=VERSION, identity=run.identity, seed=run.seed, state='started', steps={}, results={},
        versions=versions(), options=run.options())


def read_record(path: str | Path, identity: str) -> RunRecord | None:
    """The record; None if there is no such file.

    Raises:
        RecordError: if the file is damaged or another run's.
    """
    path = Path(path)
    if not path.exists():
        return None
    try:
        record: RunRecord = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise RecordError(f'{path}: is not JSON: {error}; remove it to repeat the run') from error
    if not isinstance(record, dict) or (record.get('format'), record.get('version'), record.get('identity')) != (
            FORMAT, VERSION, identity):
        raise RecordError(f'{path}: is not version {VERSION} of the record of run {identity}; remove it to repeat it')
    return record


def finished_records(work_dir: str | Path, runs: Iterable[Run]) -> dict[str, RunRecord]:
    """Identity -> record of each of these runs that is finished.

    Raises:
        RecordError: if one is damaged.
    """
    records = {run.identity: read_record(record_path(work_dir, run.identity), run.identity) for run in runs}
    return {identity: record for identity, record in records.items() if record and record['state'] == 'finished'}


def write_record(path: str | Path, record: RunRecord) -> None:
    write_whole(path, json.dumps(record, indent=1) + '\n')
