"""Writes the model of an export as a graph, ``.onnx`` or ``.pt2``."""
import io
import json
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope
from mmengine.utils import import_modules_from_strings
from torch import nn

from ..checkpoint import check_state_dict
from ..compat.operators import of_the_package
from ..config.inference import plain_settings, settings_text
from ..files.atomic import write_checkpoint
from ..files.exported_graph import EXTRA
from ..files.safetensors_format import metadata_of
from .graphs import ClassifierGraph, DetectorGraph, graph_of
from .nms import onnx_kept_by_nms

BATCH = 2  # of the traced example; 1 would be taken for a constant
SIDES = (128, 160)  # of the traced images; other sizes are as good


def built(content: dict[str, Any]) -> nn.Module:
    """The model of an export's content, with its weights.

    Raises:
        ValueError: it has no config, or its weights don't fit the config.
    """
    text = content['meta'].get('cfg')
    if text is None:
        raise ValueError('meta.cfg: is missing; a graph needs the config of the model')
    settings = plain_settings(text, 'meta.cfg')
    import_modules_from_strings(**settings.get('custom_imports', dict(imports=[])))
    model = dict(settings['model'])
    if 'data_preprocessor' in settings:
        model.setdefault('data_preprocessor', settings['data_preprocessor'])
    with DefaultScope.overwrite_default_scope(settings.get('default_scope')):
        network = MODELS.build(ConfigDict(model))
    check_state_dict('state_dict', content['state_dict'], network.state_dict(), type(network).__name__)
    network.load_state_dict(content['state_dict'])
    return network


def traced(graph: ClassifierGraph | DetectorGraph, divisor: int = 1) -> torch.export.ExportedProgram:
    """The graph for any batch, height and width.

    Args:
        graph: the function that is traced.
        divisor (int): of the sides of the images.
    """
    sides = [-(-side // divisor) * divisor for side in SIDES]
    images = torch.zeros(BATCH, 3, *sides)
    shapes: Any = {'images': {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}}
    inputs: tuple = (images, )
    if isinstance(graph, DetectorGraph):
        inputs, shapes = (images, torch.tensor([sides] * BATCH)), {**shapes, 'sizes': {0: torch.export.Dim.DYNAMIC}}
    with torch.no_grad():
        return torch.export.export(graph, inputs, dynamic_shapes=shapes)


def graph_settings(settings: dict[str, Any], detects: bool, divisor: int) -> dict[str, Any]:
    """The config of an export whose model is the graph."""
    kept = {name: value for name, value in settings.items() if name != 'data_preprocessor'}
    preprocessor = dict(type='mmdet.DetDataPreprocessor', pad_size_divisor=divisor) if detects else dict(
        type='mmpretrain.ClsDataPreprocessor', to_rgb=False)
    model = dict(type='imtnas_mm.GraphDetector' if detects else 'imtnas_mm.GraphClassifier',
                 data_preprocessor=preprocessor)
    return dict(kept, model=model)


def write_graph(model: nn.Module, path: str, meta: dict[str, Any]) -> dict[str, Any]:
    """Write a model as a graph.

    Args:
        model (nn.Module): of :func:`built`, or its part for one task.
        path (str): of the file.
        meta (dict): of the file; its ``cfg`` is the config of the model.

    Returns:
        dict: the settings of the config in the file.

    Raises:
        ValueError: there is no graph of the model, or onnxscript is missing.
        OSError: the file can't be written.
    """
    graph = graph_of(model)
    detects = isinstance(graph, DetectorGraph)
    preprocessor: Any = model.data_preprocessor
    divisor = preprocessor.pad_size_divisor
    settings = graph_settings(plain_settings(meta['cfg'], 'meta.cfg'), detects, divisor)
    metadata = metadata_of(dict(meta, cfg=settings_text(settings)))
    program = traced(graph, divisor)
    if path.endswith('.onnx'):
        data = onnx_bytes(program, graph, metadata)
    else:
        buffer = io.BytesIO()
        torch.export.save(program, buffer, extra_files={EXTRA: json.dumps(metadata)})
        data = buffer.getvalue()
    write_checkpoint(path, data)
    return settings


def onnx_bytes(program: torch.export.ExportedProgram, graph: ClassifierGraph | DetectorGraph,
               metadata: dict[str, str]) -> bytes:
    """The bytes of an ONNX file, whose metadata_props are ``metadata``.

    Raises:
        ValueError: if onnx or onnxscript is not installed.
    """
    try:
        exported: Any = torch.onnx.export(
            program, (), dynamo=True, verbose=False, input_names=graph.inputs, output_names=graph.outputs,
            custom_translation_table={of_the_package('kept_by_nms'): onnx_kept_by_nms})
    except ImportError as error:
        raise ValueError(f'{error}: an .onnx file needs pip install -r requirements-onnx.txt') from error
    exported.model.metadata_props.update(metadata)
    return exported.model_proto.SerializeToString()
