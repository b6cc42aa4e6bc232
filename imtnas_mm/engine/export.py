"""Exports the weights, config and architecture of a checkpoint, without the state of the training."""
import io
import os.path as osp
from dataclasses import replace

import torch

from ..atomic_files import write_checkpoint
from ..checkpoint import CheckpointError, read_checkpoint
from ..config.text import expression_at, plain_value
from ..genotype import GenotypeError, resolve_genotype
from ..safetensors_file import SUFFIX, to_safetensors

SUFFIXES = ('.pth', SUFFIX)


def exported(checkpoint, ema=True, architecture=None):
    """The part of a checkpoint that is exported.

    Args:
        checkpoint (str): a file.
        ema (bool): if mmengine's EMAHook averaged the weights, True takes the
            averages; False takes the weights that were trained.
        architecture (optional): an argument of :func:`resolve_genotype`; by
            default ``model.backbone.architecture`` of the checkpoint's config,
            if it has one.

    Returns:
        dict: ``state_dict`` and ``meta``; the content of the architecture file
        is ``meta['architecture']``.

    Raises:
        CheckpointError: the file is no checkpoint with weights; or
            ``ema=False``, and its training averaged no weights.
        GenotypeError: the architecture can't be found or is not valid.
    """
    saved = read_checkpoint(checkpoint)
    state = dict(saved.get('state_dict', saved))
    wrong = next((name for name, tensor in state.items() if not isinstance(tensor, torch.Tensor)), None)
    if not state or wrong is not None:
        raise CheckpointError(f'{checkpoint}: state_dict: ' + (
            f'{wrong} is a {type(state[wrong]).__name__}; it must hold tensors' if state else 'is empty'))
    if not ema:
        state.update(_trained_weights(checkpoint, saved, state))
    meta = dict(saved.get('meta') or {})
    if architecture is None and 'architecture' not in meta:
        architecture = _architecture_of(checkpoint, meta.get('cfg', ''))
    if architecture is not None:
        meta['architecture'] = resolve_genotype(architecture).to_dict()
    return dict(meta=meta, state_dict=state)


def exported_task(content, task):
    """One task's model by itself, from the :func:`exported` content of a joint training.

    Its entries have the names that a retraining of one task gives them, and
    its architecture has no ``sharing``. It has no config.

    Raises:
        ValueError: there is no such task, or its network reads features of
            other tasks' networks.
    """
    state, meta = content['state_dict'], content['meta']
    tasks = list(dict.fromkeys(name.split('.')[1] for name in state if name.startswith('tasks.')))
    genotype = resolve_genotype(meta['architecture']) if 'architecture' in meta else None
    if not tasks or genotype is None or genotype.sharing is None:
        raise ValueError(f'--task {task}: the checkpoint is not one of a joint training')
    if task not in tasks:
        raise ValueError(f'--task {task}: the checkpoint has the tasks {", ".join(tasks)}')
    if any(name.startswith(f'tasks.{task}.backbone.fusion.') for name in state):
        raise ValueError(f"--task {task}: its network reads features of other tasks' networks; export all together")
    prefix = f'tasks.{task}.'
    task_meta = {key: value for key, value in meta.items() if key not in ('cfg', 'dataset_meta')}
    task_meta['architecture'] = replace(genotype, sharing=None).to_dict()
    if task in (meta.get('dataset_meta') or {}):
        task_meta['dataset_meta'] = meta['dataset_meta'][task]
    return dict(meta=task_meta, state_dict={
        name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)})


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


def _architecture_of(checkpoint, text):
    node = expression_at(text, 'model', 'backbone', 'architecture')
    if node is None:
        return None
    try:
        return resolve_genotype(plain_value(node))
    except (GenotypeError, ValueError) as error:
        raise GenotypeError(f'{checkpoint}: meta.cfg: model.backbone.{error}. --architecture gives the file where it '
                            'is now') from error


def write_exported(content, path):
    """Write the result of :func:`exported` as ``.pth`` or ``.safetensors``, by the ending; both read back alike.

    Raises:
        ValueError: another ending, or a value that safetensors can't hold.
        OSError: the file can't be written; an old file at the path stays.
    """
    suffix = osp.splitext(path)[1]
    if suffix == SUFFIX:
        data = to_safetensors(content)
    elif suffix in SUFFIXES:
        buffer = io.BytesIO()
        torch.save(content, buffer)
        data = buffer.getvalue()
    else:
        raise ValueError(f'{path}: it must end with {" or ".join(SUFFIXES)}')
    write_checkpoint(path, data)
