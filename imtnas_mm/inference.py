"""Inference with an export of tools/export.py: mmdet's or mmpretrain's inferencer from the one file.

Importing it lets mmengine read ``.safetensors`` files and graphs, and makes it refuse
checkpoints that would run code. The configs of exports have it in their
``custom_imports``, so that the libraries' inferencers read exports without
further ado.
"""
from pathlib import Path
from typing import Any

from mmdet.apis import DetInferencer
from mmengine.config import Config
from mmengine.utils import import_modules_from_strings
from mmpretrain.apis import ImageClassificationInferencer

from . import networks  # noqa: F401  (registers the derived networks)
from .checkpoint import CheckpointError, check_state_dict, read_checkpoint
from .compat import install
from .config.inference import plain_settings
from .files.exported_graph import is_graph

install()


def load_inferencer(path: str | Path, device: str | None = None) -> DetInferencer | ImageClassificationInferencer:
    """The inferencer of an export, from its file alone.

    The config in the file is read as data, and not run. A joint training has
    no inferencer; ``tools/export.py --task`` exports the model of each task.

    Args:
        path (str): of an export: weights (``.pth``, ``.safetensors``) or a
            graph (``.onnx``, ``.pt2``), which computes on the CPU.
        device (str, optional): such as ``'cuda:0'``; by default mmengine's
            choice.

    Returns:
        DetInferencer | ImageClassificationInferencer: by the library of the
        model.

    Raises:
        CheckpointError: the file is no export with a config, or is of a search
            or a joint training, or its weights don't fit its config.
    """
    path = str(path)
    saved = read_checkpoint(path)
    text = (saved.get('meta') or {}).get('cfg')
    if text is None:
        raise CheckpointError(f'{path}: meta.cfg: is missing; it must be an export of tools/export.py')
    try:
        cfg = Config(plain_settings(text, f'{path}: meta.cfg'))
    except ValueError as error:
        raise CheckpointError(f'{error}; tools/export.py makes an export of a checkpoint') from error
    kinds = dict(mmdet=DetInferencer, mmpretrain=ImageClassificationInferencer)
    kind: Any = kinds.get(cfg.get('default_scope'))
    if kind is None:
        raise CheckpointError(f'{path}: meta.cfg: default_scope: {cfg.get("default_scope")!r}; an inferencer needs the '
                              f'model of one task, of {" or ".join(kinds)}; tools/export.py --task exports that of a '
                              'joint training')
    if 'test_dataloader' not in cfg:
        raise CheckpointError(f'{path}: meta.cfg: test_dataloader: is missing; its dataset.pipeline says how images '
                              'are prepared')
    import_modules_from_strings(**cfg.get('custom_imports', dict(imports=[])))
    if is_graph(path):
        cfg.model.file = path
    inferencer = kind(cfg, path, device)
    model = inferencer.model
    check_state_dict(path, saved.get('state_dict', saved), model.state_dict(), type(model).__name__)
    return inferencer
