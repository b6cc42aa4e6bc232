"""A run: the resolved configs of one row of an experiment with one seed, and their identity."""
import copy
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmengine.config import Config, ConfigDict

from ..config.single_task import restrict_to_task
from ..engine.launch.config import merge_options, unread_field, warn_of_names
from ..genotype import Genotype, resolve_genotype
from ..registry import TABLE_SAMPLERS
from ..tables.samplers import TableSampler
from ..tasks.joint_model import is_joint
from .declaration import Experiment

IDENTITY_LENGTH = 16  # hexadecimal digits
SHOWING_HOOKS = ('HistoryHook', 'ReportHook')


@dataclass(frozen=True)
class Run:
    """A row with one seed: the resolved configs of its search and evaluations.

    Args:
        row (str): its name in the experiment.
        seed (int): of the search and of the retrainings.
        search (Config | None): resolved.
        evaluations (dict): name -> resolved :class:`Config` of a retraining.
        shapes (dict): name -> (height, width) of an image; for a joint
            evaluation, a dict of them by task.
        initial (dict): name of an evaluation -> name of the evaluation from
            whose checkpoint its backbone starts.
        tasks (dict): name of a joint evaluation -> {task: name of the
            evaluation whose columns it fills}.
        architecture (Genotype | None): to be retrained if there is no search.
        task (str | None): the only searched task.
        tables (dict): name of an evaluation that looks up -> ``table`` (file)
            and ``metrics`` (or None).
        sampler (dict | None): ``type`` and arguments of a ``TableSampler``,
            and the ``table`` that it asks.
        search_test (bool): whether the search network of every round is tested.
        round (int | None): the round of the search network that the row shows;
            it is no option of the run.
        gpus (dict): ``'search'`` or name of an evaluation -> number of GPUs
            that the experiment declares. It is no option of the run, since the
            total batch must be the same with any number.
    """
    row: str
    seed: int
    search: Config | None
    evaluations: dict
    shapes: dict
    initial: dict = field(default_factory=dict)
    tasks: dict = field(default_factory=dict)
    architecture: Genotype | None = None
    task: str | None = None
    gpus: dict = field(default_factory=dict)
    tables: dict = field(default_factory=dict)
    sampler: dict | None = None
    search_test: bool = False
    round: int | None = None

    @property
    def name(self) -> str:
        """str: row, seed and, if the row searches tasks separately, the task."""
        return f'{self.row}, seed {self.seed}' if self.task is None else f'{self.row}, {self.task}, seed {self.seed}'

    def trainings(self) -> dict[str, Config]:
        """dict: ``'search'``, if there is a search, and names of evaluations -> resolved config."""
        return {**({} if self.search is None else dict(search=self.search)), **self.evaluations}

    def processes(self, name: str, gpus_per_run: int | None = None) -> int:
        """int: processes of a training and its test: ``gpus_per_run``, or the declared number, or 1."""
        return gpus_per_run or self.gpus.get(name) or 1

    def most_processes(self, gpus_per_run: int | None = None) -> int:
        """int: of its largest step."""
        return max((self.processes(name, gpus_per_run) for name in self.trainings()), default=1)

    def options(self) -> dict[str, Any]:
        """dict: everything on which the run depends, in JSON's types."""
        options = dict(
            seed=self.seed, shapes=self.shapes,
            evaluations={name: _options_of(cfg) for name, cfg in self.evaluations.items()})
        if self.search is not None:
            options['search'] = _options_of(self.search)
        if self.architecture is not None:
            options['architecture'] = self.architecture.to_dict()
        if self.initial:
            options['initial'] = self.initial
        if self.tasks:
            options['tasks'] = self.tasks
        if self.tables:
            options['tables'] = self.tables
        if self.sampler is not None:
            options['sampler'] = self.sampler
        if self.search_test:
            options['search_test'] = True
        return _plain(options)

    @functools.cached_property
    def identity(self) -> str:
        """str: hash of the options; runs with equal options share it, also across experiments."""
        text = json.dumps(self.options(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:IDENTITY_LENGTH]


def _options_of(cfg: Config) -> dict[str, Any]:
    """A config without fields that change no result: hooks that only show the search, and declared batches of tasks.

    A total batch that one process has not stays, since it says how many processes train. That of a single dataloader
    stays anyway, since auto_scale_lr may scale the rate by it.
    """
    options = cfg.to_dict()
    for name, hook in list((options.get('default_hooks') or {}).items()):
        if isinstance(hook, dict) and str(hook.get('type')).rpartition('.')[2] in SHOWING_HOOKS:
            del options['default_hooks'][name]
    declared = options.get('auto_scale_lr', {}).get('base_batch_size')
    if isinstance(declared, dict):
        loaders, steps = options.get('train_dataloader') or {}, options.get('optim_wrapper') or {}
        for task in list(declared):
            of_one = loaders.get(task, {}).get('batch_size', 1) * steps.get('accumulative_counts', 1)
            if declared[task] == of_one:
                del declared[task]
        if not declared:
            del options['auto_scale_lr']['base_batch_size']
        if not options['auto_scale_lr']:
            del options['auto_scale_lr']
    return options


def different_runs(runs: Iterable[Run]) -> dict[str, Run]:
    """dict: identity -> the first run that has it: rows may share runs."""
    first: dict[str, Run] = {}
    for run in runs:
        first.setdefault(run.identity, run)
    return first


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def with_architecture(cfg: Config, architecture: dict[str, Any] | None) -> Config:
    """The config of a retraining with the architecture that ``--architecture`` would give it; ``None`` changes nothing.

    A network of its own, which has no field for an architecture, stays as it is.
    """
    if architecture is None or 'architecture' not in cfg.model.get('backbone', {}):
        return cfg
    changed = copy.deepcopy(cfg)
    changed.model.backbone.architecture = architecture
    return changed


class _Configs:
    """Files of configs, each read once."""

    def __init__(self) -> None:
        self.read = functools.cache(Config.fromfile)
        self.seen: set[tuple[str, str]] = set()  # options by their file: a warning comes once

    def resolve(self, file: str, options: Mapping[str, Any], slices: Mapping[str, list], seed: int) -> Config:
        cfg = copy.deepcopy(self.read(file))
        for key in options:
            fault = unread_field(key, cfg)
            if fault:
                raise ValueError(f'options: {key!r}; {file} {fault}')
        warn_of_names([key for key in options if (file, key) not in self.seen], cfg, file, 'options: ')
        self.seen.update((file, key) for key in options)
        merge_options(cfg, copy.deepcopy(dict(options)))  # the merge takes _delete_ out of its argument
        cfg.merge_from_dict({'randomness.seed': seed})
        for place, dataset_slices in slices.items():
            *parents, name = place.split('.')
            try:
                parent = functools.reduce(lambda part, key: part[key], parents, cfg)
                for arguments in dataset_slices:
                    parent[name] = ConfigDict(type='imtnas_mm.DatasetSlice', dataset=parent[name], **arguments)
            except (KeyError, TypeError) as error:
                raise ValueError(f'slices: {place!r}; {file} has no dataset there') from error
        return cfg


def plan_runs(experiment: Experiment, rows: list[str] | None = None, seeds: list[int] | None = None) -> list[Run]:
    """list[Run]: of some rows and seeds, by default all; ordered by seed, so that all rows have results early.

    Raises:
        ValueError: if the experiment lacks a name or a seed, or configs lack a
            field that a row sets.
    """
    names = [row['name'] for row in experiment.rows]
    for flag, wanted, known in (('--rows', rows, names), ('--seeds', seeds, experiment.seeds)):
        for value in wanted or ():
            if value not in known:
                raise ValueError(f'{flag}: {value!r} is not in {experiment.name}; it has {known}')
    configs = _Configs()
    runs = []
    for seed in experiment.seeds if seeds is None else seeds:
        for row in experiment.rows:
            if rows is not None and row['name'] not in rows:
                continue
            try:
                runs += _runs_of(row, seed, configs)
            except ValueError as error:
                raise ValueError(f'{experiment.name}: row {row["name"]!r}: {error}') from error
    return runs


def _runs_of(row: dict[str, Any], seed: int, configs: _Configs) -> Iterator[Run]:
    architecture = row['architecture']
    if architecture is not None:
        architecture = resolve_genotype(architecture)
    if row['sampler'] is not None:
        sampler_of(row['sampler'])  # refused before anything runs
    for task, names in (row['single_task'] or {None: list(row['evaluations'])}).items():
        search = None
        if row['search'] is not None:
            search = configs.resolve(row['search'], row['options'], row['slices'], seed)
            if task is not None:
                restrict_to_task(search, task)
            if row['round'] is not None and row['round'] > search.train_cfg.rounds:
                raise ValueError(f'round: {row["round"]}; its search has {search.train_cfg.rounds} rounds')
        evaluations, shapes, initial, tasks, tables = {}, {}, {}, {}, {}
        gpus = {} if search is None else dict(search=row['gpus'])
        for name, item in row['evaluations'].items():
            if name not in names or seed not in item['seeds']:
                continue
            if 'table' in item:
                tables[name] = dict(table=item['table'], metrics=item['metrics'])
                continue
            gpus[name] = item['gpus']
            evaluations[name] = cfg = configs.resolve(
                item['config'], item['options'], item['slices'], seed)
            if item['tasks']:
                tasks[name] = item['tasks']
                _check_tasks(name, item, cfg)
                by_task: dict[str, Any] = item['shape'] if isinstance(item['shape'], dict) else dict.fromkeys(
                    item['tasks'], item['shape'])
                shapes[name] = {task: tuple(shape) for task, shape in by_task.items()}
            else:
                shapes[name] = tuple(item['shape'])
            backbone = cfg.model.get('backbone', {})
            if item['initial'] is not None:
                if 'checkpoint' not in (backbone.get('init_cfg') or {}):
                    raise ValueError(f'evaluations.{name}.initial: {item["initial"]!r}; {item["config"]} has no '
                                     'model.backbone.init_cfg.checkpoint to set')
                initial[name] = item['initial']
            if 'architecture' not in backbone and (search is not None or architecture is not None):
                raise ValueError(f'evaluations.{name}.config: {item["config"]} has no model.backbone.architecture to '
                                 'set')
        if search is not None and tables and search.get('table') is None:
            search.table = next(iter(tables.values()))['table']  # the search keeps its history
        yield Run(row['name'], seed, search, evaluations, shapes, initial, tasks, architecture, task, gpus, tables,
                  row['sampler'], row['search_test'], row['round'])


def sampler_of(options: Mapping[str, Any]) -> TableSampler:
    """The sampler of a row.

    Raises:
        ValueError: if there is none of this type, or it doesn't take these arguments.
    """
    try:
        return TABLE_SAMPLERS.build({key: value for key, value in options.items() if key != 'table'})
    except (KeyError, TypeError) as error:
        raise ValueError(f'sampler: {dict(options)}: {error}') from error


def _check_tasks(name: str, item: dict[str, Any], cfg: Config) -> None:
    has = list(cfg.model.tasks) if is_joint(cfg) else None
    if has is None or set(item['tasks']) != set(has):
        reason = f'model.tasks of {item["config"]} are {has}' if has else f'{item["config"]} trains no JointModel'
        raise ValueError(f'evaluations.{name}.tasks: {item["tasks"]}; {reason}')
