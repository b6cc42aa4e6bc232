"""The file of how a search came to its architecture: A and its importance weights, a JSON line per log interval.

A line has ``epoch`` and ``iteration`` (those done), ``alphas`` (group of A -> nested lists) and ``importance`` (as in
architecture files; absent where the architecture has none).
"""
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from .files.atomic import write_whole

HISTORY = 'architecture_history.jsonl'  # in the work dir
LOOKUPS = 'lookups.jsonl'  # beside it, of LookupHook
# how lines of the log begin that the page of a search shows
AFTER_EPOCH = 'Architecture after epoch'
TABLE_AT_END = 'Table at the end of the search: '
DIGITS = 6  # significant digits of the file's numbers


def history_line(epoch: int, iteration: int, alphas: Mapping[str, Tensor], importance: Mapping[str, Any] | None
                 ) -> dict[str, Any]:
    """A line of the file.

    Args:
        epoch, iteration (int): those done.
        alphas (dict[str, Tensor]): group of A -> logits, of any shape.
        importance (dict, optional): of the genotype, nested lists of numbers.
    """
    line: dict[str, Any] = dict(epoch=epoch, iteration=iteration,
                                alphas={name: _short(alpha.tolist()) for name, alpha in alphas.items()})
    if importance is not None:
        line['importance'] = {name: _short(weights) for name, weights in importance.items()}
    return line


def _short(value: Any) -> Any:
    return [_short(item) for item in value] if isinstance(value, list) else float(f'{value:.{DIGITS}g}')


def start_history(folder: str | Path, iteration: int) -> None:
    """Prepare the file for a search that goes on after ``iteration``: later lines and a torn last line go.

    Raises:
        OSError: names the file.
    """
    lines = [line for line in read_architecture_history(folder) if iteration and line['iteration'] <= iteration]
    write_whole(Path(folder) / HISTORY, ''.join(_text(line) for line in lines))


def append_history(folder: str | Path, line: Mapping[str, Any]) -> None:
    """Add a line at the end, in a single write.

    Raises:
        OSError: names the file.
    """
    path = Path(folder) / HISTORY
    try:
        with open(path, 'ab', buffering=0) as file:
            file.write(_text(line).encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk doesn't say which file


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(line, separators=(',', ':')) + '\n'


def read_architecture_history(folder: str | Path) -> list[dict[str, Any]]:
    """The lines of a work dir's file in their order, without a last line that a kill tore; none without the file.

    Raises:
        ValueError: names the file and the line that can't be read.
    """
    path = Path(folder) / HISTORY
    return read_json_lines(path) if path.is_file() else []


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """A file with a JSON object per line. A last line that a kill tore is left out.

    Raises:
        ValueError: names the file and the line that can't be read.
    """
    texts = path.read_text(encoding='utf-8').splitlines()
    lines = []
    for number, text in enumerate(texts, 1):
        try:
            line = json.loads(text)
        except ValueError as error:
            if number == len(texts):
                break
            raise ValueError(f'{path}: line {number}: {text[:80]!r}; it must be a JSON object') from error
        if not isinstance(line, dict):
            raise ValueError(f'{path}: line {number}: {text[:80]!r}; it must be a JSON object')
        lines.append(line)
    return lines
