"""What a row of an experiment resolves to with a seed, and its identity."""
import copy
import hashlib
import json
from dataclasses import dataclass

from mmengine.config import Config

IDENTITY_LENGTH = 16  # hexadecimal digits


@dataclass(frozen=True)
class Run:
    """Args:
        row (str): its name in the experiment.
        seed (int): of the search and of the retrainings.
        search (Config): resolved.
        evaluations (dict): name -> resolved :class:`Config` of a retraining.
        shapes (dict): name -> (height, width) of an image.
    """
    row: str
    seed: int
    search: Config
    evaluations: dict
    shapes: dict

    def options(self):
        """dict: all that the run depends on, of JSON's types."""
        return _plain(dict(
            seed=self.seed, search=self.search.to_dict(), shapes=self.shapes,
            evaluations={name: cfg.to_dict() for name, cfg in self.evaluations.items()}))

    @property
    def identity(self):
        """str: hash of the options; the same for runs of different experiments that do the same."""
        text = json.dumps(self.options(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:IDENTITY_LENGTH]


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _resolve(config, options, seed):
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(copy.deepcopy(dict(options)))  # the merge takes _delete_ out of its argument
    cfg.merge_from_dict({'randomness.seed': seed})
    return cfg


def plan_runs(experiment, rows=None, seeds=None):
    """list[Run]: of the rows and seeds named, by default all; seed by seed, so that all rows have results early.

    Raises:
        ValueError: if a name or a seed is not of the experiment.
    """
    names = [row['name'] for row in experiment.rows]
    for what, given, known in (('--rows', rows, names), ('--seeds', seeds, experiment.seeds)):
        for value in given or ():
            if value not in known:
                raise ValueError(f'{what}: {value!r} is not in {experiment.name}; it has {known}')
    runs = []
    for seed in experiment.seeds if seeds is None else seeds:
        for row in experiment.rows:
            if rows is not None and row['name'] not in rows:
                continue
            evaluations = {name: _resolve(item['config'], item['options'], seed)
                           for name, item in row['evaluations'].items()}
            shapes = {name: tuple(item['shape']) for name, item in row['evaluations'].items()}
            runs.append(Run(row['name'], seed, _resolve(row['search'], row['options'], seed), evaluations, shapes))
    return runs
