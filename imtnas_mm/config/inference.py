"""The config of a trained network for inference and testing: plain values alone, and no path of weights.

mmdet's and mmpretrain's inferencers take it as it is, whatever their default
scope, in a folder without any other file.
"""
import ast
import pprint
from collections.abc import Mapping
from typing import Any

from mmengine.registry import TRANSFORMS

from ..files.config_text import plain_value

# the inferencers and tools/test.py read these; the others are for training
FIELDS = ('default_scope', 'custom_imports', 'runner_type', 'env_cfg', 'log_level', 'log_processor', 'randomness',
          'default_hooks', 'visualizer', 'data_preprocessor', 'model', 'test_dataloader', 'test_evaluator', 'test_cfg')
IMPORTED = 'imtnas_mm.inference'  # lets mmengine's loaders read .safetensors


def plain_settings(text: str, source: str, fields: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The settings of a config's text, which is not run.

    Args:
        text (str): as mmengine writes it.
        source (str): where it comes from, for errors.
        fields (tuple[str], optional): the settings to read, as far as there are; all by default.

    Raises:
        ValueError: it is no Python, or a setting is no plain value.
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, TypeError) as error:
        raise ValueError(f'{source}: is no text of a config: {error}') from error
    nodes = {ast.unparse(s.targets[0]): s.value for s in statements if isinstance(s, ast.Assign)}
    settings = {}
    for name, node in nodes.items():
        if fields is None or name in fields:
            try:
                settings[name] = plain_value(node)
            except ValueError as error:
                raise ValueError(f'{source}: {name}: an export holds plain values alone: {error}') from error
    return settings


def settings_text(settings: Mapping[str, Any]) -> str:
    """Plain settings as the text of a config, from which :func:`plain_settings` reads them."""
    return ''.join(f'{name} = {pprint.pformat(value, width=120, sort_dicts=False)}\n'
                   for name, value in settings.items())


def inference_settings(settings: Mapping[str, Any], architecture: dict[str, Any] | None = None,
                       dataset_meta: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The part of a training's settings that inference and testing need, which names no other file for the model.

    Args:
        settings (dict): of :func:`plain_settings`.
        architecture (dict, optional): the content of the architecture file,
            which takes the place of its path.
        dataset_meta (dict, optional): of the checkpoint; class names that the
            config has in a file come from it.
    """
    kept = {name: settings[name] for name in FIELDS if name in settings}
    imports = kept.get('custom_imports') or {}
    names = imports.get('imports') or []
    names = [names] if isinstance(names, str) else list(names)
    kept['custom_imports'] = dict(imports, imports=[*names, *([IMPORTED] if IMPORTED not in names else [])])
    if 'model' in kept:
        kept['model'] = without_weights(kept['model'])
        if architecture is not None and 'backbone' in kept['model']:
            kept['model']['backbone']['architecture'] = architecture
    dataset = (kept.get('test_dataloader') or {}).get('dataset')
    if isinstance(dataset, dict):
        kept['test_dataloader'] = dict(kept['test_dataloader'], dataset=_alone(
            dataset, kept.get('default_scope'), dataset_meta or {}))
    return kept


def without_weights(value: Any) -> Any:
    """A copy of a model's config without the fields that load weights from files or the internet."""
    if isinstance(value, dict):
        return {key: without_weights(item) for key, item in value.items()
                if key != 'pretrained' and not (key == 'init_cfg' and _loads(item))}
    if isinstance(value, list | tuple):
        return type(value)(without_weights(item) for item in value)
    return value


def _loads(init_cfg: Any) -> bool:
    entries = init_cfg if isinstance(init_cfg, list | tuple) else [init_cfg]
    return any(isinstance(entry, dict) and str(entry.get('type')).endswith('Pretrained') for entry in entries)


def _alone(dataset: dict[str, Any], scope: str | None, dataset_meta: Mapping[str, Any]) -> dict[str, Any]:
    """A dataset whose transforms are found under any default scope, and whose class names are in no other file."""
    changed = dict(dataset)
    if 'pipeline' in dataset:
        changed['pipeline'] = _scoped(dataset['pipeline'], scope)
    metainfo = dataset.get('metainfo')
    if isinstance(metainfo, dict):
        changed['metainfo'] = {key: dataset_meta.get(key, value) if isinstance(value, str) else value
                               for key, value in metainfo.items()}
    return changed


def _scoped(value: Any, scope: str | None) -> Any:
    """Transforms with their library before their names, unless all libraries share them (mmcv's)."""
    if isinstance(value, dict):
        value = {key: _scoped(item, scope) for key, item in value.items()}
        name = value.get('type')
        if scope is not None and isinstance(name, str) and '.' not in name:
            shared = TRANSFORMS.module_dict.get(name)  # the inferencers look for LoadImageFromFile by this name
            with TRANSFORMS.switch_scope_and_registry(scope) as registry:
                if registry.get(name) not in (None, shared) and name in registry.module_dict:
                    value['type'] = f'{scope}.{name}'
    elif isinstance(value, list | tuple):
        value = type(value)(_scoped(item, scope) for item in value)
    return value
