"""The accuracies of the runs of an experiment beside the mean of all architectures of a table that cost as much.

In a benchmark whose larger networks are better, a method that takes large ones looks good however it chooses. The
difference to the mean at equal cost is what it finds beyond that.
"""
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from scipy import stats

from ..analysis.cost_table import CostTable, Macs, Measure, cost_format, cost_table, parameters
from ..genotype import Genotype, genotype_from_dict, genotype_from_string
from ..tables.accuracy import AccuracyTable, TableError, read_table
from .declaration import Experiment
from .markdown_table import table_lines
from .report import mean_and_deviation, number_text, p_text, shown
from .statistics import holm

HEADER = ('row', 'n', 'cost', 'mean', 'mean of that cost', 'difference', 'p', 'Holm')
NAMES = dict(derived_macs='MACs', derived_parameters='parameters')


class Level(TypedDict):
    """The architectures of a table that have one cost, and their mean of a metric."""
    cost: int
    architectures: int
    mean: float


class Levels(TypedDict):
    """The levels of a column, by ascending cost, and the sha256 of their table."""
    sha256: str
    levels: list[Level]


class EqualCost(TypedDict):
    """Column -> its levels, and the settings of the experiment by which they were computed."""
    settings: dict[str, Any]
    columns: dict[str, Levels]


def settings_of(experiment: Experiment) -> dict[str, Any]:
    """``experiment.equal_cost`` as JSON values."""
    return json.loads(json.dumps(experiment.equal_cost))


