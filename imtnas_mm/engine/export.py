"""Exports the weights or the graph, the config and the architecture of a checkpoint, without its training's state."""
import io
import os.path as osp
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..checkpoint import CheckpointError, read_checkpoint
from ..compat.modules import state_metadata, with_metadata
from ..config.inference import FIELDS, inference_settings, plain_settings, settings_text
from ..deploy.write import built, write_graph
from ..files.atomic import write_checkpoint, write_whole
from ..files.exported_graph import SUFFIXES as GRAPH_SUFFIXES
from ..files.safetensors_format import SUFFIX, to_safetensors
from ..genotype import Genotype, resolve_genotype
from ..registry import MODELS, SCOPE
from ..space_format import format_of
from ..stored_architecture import refuse_contradiction, stored_genotype
from ..tasks.joint_model import task_scope

SUFFIXES = ('.pth', SUFFIX)  # of weights; an export without an ending is written as each
VISUALIZERS: dict[Any, dict[str, Any]] = dict(  # by the scope of a task
    mmdet=dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer'),
    mmpretrain=dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]))


def exported(checkpoint: str, ema: bool = True,
             architecture: Genotype | dict[str, Any] | str | Path | None = None) -> dict[str, Any]:
    """The part of a checkpoint that is exported.

    Args:
        checkpoint (str): a file.
        ema (bool): if mmengine's EMAHook averaged the weights, True takes the
            averages; False takes the weights that were trained.
        architecture (optional): an argument of :func:`resolve_genotype`; by
            default that of :func:`stored_genotype`.

    Returns:
        dict: ``state_dict`` and ``meta``; the content of the architecture file
        is ``meta['architecture']``. ``meta['cfg']`` is the text of
        :func:`inference_settings`, with this content in place of a path; of a
        search it is the text in the checkpoint.

    Raises:
        CheckpointError: the file is no checkpoint with weights; or
            ``ema=False``, and its training averaged no weights.
        GenotypeError: the architecture can't be found, is not valid, or
            contradicts the one that the checkpoint records.
        ValueError: the config in the checkpoint has more than plain values.
    """
    saved = read_checkpoint(checkpoint)
    weights = saved.get('state_dict', saved)
    state = dict(weights)
    wrong = next((name for name, tensor in state.items() if not isinstance(tensor, torch.Tensor)), None)
    if not state or wrong is not None:
        raise CheckpointError(f'{checkpoint}: state_dict: ' + (
            f'{wrong} is a {type(state[wrong]).__name__}; it must hold tensors' if state else 'is empty'))
    if not ema:
        state.update(_trained_weights(checkpoint, saved, state))
    meta = dict(saved.get('meta') or {})
    if architecture is None:
        genotype = stored_genotype(saved, checkpoint)
    else:
        genotype = resolve_genotype(architecture)
        refuse_contradiction(saved, checkpoint, genotype, f'--architecture {architecture}',
                             sharing=any(name.startswith('tasks.') for name in state))
    if genotype is not None:
        meta['architecture'] = genotype.to_dict()
    settings = plain_settings(meta['cfg'], f'{checkpoint}: meta.cfg', FIELDS) if 'cfg' in meta else {}
    if settings and not str(settings.get('runner_type')).endswith('SearchRunner'):
        meta['cfg'] = settings_text(
            inference_settings(settings, meta.get('architecture'), meta.get('dataset_meta')))
    return dict(meta=meta, state_dict=with_metadata(state, state_metadata(weights)))


def exported_task(content: dict[str, Any], task: str) -> dict[str, Any]:
    """One task's model by itself, from the :func:`exported` content of a joint training.

    Its entries have the names that a retraining of one task gives them, its
    config is that of such a retraining, and its architecture has no
    ``sharing``.

    Raises:
        ValueError: there is no such task, or its network reads features of
            other tasks' networks.
    """
    meta, state = _task_meta(content, task), content['state_dict']
    if any(name.startswith(f'tasks.{task}.backbone.fusion.') for name in state):
        raise ValueError(f"--task {task}: its network reads features of other tasks' networks; export all together, or "
                         f'a graph ({", ".join(GRAPH_SUFFIXES)})')
    prefix = f'tasks.{task}.'
    metadata = {name.removeprefix(prefix): value for name, value in state_metadata(state).items()
                if name.startswith(prefix)}
    return dict(meta=meta, state_dict=with_metadata({
        name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}, metadata))


def _joint_tasks(content: dict[str, Any]) -> list[str]:
    """The tasks of a joint training; none of another one."""
    sharing = resolve_genotype(content['meta']['architecture']).sharing if 'architecture' in content['meta'] else None
    return [] if sharing is None else list(dict.fromkeys(
        name.split('.')[1] for name in content['state_dict'] if name.startswith('tasks.')))


def _task_meta(content: dict[str, Any], task: str) -> dict[str, Any]:
    """``meta`` of one task's model by itself, with the name of the task in ``meta['task']``.

    Raises:
        ValueError: there is no such task.
    """
    tasks, meta = _joint_tasks(content), content['meta']
    if not tasks:
        raise ValueError(f'--task {task}: the checkpoint is not one of a joint training')
    if task not in tasks:
        raise ValueError(f'--task {task}: the checkpoint has the tasks {", ".join(tasks)}')
    genotype = resolve_genotype(meta['architecture'])
    kept = {key: value for key, value in meta.items() if key not in ('cfg', 'dataset_meta')}
    kept.update(task=task, architecture=replace(genotype, sharing=None).to_dict())
    if task in (meta.get('dataset_meta') or {}):
        kept['dataset_meta'] = meta['dataset_meta'][task]
    if 'cfg' in meta:
        settings = plain_settings(meta['cfg'], 'meta.cfg')
        kept['cfg'] = settings_text(inference_settings(
            task_settings(settings, task, genotype.space), kept['architecture'], kept.get('dataset_meta')))
    return kept


