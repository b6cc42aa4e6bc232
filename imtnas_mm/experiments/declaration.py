"""Reads and checks the file of an experiment: its rows and seeds, and the columns of its table and figure."""
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from mmengine.config import Config

ROW_FIELDS = ('name', 'search', 'architecture', 'sampler', 'options', 'slices', 'single_task', 'evaluations', 'x',
              'gpus', 'ours', 'round', 'search_test')
EVALUATION_FIELDS = ('config', 'options', 'slices', 'shape', 'initial', 'seeds', 'tasks', 'gpus')
TABLE_FIELDS = ('table', 'metrics', 'seeds')  # of an evaluation that looks up
SLICE_FIELDS = ('num', 'seed', 'rest')
COLUMN_FIELDS = ('name', 'evaluation', 'metric', 'error', 'scale')
SUM_FIELDS = ('name', 'sum')
DERIVED_FIELDS = ('name', 'metric', 'shape', 'network', 'scale')
DEGENERATE_FIELDS = ('evaluation', 'metric', 'below')
FIGURE_FIELDS = ('x', 'left', 'right', 'log')
PARETO_FIELDS = ('cost', 'accuracy', 'log')
EQUAL_COST_FIELDS = ('columns', 'metric', 'shape', 'network', 'without')
OPTIONS_ARE = 'it must be a dict of the fields of the config -> values'
STANDINGS = ('regret', 'rank', 'percentile')  # before a metric of a table and a slash
# a column of these has no evaluation
SEARCH_METRICS = ('search_time', 'search_epoch_time', 'search_epochs', 'search_memory')
DERIVED_METRICS = ('derived_parameters', 'derived_macs')  # of the architecture of a run; these have none either
SEARCH, SEARCH_TEST = 'search', 'search_test'  # as evaluations: the search network on D^val, and on the test splits
RESERVED = (SEARCH, SEARCH_TEST, 'derive', 'architecture', 'sampler', 'history')  # of a run's folder


class ExperimentError(ValueError):
    """``<file>: <field>: <bad value>; <what would be right>``."""