class _Costs:
    """The costs of the architectures of one table, which differ in their choices alone.

    Args:
        settings (dict): of :func:`settings_of`.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self._table: CostTable | None = None

    def of(self, genotype: Genotype) -> int:
        if self._table is None:
            measure: Measure = Macs() if self.settings['metric'] == 'derived_macs' else parameters
            self._table = cost_table(genotype, self.settings['network'], (3, *self.settings['shape']), measure)
        return round(self._table.total(cost_format(genotype.space).chosen(genotype.architecture)))


def levels_of(table: AccuracyTable, metric: str, settings: Mapping[str, Any]) -> list[Level]:
    """The mean of a metric over all architectures of each cost.

    Args:
        table (AccuracyTable): has the architectures and the metric.
        metric (str): a column of it.
        settings (dict): of :func:`settings_of`.

    Raises:
        TableError: if ``without`` leaves out none or all of the architectures.
        ValueError: if the space counts no costs.
    """
    strings = table.strings if settings['without'] is None else table.strings_without(settings['without'])
    costs, by_cost = _Costs(settings), {}
    for string in strings:
        genotype = genotype_from_string(string)
        assert genotype is not None  # a table's strings are in the notation of its space
        by_cost.setdefault(costs.of(genotype), []).append(table.lookup(string)[metric])
    return [Level(cost=cost, architectures=len(values), mean=statistics.fmean(values))
            for cost, values in sorted(by_cost.items())]


def equal_cost_of_tables(experiment: Experiment) -> EqualCost:
    """The levels of an experiment's columns, from the tables of their evaluations.

    Args:
        experiment (Experiment): with an ``equal_cost``.

    Raises:
        TableError: a table can't be read, or see :func:`levels_of`.
    """
    settings = settings_of(experiment)
    columns: dict[str, Levels] = {}
    for column in _columns(experiment):
        files = {row['evaluations'][column['evaluation']]['table'] for row in experiment.rows
                 if column['evaluation'] in row['evaluations']}
        table = read_table(files.pop(), [column['metric']])
        columns[column['name']] = Levels(sha256=table.sha256, levels=levels_of(table, column['metric'], settings))
    return EqualCost(settings=settings, columns=columns)


def _columns(experiment: Experiment) -> list[dict[str, Any]]:
    assert experiment.equal_cost is not None
    by_name = {column['name']: column for column in experiment.columns}
    return [by_name[name] for name in experiment.equal_cost['columns']]


class _Beside(NamedTuple):
    """A run: its cost, its accuracy, and the mean accuracy at that cost."""
    cost: int
    accuracy: float
    mean: float


def _row(column: Mapping[str, Any], results: Iterable[Mapping[str, Any]], costs: _Costs, levels: Levels
         ) -> list[_Beside]:
    """The runs of a row that have all three."""
    row, mean_at = [], {level['cost']: level['mean'] for level in levels['levels']}
    for result in results:
        looked_up = result['results'].get(column['evaluation'], {})
        if 'architecture' not in looked_up:
            continue
        if looked_up['table']['sha256'] != levels['sha256']:
            raise TableError(f'{column["name"]}: {looked_up["table"]["file"]} has the sha256 '
                             f'{looked_up["table"]["sha256"]} in a record of seed {result["seed"]}, and the means at '
                             f'equal cost are of {levels["sha256"]}; they must be of the same table')
        cost = costs.of(genotype_from_dict(looked_up['architecture']))
        if cost in mean_at:  # an architecture with the option `without` may cost what none of the others does
            accuracy = looked_up['test'][column['metric']]
            row.append(_Beside(cost, shown(column, accuracy), shown(column, mean_at[cost])))
    return row


def p_value(differences: Sequence[float]) -> float:
    """Two-sided p value of a t test of the mean difference against 0; nan with fewer than 2 runs or without spread."""
    if len(set(differences)) < 2:
        return math.nan
    test: Any = stats.ttest_1samp(differences, 0.)
    return float(test.pvalue)


def equal_cost_tables(experiment: Experiment, finished: Mapping[str, Sequence[Mapping[str, Any]]],
                      equal_cost: EqualCost) -> dict[str, list[list[str]]]:
    """Name of each column of ``experiment.equal_cost`` -> rows of text under :data:`HEADER`.

    Args:
        experiment (Experiment): with an ``equal_cost``.
        finished (dict): of :func:`~.report.finished_seeds`.
        equal_cost (EqualCost): the levels.

    Raises:
        TableError: if a record is of another table than the levels.
    """
    tables, tests = {}, []
    for column in _columns(experiment):
        rows, costs = [], _Costs(equal_cost['settings'])
        for row in experiment.rows:
            runs = _row(column, finished.get(row['name'], ()), costs, equal_cost['columns'][column['name']])
            differences = [run.accuracy - run.mean for run in runs]
            tests.append(p_value(differences))
            mean, deviation = mean_and_deviation(differences)
            cost, accuracy, level = (mean_and_deviation([run[i] for run in runs])[0] for i in range(3))
            rows.append([row['name'], str(len(runs)), number_text(cost, ',.0f'), number_text(accuracy, '.2f'),
                         number_text(level, '.2f'), f'{number_text(mean, "+.2f")} ± {number_text(deviation, ".2f")}'])
        tables[column['name']] = rows
    corrected = iter(zip(tests, holm(tests), strict=True))
    for rows in tables.values():
        for cells in rows:
            cells += map(p_text, next(corrected))
    return tables


def equal_cost_text(experiment: Experiment, finished: Mapping[str, Sequence[Mapping[str, Any]]],
                    equal_cost: EqualCost) -> str:
    """The tables as Markdown; arguments and errors as of :func:`equal_cost_tables`."""
    settings = equal_cost['settings']
    name = NAMES[settings['metric']]
    text = ''
    for column, rows in equal_cost_tables(experiment, finished, equal_cost).items():
        header = [name if cell == 'cost' else cell for cell in HEADER]
        lines = [f'## {column} beside all of the same {name}', '', *table_lines(header, rows)]
        text += '\n'.join(lines) + '\n\n'
    without = '' if settings['without'] is None else f' without `{settings["without"]}`'
    height, width = settings['shape']
    return (f'{text}{name}: the mean of the runs, of the backbone, images of {height} x {width}. Mean of that cost: '
            f'for each run that of the architectures of the table{without} that cost as much. Difference: of each run '
            'to that mean, and its sample standard deviation. p: two-sided, of a t test of the differences against 0 '
            '(`scipy.stats.ttest_1samp`). Holm: the p value before it, corrected for the number of comparisons in this '
            'section.\n')
