"""JointModel: detectors and classifiers whose backbones share parts, trained together."""
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel
from mmengine.registry import MODELS as ROOT_MODELS
from torch import Tensor, nn

from ..compat.modules import ModulesByName
from ..genotype import GenotypeError, resolve_genotype
from ..networks.derived import DerivedNet
from ..networks.shared import shared_networks
from ..registry import MODELS, built_before
from .base import Task
from .loss_weights import check_weights

TASK_FIELDS = ('type', 'model', 'backbone')


def joint_backbones(backbone: Mapping[str, Any], tasks: Mapping[str, Any]) -> nn.ModuleDict:
    """The backbones of a :class:`JointModel`.

    Args:
        backbone, tasks (dict): of its config.

    Returns:
        nn.ModuleDict: task -> backbone, in the order of the file's tasks.

    Raises:
        GenotypeError: the architecture is not valid.
        ValueError: the architecture has no shared parts of these tasks.
    """
    options = dict(backbone)
    if 'architecture' not in options:
        raise ValueError('model.backbone.architecture: is missing; it must be the architecture of a BMTAS or MTL-NAS '
                         'search')
    architecture = options.pop('architecture')
    if 'type' in options:
        raise ValueError(f'model.backbone.type: {options["type"]!r}; leave it out, the architecture decides on it')
    try:
        genotype = resolve_genotype(architecture)
    except GenotypeError as error:
        raise GenotypeError(f'{error}. A joint model takes the file of a BMTAS or MTL-NAS search '
                            '(configs/bmtas_*.py, configs/mtlnas_*.py)') from error
    name = architecture if isinstance(architecture, str | Path) else 'model.backbone.architecture'
    if genotype.sharing is None:
        raise ValueError(f'{name}: sharing: is missing; a joint model is built from an architecture with shared parts. '
                         'An architecture without them is retrained for each task by itself')
    if set(genotype.sharing['tasks']) != set(tasks):
        raise ValueError(f'{name}: sharing.tasks: {genotype.sharing["tasks"]}; model.tasks of the config has '
                         f'{list(tasks)}, and they must be the same')
    return shared_networks(genotype, {task: {**options, **(cfg.get('backbone') or {})} for task, cfg in tasks.items()})


@MODELS.register_module()
class JointModel(BaseModel):
    """Detectors and classifiers on backbones that share parts, trained on the sum of their losses.

    ``L = sum_k weight_k L_k(D_k)``, one minibatch D_k per task. A shared part
    is one module in all its tasks' models; its gradient is the weighted sum
    over them. A shared batch norm normalises each task's batch by that batch's
    statistics, and updates its running statistics with one task after another.

    A checkpoint has a shared tensor under the name of each task, so that
    ``tasks.<name>.*`` is the whole model of a task.

    Args:
        backbone (dict): ``architecture``, an argument of
            :func:`resolve_genotype` with ``sharing``; and options of every
            task's derived network.
        tasks (dict[str, dict]): by the names in the architecture's
            ``sharing.tasks``, as in a search: ``type``, a subclass of
            :class:`Task`, which sets the library in which names are looked up;
            ``model``, a detector or classifier without its backbone; and
            ``backbone``, options of this task's backbone.
        loss_weights (dict[str, float], optional): weight_k; 1 by default.

    Raises:
        GenotypeError, ValueError: naming file and field.
    """

    tasks: ModulesByName[BaseModel]

    def __init__(self, backbone: Mapping[str, Any], tasks: Mapping[str, Any],
                 loss_weights: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.order = tuple(tasks)
        self.loss_weights = check_weights(loss_weights, 'loss_weights', self.order)
        self.scopes = {name: task_scope(name, cfg) for name, cfg in tasks.items()}
        backbones = joint_backbones(backbone, tasks)
        self.genotype = resolve_genotype(backbone['architecture'])
        self.tasks = ModulesByName({
            name: ROOT_MODELS.build(ConfigDict(
                cfg['model'], backbone=built_before(backbones[name]), _scope_=self.scopes[name]))
            for name, cfg in tasks.items()
        })
        self.data_preprocessor = JointPreprocessor(self.tasks)

    def init_weights(self) -> None:
        """Initialises the models in the tasks' order: a shared block gets the ``init_cfg`` of the last task."""
        for model in self.tasks.values():
            model.init_weights()
        for module in self.modules():  # derived networks inside another backbone class
            if isinstance(module, DerivedNet) and not module.is_init:
                module.init_weights()

    def forward(self, batches: Mapping[str, Any], mode: str = 'tensor') -> dict[str, Any]:
        """The outputs of each task's model in this mode.

        Args:
            batches (dict[str, dict]): task -> preprocessed batch.
            mode (str): ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            dict: by task.
        """
        return {name: self.tasks[name](**batch, mode=mode) for name, batch in batches.items()}

    def parse_losses(self, losses: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """(L, figures): ``loss`` is L; ``<task>/<name>`` are the unweighted losses of each task."""
        total: Any = 0
        figures = {}
        for name, task_losses in losses.items():
            loss, parts = self.tasks[name].parse_losses(task_losses)
            total = total + self.loss_weights[name] * loss
            figures.update({f'{name}/{key}': value for key, value in parts.items()})
        return total, dict(loss=total, **figures)


class JointPreprocessor(nn.Module):
    """Runs each task's batch through the preprocessor of its model."""

    def __init__(self, models: ModulesByName[BaseModel]) -> None:
        super().__init__()
        # in a plain dict: the models register them already
        self.preprocessors = {name: model.data_preprocessor for name, model in models.items()}

    def forward(self, data: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        """``{task: batch}`` -> the arguments of :meth:`JointModel.forward`."""
        return dict(batches={name: self.preprocessors[name](batch, training) for name, batch in data.items()})


def task_scope(name: str, cfg: Mapping[str, Any]) -> str | None:
    """The library in which the names in a task's model are looked up; checks the task's fields."""
    for key in cfg:
        if key not in TASK_FIELDS:
            raise ValueError(f'model.tasks.{name}.{key}: {cfg[key]!r}; unknown field, known are '
                             f'{", ".join(TASK_FIELDS)}')
    for key in ('type', 'model'):
        if key not in cfg:
            raise ValueError(f'model.tasks.{name}.{key}: is missing')
    kind = MODELS.get(cfg['type'])
    if not (isinstance(kind, type) and issubclass(kind, Task)):
        raise ValueError(f'model.tasks.{name}.type: {cfg["type"]!r}; it must be ClassificationTask, DetectionTask or '
                         'another task of imtnas_mm')
    if 'backbone' in cfg['model']:
        raise ValueError(f"model.tasks.{name}.model.backbone: {cfg['model']['backbone']!r}; the backbone is built from "
                         f'the architecture, and options of it go to model.tasks.{name}.backbone')
    return kind.scope


def is_joint(cfg: Config | Mapping[str, Any]) -> bool:
    """Whether a config trains a :class:`JointModel`."""
    return str((cfg.get('model') or {}).get('type')).rpartition('.')[2] == JointModel.__name__