@dataclass(frozen=True)
class Experiment:
    """An experiment: its rows, its seeds, and the columns and pictures of its report.

    Args:
        name (str): the file's stem.
        title (str): of the table.
        seeds (list[int]): of the search and of the retrainings.
        rows (list[dict]): ``name`` and

            - ``search`` (config file, or None) with ``options`` (merged into
              it), ``slices`` (place of a dataset -> list of the options of
              ``DatasetSlice``s put around it) and ``single_task`` (None, or
              task -> names of evaluations: each task is then searched by
              itself, and these follow), or
            - ``architecture`` (JSON file, a published name, or a string in
              a benchmark's notation), or
            - ``sampler`` (``type`` and arguments of a ``TableSampler``, and
              the ``table`` that it asks), or
            - none of them: the evaluations' configs have networks of their
              own;
            - ``evaluations``: name -> ``config``, ``options``, ``slices``,
              ``shape`` of an image for the MACs, ``initial`` (None, or an
              earlier evaluation from whose checkpoint the backbone starts) and
              ``seeds`` (those for which it is done); a joint training also has
              ``tasks`` (task -> name of the evaluation whose columns it fills),
              and its ``shape`` may be a dict by task. A lookup has ``table``
              (file), ``metrics`` (columns of it, or None for all) and ``seeds``;
            - ``gpus``: None, or the number of GPUs of its search, with one process on each; an evaluation's
              is in its dict;
            - ``x``: its place in the figure;
            - ``ours``: None, or the row with which the t-tests compare it;
            - ``search_test``: whether the search network of every round is
              tested on the test splits;
            - ``round``: None, or m: of the search network, columns show
              the metrics of round m and not of the last one.
        columns (list[dict]): ``name``, ``evaluation``, ``metric`` (of the
            test, or ``parameters``, ``macs``, ``epoch_time``; of a lookup one
            of the table, also with ``regret/``, ``rank/`` or ``percentile/``
            before it; with the evaluation ``search`` or ``search_test`` one of
            the search network, ``<task>/<metric>``, on D^val or the test split;
            one of ``SEARCH_METRICS`` without an evaluation),
            ``error`` (True shows
            100 minus the metric) and ``scale``; or ``name`` and ``sum`` (other
            column's name -> weight); or ``name``, one of ``DERIVED_METRICS`` as
            ``metric``, ``shape`` (of an image), ``network`` (options of the
            derived network) and ``scale``.
        ours (str | None): the row with which the t-tests compare all others that name none.
        figure (dict | None): ``x`` (its label), ``left`` and ``right`` (names
            of the columns on each axis) and ``log`` (x's scale).
        statistics (list[str]): columns of which ``ours`` is compared with each
            other row, by tests that are corrected for their number.
        curves (list[str]): columns that are drawn over the iterations of the
            searches; metrics of a table, or their ``regret/``.
        degenerate (dict | None): ``evaluation``, ``metric`` and ``below``: runs
            whose metric is below it are counted as degenerate.
        cells (bool): whether the report draws the cells of all rows on a sheet.
        pareto (dict | None): ``cost`` (a column), ``accuracy`` (columns that
            are drawn over it, a point per run) and ``log`` (the cost's scale).
        equal_cost (dict | None): ``columns`` of metrics of a table, whose
            architectures are compared with the mean of all architectures of
            the table that cost as much: ``metric`` (one of
            ``DERIVED_METRICS``), ``shape`` (of an image), ``network`` (options
            of the derived network), and ``without``, None or a choice, such as
            ``none`` of an edge: only architectures without it are in the mean.
        pairs (dict): ``columns`` and ``rows``, pairs of rows that are compared
            seed by seed in these columns; empty without any.
        drawn_rows (list[str]): the rows that ``curves`` and ``strips`` draw; all
            by default.
        strips (list[str]): columns of which every run is drawn as a point.
    """
    name: str
    title: str
    seeds: list[int]
    rows: list[dict[str, Any]]
    columns: list[dict[str, Any]]
    ours: str | None = None
    figure: dict[str, Any] | None = None
    statistics: list[str] = field(default_factory=list)
    curves: list[str] = field(default_factory=list)
    degenerate: dict[str, Any] | None = None
    cells: bool = False
    pareto: dict[str, Any] | None = None
    equal_cost: dict[str, Any] | None = None
    drawn_rows: list[str] = field(default_factory=list)
    strips: list[str] = field(default_factory=list)
    pairs: dict[str, list[Any]] = field(default_factory=dict)


def load_experiment(path: str | Path) -> Experiment:
    """Read and check an experiment's file, a config in mmengine's format; paths in it are relative to it.

    Raises:
        ExperimentError: naming file and field.
    """
    path = Path(path)
    if not path.is_file():
        raise ExperimentError(f'{path}: is not a file; it must be an experiment, as in configs/experiments/')
    cfg = Config.fromfile(path).to_dict()
    if 'rows' not in cfg and 'model' in cfg:
        raise ExperimentError(f'{path}: rows: is missing; it is the config of one run, which tools/train.py takes, and '
                              'not an experiment, as in configs/experiments/')
    return _Reader(path, cfg).experiment()


def names_of_results(row: dict[str, Any]) -> set[str]:
    """The names of the evaluations of which a row has results, including those that a joint evaluation fills."""
    of_evaluations = {filled for name, evaluation in row['evaluations'].items()
                      for filled in (evaluation['tasks'] or {name: name}).values()}
    of_search = {SEARCH} if row['search'] is not None else set()
    return of_evaluations | of_search | ({SEARCH_TEST} if row['search_test'] else set())