def task_settings(settings: dict[str, Any], task: str, space: str) -> dict[str, Any]:
    """The settings of a retraining of one task, from those of a joint training.

    Args:
        settings (dict): of :func:`plain_settings`.
        task (str): its name in ``model.tasks``.
        space (str): of the architecture.

    Raises:
        ValueError: the model of the task is none of mmdet or mmpretrain.
    """
    model = settings['model']
    scope = task_scope(task, model['tasks'][task])
    if scope not in VISUALIZERS:
        raise ValueError(f'--task {task}: its model is one of {scope}; an export is one of mmdet or mmpretrain')
    network: Any = format_of(space).network
    name = f'{SCOPE}.{network.__name__}'
    if MODELS.get(name) is not network:  # of a file outside the package
        name = f'{network.__module__}.{network.__name__}'
    alone = {name: value for name, value in settings.items() if name not in ('runner_type', 'log_processor')}
    alone.update(
        default_scope=scope, visualizer=VISUALIZERS[scope], test_cfg={},
        model=dict(model['tasks'][task]['model'], backbone=dict(
            {**model['backbone'], **(model['tasks'][task].get('backbone') or {})}, type=name)))
    for part in ('test_dataloader', 'test_evaluator'):
        if part in settings:
            alone[part] = settings[part][task]
    return alone


def _trained_weights(checkpoint, saved, state):
    """EMAHook saves the averaged weights as ``state_dict`` and the trained ones as ``ema_state_dict``."""
    if 'ema_state_dict' not in saved:
        raise CheckpointError(f'{checkpoint}: ema_state_dict: is missing; its training averaged no weights, so leave '
                              'out --no-ema')
    trained = {name.removeprefix('module.'): tensor for name, tensor in saved['ema_state_dict'].items()
               if name.startswith('module.')}
    for name in trained:
        if name not in state:
            raise CheckpointError(f'{checkpoint}: ema_state_dict: module.{name}: is not in its state_dict')
    return trained


def write_exported(content: dict[str, Any], path: str) -> list[str]:
    """Write the weights of the result of :func:`exported`; ``.pth`` and ``.safetensors`` read back alike.

    The config stands beside the file, too, as ``<path>.py``. It is for those
    who read configs from files (mmpretrain's inferencers), and its
    ``load_from`` is the file.

    Returns:
        list[str]: the paths of the files.

    Raises:
        ValueError: another ending, or a value that safetensors can't hold.
        OSError: the file can't be written; an old file at the path stays.
    """
    suffix, text = osp.splitext(path)[1], content['meta'].get('cfg')
    if suffix == SUFFIX:
        write_checkpoint(path, to_safetensors(dict(content, modules=state_metadata(content['state_dict']))))
    elif suffix in SUFFIXES:
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_checkpoint(path, buffer.getvalue())
    else:
        raise ValueError(f'{path}: it must end with {", ".join((*SUFFIXES, *GRAPH_SUFFIXES))}')
    return [path] if text is None else [path, _write_config(path, text)]


def write_graphs(content: dict[str, Any], path: str, task: str | None = None) -> list[str]:
    """Write the model of :func:`exported` as a graph, ``.onnx`` or ``.pt2``, with its config beside it.

    A joint training has one graph per task, ``<stem>.<task><ending>``. A graph
    of a fusion has the parts of other tasks' networks that its task reads.

    Args:
        content (dict): of :func:`exported`.
        path (str): of the graph.
        task (str, optional): of a joint training, write the graph of this task alone, to ``path``.

    Returns:
        list[str]: the paths of the files.

    Raises:
        ValueError: there is no such task, or no graph of its model.
        OSError: the file can't be written; an old file at the path stays.
    """
    stem, suffix = osp.splitext(path)
    if task is not None:
        graphs = {path: task}
    else:
        graphs = {f'{stem}.{name}{suffix}': name for name in _joint_tasks(content)} or {path: None}
    metas = {name: content['meta'] if name is None else _task_meta(content, name) for name in graphs.values()}
    model, written = built(content), []
    for file, name in graphs.items():
        part = model if name is None else model.get_submodule(f'tasks.{name}')
        settings = write_graph(part, file, metas[name])
        beside = dict(settings, model=dict(settings['model'], file=_beside(file)))
        written += [file, _write_config(file, settings_text(beside))]
    return written


def _beside(path: str) -> str:
    """A file in the folder of a config, as mmengine writes it in the config."""
    return f'{{{{ fileDirname }}}}/{osp.basename(path)}'


def _write_config(path: str, text: str) -> str:
    """Write the config of an exported file; returns its path."""
    write_whole(f'{path}.py', f'"""The config of {osp.basename(path)} for inference and testing."""\n{text}'
                f'load_from = {_beside(path)!r}\n')
    return f'{path}.py'
