"""Reads the files of a search's work dir: logged figures, A over time, lookups, config, warnings, pictures.

Nothing of the config runs. A resumed search has one folder per run. Each run resumes from a checkpoint of the run
before it, whose later figures are not read: the resumed run repeats those iterations.
"""
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..architecture_history import (
    AFTER_EPOCH,
    HISTORY,
    LOOKUPS,
    TABLE_AT_END,
    read_architecture_history,
    read_json_lines,
)
from ..files.config_text import expression_at, plain_value
from ..genotype import Genotype, load_genotype

SCALARS = 'vis_data/scalars.json'  # of mmengine, in the folder of a run
LINE = re.compile(r'(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - \S+ - (?P<level>[A-Z]+) - (?P<text>.*)')
RESUMED = re.compile(r'resumed epoch: (\d+), iter: (\d+)')
ARCHITECTURE = re.compile(AFTER_EPOCH + r' \d+: ')


class Complaint(NamedTuple):
    """A warning or an error of the log, with the time of its first line and the number of its lines."""
    level: str
    time: str
    text: str
    count: int


@dataclass
class SearchFolder:
    """What the work dir of a search holds.

    Args:
        folder (Path): the work dir.
        training (list[dict]): figures of training, of epochs and of a table, each with ``iter``, in order.
        validations (dict[int, dict]): step of the validation (epochs done) -> metrics.
        history (list[dict]): lines of :mod:`~imtnas_mm.architecture_history`.
        lookups (list[dict]): lines of ``LookupHook``.
        config (str): the text of the latest run's config.
        complaints (list[Complaint]): warnings and errors, each text once.
        said (list[str]): the log's last lines on the architecture and on the table.
        genotype (Genotype, optional): of ``architecture.json``.
    """
    folder: Path
    training: list[dict[str, Any]] = field(default_factory=list)
    validations: dict[int, dict[str, Any]] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    lookups: list[dict[str, Any]] = field(default_factory=list)
    config: str = ''
    complaints: list[Complaint] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    genotype: Genotype | None = None

    def setting(self, *names: str) -> Any:
        """A field of the config by its path; None if it is missing or no literal."""
        try:
            return plain_value(expression_at(self.config, *names))
        except ValueError:
            return None

    def picture(self, name: str) -> str | None:
        """The text of ``<name>.svg`` of the work dir; None without it."""
        path = self.folder / f'{name}.svg'
        return path.read_text(encoding='utf-8') if path.is_file() else None


def read_search(folder: str | Path) -> SearchFolder:
    """Reads the work dir of a search, finished or not.

    Raises:
        ValueError: if no search has logged there, or a file can't be read; names the file.
    """
    folder = Path(folder)
    search = SearchFolder(folder)
    runs = sorted(path.parents[1] for path in folder.glob(f'*/{SCALARS}'))
    if not runs and not (folder / HISTORY).is_file():
        phases = sorted(path.name for path in folder.glob('phase*') if path.is_dir())
        hint = f'; its phases have work dirs of their own: {", ".join(phases)}' if phases else ''
        raise ValueError(f'{folder}: no run has a {SCALARS}; it must be the work dir of a search that has begun{hint}')
    for run in runs:
        _read_run(search, run)
    search.history = read_architecture_history(folder)
    if (folder / LOOKUPS).is_file():
        search.lookups = read_json_lines(folder / LOOKUPS)
    if (folder / 'architecture.json').is_file():
        search.genotype = load_genotype(folder / 'architecture.json')
    return search


def _read_run(search: SearchFolder, run: Path) -> None:
    log = run / f'{run.name}.log'
    records = log_records(log.read_text(encoding='utf-8', errors='replace')) if log.is_file() else []
    resumed = next((match for _, _, text in records if (match := RESUMED.match(text))), None)
    epoch, iteration = (int(number) for number in resumed.groups()) if resumed else (0, 0)
    # a run that starts anew takes nothing from before; the figures before the first iteration are its own
    search.training = [line for line in search.training if resumed and line['iter'] <= iteration]
    search.validations = {step: metrics for step, metrics in search.validations.items() if resumed and step <= epoch}
    if not resumed:
        search.complaints, search.said = [], []
    for line in read_json_lines(run / SCALARS):
        if 'iter' in line:
            search.training.append(line)
        elif 'step' in line:
            search.validations[line['step']] = line
    config = run / 'vis_data' / 'config.py'
    if config.is_file():
        search.config = config.read_text(encoding='utf-8')
    _add_records(search, records)


def _add_records(search: SearchFolder, records: list[tuple[str, str, str]]) -> None:
    complaints = {complaint.text: complaint for complaint in search.complaints}
    said = dict.fromkeys(('architecture', 'table'), '')
    for time, level, text in records:
        if level in ('WARNING', 'ERROR', 'CRITICAL'):
            before = complaints.get(text)
            complaints[text] = Complaint(level, time, text, 1) if before is None else \
                before._replace(count=before.count + 1)
        elif ARCHITECTURE.match(text):
            said['architecture'] = text
        elif text.startswith(TABLE_AT_END):
            said['table'] = text
    search.complaints = list(complaints.values())
    search.said = [text for text in said.values() if text] or search.said


def log_records(text: str) -> list[tuple[str, str, str]]:
    """The time, the level and the text of each record of a log; a text may have several lines."""
    records: list[tuple[str, str, str]] = []
    for line in text.splitlines():
        match = LINE.match(line)
        if match:
            records.append((match['time'], match['level'], match['text']))
        elif records:
            time, level, before = records[-1]
            records[-1] = (time, level, f'{before}\n{line}')
    return [(time, level, text.rstrip()) for time, level, text in records]


def analyzed_lines(search: SearchFolder) -> list[dict[str, Any]]:
    """The figures of a search as ``analyze_logs`` of mmdet and of mmpretrain tell them apart.

    mmdet's reads what stands behind the last ``/`` of a name, and takes a line with ``/`` for a validation.
    mmpretrain's takes a line with ``lr`` for training. So names of training have ``.`` in place of ``/``, each line has
    the same names (NaN where none is logged) and ``lr``, the rate of the first optimiser; names of a validation
    have ``val/`` before them.
    """
    lines = [line for line in search.training if 'time' in line]  # those of the logger
    names = list(dict.fromkeys(name for line in lines for name in line))
    rates = [name for name in names if name.endswith('.lr')]
    written: list[tuple[int, dict[str, Any]]] = []
    for line in lines:
        figures = {name.replace('/', '.'): line.get(name, float('nan')) for name in names}
        written.append((line['epoch'], dict(lr=line.get(rates[0], float('nan')) if rates else float('nan'), **figures)))
    for step, metrics in search.validations.items():
        named = {f'val/{name.replace("/", ".")}': value for name, value in metrics.items()
                 if name not in ('step', 'time', 'data_time')}
        written.append((step, dict(named, step=step)))
    return [line for _, line in sorted(written, key=lambda item: item[0])]  # stable: a validation follows its epoch


def analyzed_text(search: SearchFolder) -> str:
    """:func:`analyzed_lines` as a file with a JSON object per line."""
    return ''.join(json.dumps(line) + '\n' for line in analyzed_lines(search))
