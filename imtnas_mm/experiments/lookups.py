"""The accuracies of an architecture in a benchmark's table, as the record of a run keeps them."""
import dataclasses
from pathlib import Path
from typing import Any

from ..engine.hooks.lookup_hook import read_history
from ..genotype import Genotype, genotype_from_dict, load_genotype
from ..tables.accuracy import AccuracyTable

DIGITS = 6  # of the entropy of A, in a record


def search_history(folder: Path) -> dict[str, list]:
    """The lookups of a search as columns: ``epoch``, ``iteration``, ``architecture``, ``entropy``."""
    lines = read_history(folder)
    return dict(
        epoch=[line['epoch'] for line in lines], iteration=[line['iteration'] for line in lines],
        architecture=[line['architecture'] for line in lines],
        entropy=[round(line['entropy'], DIGITS) for line in lines])


def searched_genotype(folder: Path) -> Genotype:
    """The architecture that a search left in its work dir, without the time at which it ran."""
    genotype = load_genotype(folder / 'architecture.json')
    source = {key: value for key, value in (genotype.source or {}).items() if key != 'experiment'}
    return dataclasses.replace(genotype, source=source)


def table_result(table: AccuracyTable, file: str, architecture: dict[str, Any],
                 history: dict[str, list] | None = None) -> dict[str, Any]:
    """The result of an evaluation that looks up.

    Args:
        table (AccuracyTable): with the metrics of the evaluation.
        file (str): its name in the experiment.
        architecture (dict): the content of an architecture file.
        history (dict, optional): columns, of which ``architecture`` are strings in the benchmark's notation.

    Returns:
        dict: ``test``: metrics, also with ``regret/``, ``rank/`` and
        ``percentile/`` before them; ``table``: its file, sha256, number of
        architectures, and ``mean`` and ``best`` of each metric; with a history
        ``accuracies``, a column per metric beside those of the history.

    Raises:
        TableError: if an architecture isn't in the table.
    """
    test: dict[str, float] = {}
    for metric, standing in table.standing(genotype_from_dict(architecture)).items():
        test[metric] = standing.value
        for name in ('regret', 'rank', 'percentile'):
            test[f'{name}/{metric}'] = getattr(standing, name)
    result: dict[str, Any] = dict(test=test, table=dict(
        file=file, sha256=table.sha256, architectures=len(table),
        mean={metric: table.mean(metric) for metric in table.metrics},
        best={metric: table.best(metric) for metric in table.metrics}))
    if history is not None:
        lookups = [table.lookup(string) for string in history['architecture']]
        result['accuracies'] = {metric: [lookup[metric] for lookup in lookups] for metric in table.metrics}
    return result
