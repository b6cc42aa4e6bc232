"""Finds the different trainings of experiments: those that differ in their seeds alone are rehearsed once."""
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmengine.config import Config

from ...genotype import GenotypeError, resolve_genotype
from ..declaration import SEARCH
from ..run import IDENTITY_LENGTH, Run, with_architecture


@dataclass
class Training:
    """A search or a retraining, with its test.

    Args:
        name (str): ``'search'`` or the name of an evaluation.
        cfg (Config): resolved.
        processes (int): that it has.
        test (bool): whether its test is rehearsed.
        needs (str | None): key of the search whose architecture it takes; None
            if its config or its row has one.
        users (list[str]): the rows, with their experiments.
    """
    name: str
    cfg: Config
    processes: int
    test: bool
    needs: str | None = None
    users: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """str: its first user and the number of the others."""
        more = f' (and {len(self.users) - 1} more)' if len(self.users) > 1 else ''
        return f'{self.users[0]}, {self.name}{more}'


def different_trainings(runs: Mapping[str, Iterable[Run]],
                        gpus_per_run: int | None = None) -> tuple[dict[str, Training], dict[str, dict[str, str]]]:
    """The trainings of runs.

    A retraining has the architecture of its row or, before a search has found
    any, the published architecture in its config. Configs of joint retrainings
    have none; they get the architecture of the rehearsed search.

    Args:
        runs (dict): name of an experiment -> its runs.
        gpus_per_run (int | None): ``--gpus-per-run``.

    Returns:
        (dict, dict): key -> training, searches before retrainings that need
        them; and identity of a run -> {name of a training: key}.
    """
    trainings: dict[str, Training] = {}
    keys: dict[str, dict[str, str]] = {}
    for experiment, its_runs in runs.items():
        for run in its_runs:
            of_run = keys.setdefault(run.identity, {})
            for name, cfg in run.trainings().items():
                training = _training(run, name, cfg, of_run, gpus_per_run)
                of_run[name] = key = _key(training)
                users = trainings.setdefault(key, training).users
                user = f'{experiment}: {run.row}' + ('' if run.task is None else f' ({run.task})')
                if user not in users:
                    users.append(user)
    return trainings, keys


def _training(run: Run, name: str, cfg: Config, of_run: Mapping[str, str], gpus_per_run: int | None) -> Training:
    processes = run.processes(name, gpus_per_run)
    if name == SEARCH:
        return Training(name, cfg, processes, run.search_test)
    backbone: Any = cfg.model.get('backbone') or {}
    if run.architecture is not None:
        cfg = with_architecture(cfg, run.architecture.to_dict())
    elif 'architecture' in backbone and SEARCH in of_run:
        try:
            resolve_genotype(backbone.architecture)
        except GenotypeError:  # the file of a search that was not run
            return Training(name, cfg, processes, True, of_run[SEARCH])
    return Training(name, cfg, processes, True)


def _key(training: Training) -> str:
    options = training.cfg.to_dict()
    options.pop('randomness', None)
    text = json.dumps([options, training.processes, training.test, training.needs], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:IDENTITY_LENGTH]
