"""The package's registries: one scope, ``imtnas_mm``, child of mmengine's.

A config of mmdet or mmpretrain names our parts with the scope in front,
``type='imtnas_mm.MBConvNet'``. Every registry of mmengine has a child here, so
that our parts need no prefix under ``default_scope = 'imtnas_mm'``.
"""
from collections.abc import Mapping
from typing import Any

import mmengine.registry as mmengine_registry
from mmengine.registry import Registry

SCOPE = 'imtnas_mm'


def _child(parent: Registry, *locations: str) -> Registry:
    return Registry(parent.name, parent=parent, scope=SCOPE, locations=[f'{SCOPE}.{place}' for place in locations])


def scoped(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a part of this package with the scope in front of its type, valid under any default scope."""
    return dict(cfg, type=cfg['type'] if '.' in cfg['type'] else f'{SCOPE}.{cfg["type"]}')


def built_before(part: object) -> dict[str, Any]:
    """A config that builds to ``part`` itself; wrapped in a function, ``part`` isn't copied with the config."""
    return dict(type=lambda: part)


MODELS = _child(mmengine_registry.MODELS, 'layers', 'spaces', 'networks', 'encoders', 'transfer', 'tasks', 'algorithms',
                'deploy')
DATASETS = _child(mmengine_registry.DATASETS, 'datasets')
TRANSFORMS = _child(mmengine_registry.TRANSFORMS, 'datasets')
DATA_SAMPLERS = _child(mmengine_registry.DATA_SAMPLERS, 'datasets')
HOOKS = _child(mmengine_registry.HOOKS, 'engine')
LOOPS = _child(mmengine_registry.LOOPS, 'engine')
RUNNERS = _child(mmengine_registry.RUNNERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(mmengine_registry.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
LOG_PROCESSORS = _child(mmengine_registry.LOG_PROCESSORS, 'engine')
# these register nothing of ours
RUNNER_CONSTRUCTORS = _child(mmengine_registry.RUNNER_CONSTRUCTORS)
STRATEGIES = _child(mmengine_registry.STRATEGIES)
MODEL_WRAPPERS = _child(mmengine_registry.MODEL_WRAPPERS)
WEIGHT_INITIALIZERS = _child(mmengine_registry.WEIGHT_INITIALIZERS)
TASK_UTILS = _child(mmengine_registry.TASK_UTILS)
INFERENCERS = _child(mmengine_registry.INFERENCERS)
OPTIMIZERS = _child(mmengine_registry.OPTIMIZERS)
OPTIM_WRAPPERS = _child(mmengine_registry.OPTIM_WRAPPERS)
PARAM_SCHEDULERS = _child(mmengine_registry.PARAM_SCHEDULERS)
METRICS = _child(mmengine_registry.METRICS)
EVALUATOR = _child(mmengine_registry.EVALUATOR)
VISUALIZERS = _child(mmengine_registry.VISUALIZERS)
VISBACKENDS = _child(mmengine_registry.VISBACKENDS)
FUNCTIONS = _child(mmengine_registry.FUNCTIONS)

# mmengine has none of these
TABLE_SAMPLERS = Registry('table_sampler', scope=SCOPE, locations=[f'{SCOPE}.tables.samplers'])
