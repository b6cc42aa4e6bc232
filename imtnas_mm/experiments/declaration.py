"""An experiment's file: which rows are run with which seeds, and what its table shows."""
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

ROW_FIELDS = ('name', 'search', 'options', 'evaluations')
EVALUATION_FIELDS = ('config', 'options', 'shape')
COLUMN_FIELDS = ('name', 'evaluation', 'metric', 'error')


class ExperimentError(ValueError):
    """``<file>: <field>: <bad value>; <what would be right>``."""


@dataclass(frozen=True)
class Experiment:
    """Args:
        name (str): the file's stem.
        title (str): of the table.
        seeds (list[int]): of the search and of the retrainings.
        rows (list[dict]): ``name``, ``search`` (config file), ``options``
            (merged into it) and ``evaluations`` (name -> ``config``,
            ``options``, ``shape`` of an image for the MACs).
        columns (list[dict]): ``name``, ``evaluation``, ``metric`` and ``error``
            (True shows 100 minus the metric).
        ours (str | None): the row that the t-tests compare the others with.
    """
    name: str
    title: str
    seeds: list
    rows: list
    columns: list
    ours: str | None = None


def load_experiment(path):
    """Read and check an experiment's file, a config in mmengine's format; paths in it are relative to it.

    Raises:
        ExperimentError: naming file and field.
    """
    path = Path(path)
    if not path.is_file():
        raise ExperimentError(f'{path}: is not a file; it must be an experiment, as in configs/experiments/')
    cfg = Config.fromfile(path).to_dict()

    def fail(field, value, right):
        raise ExperimentError(f'{path}: {field}: {value!r}; {right}')

    def check_fields(field, value, known, required):
        if not isinstance(value, dict):
            fail(field, value, f'it must be a dict with {", ".join(required)}')
        for key in value:
            if key not in known:
                fail(f'{field}.{key}', value[key], f'unknown field; known are {", ".join(known)}')
        for key in required:
            if key not in value:
                fail(f'{field}.{key}', None, 'this field is missing')

    def config_file(field, value):
        file = path.parent / value
        if not file.is_file():
            fail(field, value, f'{file} is not a file; it must be a config, relative to the experiment')
        return str(file.resolve())

    seeds = cfg.get('seeds')
    if not isinstance(seeds, list | tuple) or not seeds or len(set(seeds)) < len(seeds) or not all(
            isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in seeds):
        fail('seeds', seeds, 'it must be a list of different whole numbers from 0')
    if not isinstance(cfg.get('rows'), list | tuple) or not cfg['rows']:
        fail('rows', cfg.get('rows'), 'it must be a list of dicts, one a row')
    rows = []
    for i, row in enumerate(cfg['rows']):
        field = f'rows[{i}]'
        check_fields(field, row, ROW_FIELDS, ('name', 'search'))
        if row['name'] in [other['name'] for other in rows]:
            fail(f'{field}.name', row['name'], 'another row has this name')
        evaluations = {}
        declared = row.get('evaluations', cfg.get('evaluations'))
        if not isinstance(declared, dict) or not declared:
            fail(f'{field}.evaluations', declared, 'the row or the experiment must have a dict of them')
        for name, evaluation in declared.items():
            place = f'{field}.evaluations.{name}'
            if not name.isidentifier() or name in ('search', 'derive'):
                fail(place, name, 'the name of an evaluation names its folder: letters, digits, _')
            check_fields(place, evaluation, EVALUATION_FIELDS, ('config', 'shape'))
            evaluations[name] = dict(
                config=config_file(f'{place}.config', evaluation['config']), options=evaluation.get('options', {}),
                shape=evaluation['shape'])
        rows.append(dict(
            name=row['name'], search=config_file(f'{field}.search', row['search']), evaluations=evaluations,
            options={**cfg.get('search_options', {}), **row.get('options', {})}))
    columns = cfg.get('columns')
    if not isinstance(columns, list | tuple) or not columns:
        fail('columns', columns, 'it must be a list of dicts, one a column')
    for i, column in enumerate(columns):
        check_fields(f'columns[{i}]', column, COLUMN_FIELDS, ('name', 'evaluation', 'metric'))
        if not any(column['evaluation'] in row['evaluations'] for row in rows):
            fail(f'columns[{i}].evaluation', column['evaluation'], 'no row has this evaluation')
    ours = cfg.get('ours')
    if ours is not None and ours not in [row['name'] for row in rows]:
        fail('ours', ours, f'it must be one of the rows {", ".join(row["name"] for row in rows)}')
    return Experiment(path.stem, cfg.get('title', path.stem), list(seeds), rows, list(columns), ours)
