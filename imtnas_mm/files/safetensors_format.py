"""Writes and reads checkpoints as safetensors files, with config, architecture and classes in the metadata.

The metadata of a safetensors file are strings. ``imtnas_mm`` is the version of
these fields, and ``config`` the text of the config. The other fields are JSON:
``architecture`` (the content of an architecture file), ``classes`` (a list),
``meta`` (the rest of a checkpoint's ``meta``), ``shared`` (the name of an
entry -> the name of the entry that holds the same tensor) and ``modules`` (the
path of a module -> what the state dict has beside the module's tensors).
"""
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.serialization import MAP_LOCATION

SUFFIX = '.safetensors'
VERSION = '1'
_JSON = dict(architecture=dict, classes=list, meta=dict, shared=dict, modules=dict)


def to_safetensors(content: Mapping[str, Any]) -> bytes:
    """The bytes of a safetensors file.

    Args:
        content (dict): ``state_dict`` and ``meta``, as in a checkpoint; and
            ``modules``, if its modules have something beside their tensors.

    Raises:
        ValueError: an entry is not a plain tensor, or JSON can't hold ``meta``.
    """
    tensors, shared = _separate(content['state_dict'])
    metadata = dict(metadata_of(content['meta'], shared=shared, modules=content.get('modules')), format='pt')
    try:
        return save(tensors, metadata)
    except KeyError as error:  # the format lacks the dtype
        raise ValueError(f'state_dict: safetensors holds no tensors of {error.args[0]}') from error


def metadata_of(meta: Mapping[str, Any], **more: Any) -> dict[str, str]:
    """A checkpoint's ``meta`` as strings by name, for formats whose metadata are strings.

    Args:
        meta (dict): of a checkpoint.
        **more: other fields, which are written as JSON unless they are empty.

    Raises:
        ValueError: JSON can't hold a value.
    """
    rest = dict(meta)
    dataset_meta = dict(rest.pop('dataset_meta', None) or {})
    fields = dict(classes=dataset_meta.pop('classes', None), architecture=rest.pop('architecture', None), **more)
    config = rest.pop('cfg', None)
    fields['meta'] = dict(rest, dataset_meta=dataset_meta) if dataset_meta else rest
    metadata = dict(imtnas_mm=VERSION, **{} if config is None else dict(config=config))
    metadata.update({name: _to_json(name, value) for name, value in fields.items() if value})
    return metadata


def _to_json(name: str, value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f'meta: {name}: JSON cannot hold it: {error}') from error


def _separate(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(contiguous tensors that share no memory, name -> name of the entry with the same tensor)."""
    tensors, shared, first, storages = {}, {}, {}, set()
    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor) or tensor.layout is not torch.strided or tensor.is_quantized:
            raise ValueError(f'state_dict: {name}: is a {type(tensor).__name__}; safetensors holds dense tensors alone')
        tensor = tensor.detach().cpu()
        storage = tensor.untyped_storage().data_ptr()
        same = (storage, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() and same in first:
            shared[name] = first[same]
            continue
        first[same] = name
        tensors[name] = (tensor.clone() if storage in storages else tensor).contiguous()
        storages.add(storage)
    return tensors, shared


def read_safetensors(path: str | Path, map_location: MAP_LOCATION = None) -> dict[str, Any]:
    """The content that :func:`to_safetensors` wrote; from other safetensors files, the tensors and an empty ``meta``.

    Entries that shared a tensor share it again.

    Raises:
        RuntimeError: if the file has another format; names the file and the
            field.
        OSError: if the file doesn't exist or can't be read.
    """
    try:
        with safe_open(path, framework='pt') as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise RuntimeError(f'{path}: not a whole safetensors file: {error}') from error
    if map_location is not None:
        state = {name: tensor.to(map_location) for name, tensor in state.items()}
    meta, fields = meta_of(path, metadata)
    for name, source in fields.pop('shared', {}).items():
        if not isinstance(source, str) or source not in state or name in state:
            raise RuntimeError(f'{path}: metadata: shared.{name}: {source!r}; it must name an entry of the file for '
                               'one that it lacks')
        state[name] = state[source]
    return dict(meta=meta, state_dict=state, **fields)


def meta_of(path: str | Path, metadata: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(``meta``, the other fields) that :func:`metadata_of` wrote; both are empty for files of another program.

    Raises:
        RuntimeError: a field has another format; names the file and the field.
    """
    version = metadata.get('imtnas_mm')
    if version is None:  # written by another program: its metadata have other meanings
        return {}, {}
    if version != VERSION:
        raise RuntimeError(f'{path}: metadata: imtnas_mm: {version!r}; this imtnas_mm reads {VERSION!r}')
    fields = {name: _from_json(path, name, metadata[name], kind) for name, kind in _JSON.items() if name in metadata}
    meta = fields.pop('meta', {})
    if 'config' in metadata:
        meta['cfg'] = metadata['config']
    if 'classes' in fields:
        dataset_meta = meta.get('dataset_meta', {})
        if not isinstance(dataset_meta, dict):
            raise RuntimeError(f'{path}: metadata: meta.dataset_meta: is a {type(dataset_meta).__name__}; it must be a '
                               'dict')
        meta['dataset_meta'] = dict(dataset_meta, classes=tuple(fields.pop('classes')))
    if 'architecture' in fields:
        meta['architecture'] = fields.pop('architecture')
    return meta, fields


def _from_json(path: str | Path, name: str, text: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RuntimeError(f'{path}: metadata: {name}: is not JSON: {error}') from error
    if not isinstance(value, kind):
        raise RuntimeError(f'{path}: metadata: {name}: is a {type(value).__name__}; it must be a {kind.__name__}')
    return value