def metric_of(name: str) -> str:
    """The metric of a table that a column shows: ``cifar10`` of ``regret/cifar10``."""
    standing, slash, metric = name.partition('/')
    return metric if slash and standing in STANDINGS else name


class _Reader:

    def __init__(self, path: Path, cfg: dict[str, Any]) -> None:
        self.path, self.cfg = path, cfg

    def fail(self, field: str, value: object, right: str) -> NoReturn:
        raise ExperimentError(f'{self.path}: {field}: {value!r}; {right}')

    def check_fields(self, field: str, value: Any, known: Sequence[str], required: Sequence[str]) -> None:
        if not isinstance(value, dict):
            self.fail(field, value, f'it must be a dict with {", ".join(required)}')
        for key in value:
            if key not in known:
                self.fail(f'{field}.{key}', value[key], f'unknown field; known are {", ".join(known)}')
        for key in required:
            if key not in value:
                self.fail(f'{field}.{key}', None, 'this field is missing')

    def text(self, field: str, value: Any, right: str) -> None:
        if not isinstance(value, str) or not value:
            self.fail(field, value, right)

    def number(self, field: str, value: Any, right: str = 'it must be a number') -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(field, value, right)

    def mapping(self, field: str, value: Any, right: str) -> None:
        if not isinstance(value, dict):
            self.fail(field, value, right)

    def file(self, field: str, value: Any, kind: str = 'a config') -> str:
        self.text(field, value, f'it must be {kind}: a path, relative to the experiment')
        file = self.path.parent / value
        if not file.is_file():
            self.fail(field, value, f'{file} is not a file; it must be {kind}, relative to the experiment')
        return str(file.resolve())

    def experiment(self) -> Experiment:
        cfg = self.cfg
        seeds = self.seeds('seeds', cfg.get('seeds'))
        if not isinstance(cfg.get('rows'), list | tuple) or not cfg['rows']:
            self.fail('rows', cfg.get('rows'), 'it must be a list of dicts, one per row')
        self.gpus('gpus', cfg)
        self.text('title', cfg.get('title', self.path.stem), 'it must be a string, the title of the table')
        self.mapping('search_options', cfg.get('search_options', {}), OPTIONS_ARE)
        rows = []
        for i, row in enumerate(cfg['rows']):
            rows.append(self.row(f'rows[{i}]', row, seeds))
            if rows[-1]['name'] in [other['name'] for other in rows[:-1]]:
                self.fail(f'rows[{i}].name', row['name'], 'another row has this name')
        columns = self.columns(rows)
        ours = cfg.get('ours')
        for place, name in (('ours', ours), *((f'rows[{i}].ours', row['ours']) for i, row in enumerate(rows))):
            if name is not None and name not in [row['name'] for row in rows]:
                self.fail(place, name, f'it must be one of the rows {", ".join(row["name"] for row in rows)}')
            if name is not None and place != 'ours' and cfg.get('statistics'):
                self.fail(place, name, 'it must be None, since statistics compare all rows with the one of ours')
        return Experiment(self.path.stem, cfg.get('title', self.path.stem), seeds, rows, columns, ours,
                          self.figure(rows, columns), self.statistics(columns, ours), self.curves(rows, columns),
                          self.degenerate(rows), self.flag('cells', cfg), self.pareto(columns),
                          self.equal_cost(rows, columns), self.drawn_rows(rows),
                          self.names_of_columns('strips', columns), self.pairs(rows, columns))

    def flag(self, field: str, where: dict[str, Any], otherwise: bool = False) -> bool:
        flag = where.get(field.rpartition('.')[2], otherwise)
        if not isinstance(flag, bool):
            self.fail(field, flag, 'it must be True or False')
        return flag

    def seeds(self, field: str, seeds: Any) -> list[int]:
        if not isinstance(seeds, list | tuple) or not seeds or len(set(seeds)) < len(seeds) or not all(
                isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in seeds):
            self.fail(field, seeds, 'it must be a list of different whole numbers from 0')
        return list(seeds)

    def row(self, field: str, row: dict[str, Any], seeds: list[int]) -> dict[str, Any]:
        self.check_fields(field, row, ROW_FIELDS, ('name', ))
        self.text(f'{field}.name', row['name'], 'it must be a string, the name of the row')
        self.mapping(f'{field}.options', row.get('options') or {}, OPTIONS_ARE)
        search, architecture, sampler = row.get('search'), row.get('architecture'), row.get('sampler')
        if search is None:
            if architecture is None and sampler is None and 'evaluations' not in row:
                self.fail(f'{field}.search', None, 'a row has a search, an architecture, a sampler, or evaluations of '
                          'its own')
            for key in ('options', 'slices', 'single_task', 'round', 'search_test'):
                if row.get(key) is not None:
                    self.fail(f'{field}.{key}', row[key], 'it is of a search, which this row has not')
        elif architecture is not None:
            self.fail(f'{field}.architecture', architecture, 'this row has a search, which finds one')
        if architecture is not None:
            self.text(f'{field}.architecture', architecture, 'it must be an architecture file, a published name, or a '
                      "string in a benchmark's notation")
        if sampler is not None and (search or architecture) is not None:
            self.fail(f'{field}.sampler', sampler, 'this row has a search or an architecture; it is one or the other')
        gpus = self.gpus(f'{field}.gpus', row, self.cfg.get('gpus'))
        evaluations = self.evaluations(field, row.get('evaluations', self.cfg.get('evaluations')), seeds, gpus)
        tables = {name: evaluation['table'] for name, evaluation in evaluations.items() if 'table' in evaluation}
        if tables and search is None and architecture is None and sampler is None:
            name = next(iter(tables))
            self.fail(f'{field}.evaluations.{name}', tables[name], 'the row has no search, architecture or sampler '
                      'whose architecture could be looked up')
        if sampler is not None:
            sampler = self.sampler(f'{field}.sampler', sampler, tables)
        single_task = row.get('single_task')
        if single_task is not None:
            self.single_task(f'{field}.single_task', single_task, evaluations)
        x = row.get('x')
        if x is not None:
            self.number(f'{field}.x', x, 'it must be a number, the place in the figure')
        round = row.get('round')
        if round is not None and (not isinstance(round, int) or isinstance(round, bool) or round < 1):
            self.fail(f'{field}.round', round, 'it must be the number of a round, from 1')
        return dict(
            name=row['name'],
            search=None if search is None else self.file(f'{field}.search', search),
            architecture=architecture if architecture is None or not architecture.endswith('.json') else self.file(
                f'{field}.architecture', architecture, 'an architecture file'),
            sampler=sampler,
            options={} if search is None else {**self.cfg.get('search_options', {}), **(row.get('options') or {})},
            slices={} if search is None else self.slices(f'{field}.slices', {
                **self.cfg.get('search_slices', {}), **(row.get('slices') or {})}),
            single_task=single_task,
            evaluations=evaluations,
            gpus=gpus,
            x=x,
            ours=row.get('ours'),
            round=round,
            search_test=search is not None and self.flag(
                f'{field}.search_test', row, self.flag('search_test', self.cfg)))

    def sampler(self, field: str, sampler: Any, tables: dict[str, str]) -> dict[str, Any]:
        if not isinstance(sampler, dict) or 'type' not in sampler:
            self.fail(field, sampler, "it must be a dict, as in dict(type='RandomQueries', queries=100, metric='...')")
        if sampler.get('table') is None and len(set(tables.values())) != 1:
            self.fail(f'{field}.table', None, 'it must say which table is asked, for the evaluations look up in '
                      + (', '.join(sorted(set(tables.values()))) or 'none'))
        return {**sampler, 'table': sampler.get('table') or next(iter(tables.values()))}

    def gpus(self, field: str, where: dict[str, Any], otherwise: int | None = None) -> int | None:
        gpus = where.get('gpus', otherwise)
        if gpus is not None and (not isinstance(gpus, int) or isinstance(gpus, bool) or gpus < 1):
            self.fail(field, gpus, 'it must be a whole number from 1, the GPUs of a training')
        return gpus

    def evaluations(self, field: str, declared: Any, seeds: list[int], gpus: int | None) -> dict[str, Any]:
        if not isinstance(declared, dict) or not declared:
            self.fail(f'{field}.evaluations', declared, 'the row or the experiment must have a dict of them')
        checked = {}
        for name, evaluation in declared.items():
            place = f'{field}.evaluations.{name}'
            if not name.isidentifier() or name in RESERVED:
                self.fail(place, name, 'the name of an evaluation names its folder: letters, digits, _')
            if isinstance(evaluation, dict) and 'table' in evaluation:
                checked[name] = self.lookup(place, evaluation, seeds)
                continue
            self.check_fields(place, evaluation, EVALUATION_FIELDS, ('config', 'shape'))
            tasks = self.tasks(place, evaluation)
            initial = evaluation.get('initial')
            if initial is not None and initial not in checked:
                self.fail(f'{place}.initial', initial, f'it must be an evaluation before it: {", ".join(checked)}')
            if initial is not None and 'table' in checked[initial]:
                self.fail(f'{place}.initial', initial, 'this evaluation looks up and trains nothing to start from')
            if initial is not None and (tasks or checked[initial]['tasks']):
                self.fail(f'{place}.initial', initial, 'an evaluation of several tasks neither starts from another nor '
                          'gives a start')
            self.mapping(f'{place}.options', evaluation.get('options', {}), OPTIONS_ARE)
            for name_of_task, shape in (evaluation['shape'].items() if tasks and isinstance(evaluation['shape'], dict)
                                        else [(None, evaluation['shape'])]):
                self.shape(f'{place}.shape' + (f'.{name_of_task}' if name_of_task else ''), shape)
            done_for = self.seeds_of(place, evaluation, seeds)
            if initial is not None and not set(done_for) <= set(checked[initial]['seeds']):
                self.fail(f'{place}.seeds', done_for, f'{initial}, which it starts from, has '
                          f'{checked[initial]["seeds"]}')
            checked[name] = dict(
                config=self.file(f'{place}.config', evaluation['config']), options=evaluation.get('options', {}),
                slices=self.slices(f'{place}.slices', evaluation.get('slices', {})), shape=evaluation['shape'],
                initial=initial, seeds=done_for, tasks=tasks,
                gpus=self.gpus(f'{place}.gpus', evaluation, gpus))
        filled = [name for evaluation in checked.values() for name in (evaluation['tasks'] or {}).values()]
        filled += [name for name, evaluation in checked.items() if not evaluation['tasks']]
        for name in filled:
            if name in RESERVED:
                self.fail(f'{field}.evaluations', name, 'this name is kept for the steps of a run')
            if filled.count(name) > 1:
                self.fail(f'{field}.evaluations', name, 'two evaluations fill the columns of this one')
        return checked

    def lookup(self, place: str, evaluation: dict[str, Any], seeds: list[int]) -> dict[str, Any]:
        self.check_fields(place, evaluation, TABLE_FIELDS, ('table', ))
        table, metrics = evaluation['table'], evaluation.get('metrics')
        self.text(f'{place}.table', table, 'it must be the file of a table, from the folder where the commands run')
        if metrics is not None and (not isinstance(metrics, list | tuple) or not metrics):
            self.fail(f'{place}.metrics', metrics, 'it must be a list of columns of the table')
        return dict(table=table, metrics=None if metrics is None else list(metrics), tasks=None, initial=None,
                    seeds=self.seeds_of(place, evaluation, seeds))

    def seeds_of(self, place: str, evaluation: dict[str, Any], seeds: list[int]) -> list[int]:
        """The seeds for which an evaluation is done, some of those of the experiment."""
        done_for = self.seeds(f'{place}.seeds', evaluation.get('seeds', seeds))
        if not set(done_for) <= set(seeds):
            self.fail(f'{place}.seeds', done_for, f"they must be some of the experiment's: {seeds}")
        return done_for

    def tasks(self, place: str, evaluation: dict[str, Any]) -> dict[str, str] | None:
        tasks = evaluation.get('tasks')
        if tasks is None:
            return None
        if not isinstance(tasks, dict) or not tasks or not all(isinstance(name, str) for name in tasks.values()):
            self.fail(f'{place}.tasks', tasks, 'it must be a dict of task -> name of the evaluation whose columns it '
                      'fills')
        shape = evaluation['shape']
        if isinstance(shape, dict) and set(shape) != set(tasks):
            self.fail(f'{place}.shape', shape, f'by task, it must have {", ".join(tasks)}')
        return dict(tasks)

    def slices(self, field: str, slices: Any) -> dict[str, list]:
        self.mapping(field, slices, 'it must be a dict of the place of a dataset -> options of slices')
        by_place = {}
        for place, options in slices.items():
            by_place[place] = list(options) if isinstance(options, list | tuple) else [options]
            for arguments in by_place[place]:
                self.check_fields(f'{field}.{place}', arguments, SLICE_FIELDS, ('num', ))
        return by_place

    def single_task(self, field: str, single_task: Any, evaluations: dict[str, Any]) -> None:
        if not isinstance(single_task, dict) or not single_task:
            self.fail(field, single_task, 'it must be a dict of task -> names of evaluations')
        taken = []
        for task, names in single_task.items():
            if not isinstance(names, list | tuple) or not names:
                self.fail(f'{field}.{task}', names, 'it must be a list of names of evaluations')
            for name in names:
                if name not in evaluations or name in taken or evaluations[name]['tasks']:
                    self.fail(f'{field}.{task}', name, f'each must be one of {", ".join(evaluations)}, of one task, '
                              'and once')
                taken.append(name)
                initial = evaluations[name]['initial']
                if initial is not None and initial not in names:
                    self.fail(f'{field}.{task}', name, f'it starts from {initial}, which must be of this task, too')

    def columns(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        columns = self.cfg.get('columns')
        if not isinstance(columns, list | tuple) or not columns:
            self.fail('columns', columns, 'it must be a list of dicts, one per column')
        names = []
        for i, column in enumerate(columns):
            field = f'columns[{i}]'
            if isinstance(column, dict) and 'sum' in column:
                self.check_fields(field, column, SUM_FIELDS, SUM_FIELDS)
                self.mapping(f'{field}.sum', column['sum'], 'it must be a dict of the name of a column -> its weight')
                for name in column['sum']:
                    if name not in names:
                        self.fail(f'{field}.sum', name, f'it must be a column before it: {", ".join(names)}')
                    self.number(f'{field}.sum.{name}', column['sum'][name])
            elif isinstance(column, dict) and column.get('metric') in DERIVED_METRICS:
                self.check_fields(field, column, DERIVED_FIELDS, ('name', 'metric', 'shape'))
                self.shape(f'{field}.shape', column['shape'])
            else:
                self.check_fields(field, column, COLUMN_FIELDS, ('name', 'metric'))
                self.text(f'{field}.metric', column['metric'], 'it must be a string, the name of a metric')
                if column['metric'] in SEARCH_METRICS:
                    if 'evaluation' in column:
                        self.fail(f'{field}.evaluation', column['evaluation'], f'{column["metric"]} has none')
                elif not any(column.get('evaluation') in names_of_results(row) for row in rows):
                    self.fail(f'{field}.evaluation', column.get('evaluation'), 'no row has this evaluation')
                else:
                    self.metric(f'{field}.metric', column, rows)
            self.text(f'{field}.name', column['name'], 'it must be a string, the head of the column')
            if column['name'] in names:
                self.fail(f'{field}.name', column['name'], 'another column has this name')
            self.number(f'{field}.scale', column.get('scale', 1), 'it must be a number, by which the figures are '
                        'multiplied')
            self.flag(f'{field}.error', column)
            names.append(column['name'])
        return list(columns)

    def shape(self, field: str, shape: Any) -> None:
        if not isinstance(shape, list | tuple) or len(shape) != 2 or not all(
                isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in shape):
            self.fail(field, shape, 'it must be the (height, width) of an image')

    def metric(self, field: str, column: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        """If all evaluations of a lookup list their metrics, the column's metric must be one of them."""
        place = column['evaluation']
        metrics = [row['evaluations'][place].get('metrics') for row in rows if place in row['evaluations']]
        known = [metric for names in metrics for metric in names or ()]
        if metrics and all(metrics) and metric_of(column['metric']) not in known:
            self.fail(field, column['metric'], f'it must be one of {", ".join(dict.fromkeys(known))}, or one with '
                      + ', '.join(f'{name}/' for name in STANDINGS) + ' before it')

    def figure(self, rows: list[dict[str, Any]], columns: list[dict[str, Any]]) -> dict[str, Any] | None:
        figure = self.cfg.get('figure')
        if figure is None:
            return None
        self.check_fields('figure', figure, FIGURE_FIELDS, ('x', 'left'))
        figure = {'right': [], 'log': False, **figure}
        names = [column['name'] for column in columns]
        for side in ('left', 'right'):
            for name in figure[side]:
                if name not in names:
                    self.fail(f'figure.{side}', name, f'it must be one of the columns {", ".join(names)}')
        for i, row in enumerate(rows):
            if row['x'] is None or figure['log'] and row['x'] <= 0:
                self.fail(f'rows[{i}].x', row['x'], 'the figure needs a number here, above 0 on a logarithmic axis')
        return figure

    def names_of_columns(self, field: str, columns: list[dict[str, Any]]) -> list[str]:
        declared = self.cfg.get(field)
        if declared is None:
            return []
        names = [column['name'] for column in columns]
        if not isinstance(declared, list | tuple):
            self.fail(field, declared, f'it must be a list of columns: {", ".join(names)}')
        for i, name in enumerate(declared):
            if name not in names:
                self.fail(f'{field}[{i}]', name, f'it must be one of the columns {", ".join(names)}')
        return list(declared)

    def statistics(self, columns: list[dict[str, Any]], ours: str | None) -> list[str]:
        names = self.names_of_columns('statistics', columns)
        if names and ours is None:
            self.fail('ours', None, 'statistics need the row that the others are compared with')
        return names

    def curves(self, rows: list[dict[str, Any]], columns: list[dict[str, Any]]) -> list[str]:
        names = self.names_of_columns('curves', columns)
        for i, name in enumerate(names):
            column = next(column for column in columns if column['name'] == name)
            metric = column.get('metric', '')
            looked_up = any('table' in row['evaluations'].get(column.get('evaluation'), {}) for row in rows)
            if not looked_up or metric_of(metric) != metric and not metric.startswith('regret/'):
                self.fail(f'curves[{i}]', name, 'it must be a column of a metric of a table, or of its regret')
        return names

    def pairs(self, rows: list[dict[str, Any]], columns: list[dict[str, Any]]) -> dict[str, list[Any]]:
        pairs = self.cfg.get('pairs')
        if pairs is None:
            return {}
        self.check_fields('pairs', pairs, ('columns', 'rows'), ('columns', 'rows'))
        known, names = [column['name'] for column in columns], [row['name'] for row in rows]
        for i, name in enumerate(pairs['columns']):
            if name not in known:
                self.fail(f'pairs.columns[{i}]', name, f'it must be one of the columns {", ".join(known)}')
        for i, pair in enumerate(pairs['rows']):
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                self.fail(f'pairs.rows[{i}]', pair, 'it must be two rows')
            for name in pair:
                if name not in names:
                    self.fail(f'pairs.rows[{i}]', name, f'it must be one of the rows {", ".join(names)}')
        return dict(columns=list(pairs['columns']), rows=[tuple(pair) for pair in pairs['rows']])

    def drawn_rows(self, rows: list[dict[str, Any]]) -> list[str]:
        declared, names = self.cfg.get('drawn_rows', []), [row['name'] for row in rows]
        if not isinstance(declared, list | tuple):
            self.fail('drawn_rows', declared, f'it must be a list of rows: {", ".join(names)}')
        for i, name in enumerate(declared):
            if name not in names:
                self.fail(f'drawn_rows[{i}]', name, f'it must be one of the rows {", ".join(names)}')
        return list(declared)

    def pareto(self, columns: list[dict[str, Any]]) -> dict[str, Any] | None:
        pareto = self.cfg.get('pareto')
        if pareto is None:
            return None
        self.check_fields('pareto', pareto, PARETO_FIELDS, ('cost', 'accuracy'))
        names = [column['name'] for column in columns]
        if not isinstance(pareto['accuracy'], list | tuple) or not pareto['accuracy']:
            self.fail('pareto.accuracy', pareto['accuracy'], f'it must be a list of columns: {", ".join(names)}')
        for place, name in (('cost', pareto['cost']), *(('accuracy', name) for name in pareto['accuracy'])):
            if name not in names:
                self.fail(f'pareto.{place}', name, f'it must be one of the columns {", ".join(names)}')
        return dict(pareto, log=self.flag('pareto.log', pareto))

    def equal_cost(self, rows: list[dict[str, Any]], columns: list[dict[str, Any]]) -> dict[str, Any] | None:
        equal_cost = self.cfg.get('equal_cost')
        if equal_cost is None:
            return None
        self.check_fields('equal_cost', equal_cost, EQUAL_COST_FIELDS, ('columns', 'metric', 'shape'))
        if equal_cost['metric'] not in DERIVED_METRICS:
            self.fail('equal_cost.metric', equal_cost['metric'], f'it must be one of {", ".join(DERIVED_METRICS)}')
        self.shape('equal_cost.shape', equal_cost['shape'])
        without, network = equal_cost.get('without'), equal_cost.get('network', {})
        if without is not None and not isinstance(without, str):
            self.fail('equal_cost.without', without, "it must be None or a choice, such as 'none'")
        self.mapping('equal_cost.network', network, 'it must be a dict of options of the derived network')
        names = equal_cost['columns']
        if not isinstance(names, list | tuple) or not names:
            self.fail('equal_cost.columns', names, 'it must be a list of columns of metrics of a table')
        for i, name in enumerate(names):
            column = next((column for column in columns if column['name'] == name), {})
            tables = {row['evaluations'].get(column.get('evaluation'), {}).get('table') for row in rows} - {None}
            if len(tables) != 1 or metric_of(column['metric']) != column['metric']:
                self.fail(f'equal_cost.columns[{i}]', name, 'it must be a column of a metric of one table')
        return dict(columns=list(names), metric=equal_cost['metric'], shape=list(equal_cost['shape']), network=network,
                    without=without)

    def degenerate(self, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
        degenerate = self.cfg.get('degenerate')
        if degenerate is None:
            return None
        self.check_fields('degenerate', degenerate, DEGENERATE_FIELDS, DEGENERATE_FIELDS)
        if not any(degenerate['evaluation'] in names_of_results(row) for row in rows):
            self.fail('degenerate.evaluation', degenerate['evaluation'], 'no row has this evaluation')
        self.metric('degenerate.metric', degenerate, rows)
        self.number('degenerate.below', degenerate['below'])
        return dict(degenerate)
