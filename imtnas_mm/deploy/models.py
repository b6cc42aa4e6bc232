"""Exported graphs as models of mmengine, so that inferencers and tools/test.py run them as they run other models."""
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from mmpretrain.structures import DataSample
from torch import Tensor

from ..files.exported_graph import onnx_session
from ..registry import MODELS
from . import nms  # noqa: F401  (registers the operator that .pt2 files use)


def graph_function(path: str | Path) -> Callable[..., tuple[Tensor, ...]]:
    """The function of tensors that a file holds, on the CPU.

    Args:
        path (str): an ``.onnx`` file, which onnxruntime runs, or a ``.pt2``.

    Raises:
        RuntimeError: if the file can't be run.
    """
    if Path(path).suffix == '.onnx':
        session = onnx_session(path)
        names = [entry.name for entry in session.get_inputs()]

        def run(*inputs: Tensor) -> tuple[Tensor, ...]:
            values = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
            return tuple(map(torch.from_numpy, session.run(None, values)))
        return run
    module = torch.export.load(path).module()
    return lambda *inputs: module(*inputs)  # no submodule of the model, whose eval() it refuses


class GraphModel(BaseModel):
    """A model without parameters, whose predictions a graph computes on the CPU.

    Args:
        file (str): the exported graph.
        data_preprocessor (dict): casts and pads images. It does not normalise
            them, since the graph does.
    """

    def __init__(self, file: str, data_preprocessor: dict[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor)
        self.file = file
        self.function = graph_function(file)

    def forward(self, inputs: Tensor, data_samples: list[Any] | None = None, mode: str = 'predict') -> list[Any]:
        """The data samples with their predictions.

        Raises:
            ValueError: for another mode than ``'predict'``.
        """
        if mode != 'predict':
            raise ValueError(f'mode={mode!r}: {self.file} is a graph, which only predicts')
        return self.predict(inputs.cpu().float(), data_samples)

    def predict(self, images: Tensor, samples: list[Any] | None) -> list[Any]:
        raise NotImplementedError


@MODELS.register_module()
class GraphClassifier(GraphModel):
    """The graph of a classifier of mmpretrain."""

    def predict(self, images: Tensor, samples: list[Any] | None) -> list[DataSample]:
        scores, = self.function(images)
        samples = [DataSample() for _ in scores] if samples is None else samples
        for sample, score in zip(samples, scores, strict=True):
            sample.set_pred_score(score).set_pred_label(score.argmax())
        return samples


@MODELS.register_module()
class GraphDetector(GraphModel):
    """The graph of a detector of mmdet; boxes are in pixels of the images before they were resized."""

    def predict(self, images: Tensor, samples: Sequence[Any] | None) -> list[Any]:
        if samples is None:
            raise ValueError(f'{self.file}: a detector needs data samples, which have the sizes of the images')
        sizes = torch.tensor([sample.img_shape[:2] for sample in samples], dtype=torch.int64)
        for sample, boxes, scores, labels in zip(samples, *self.function(images, sizes), strict=True):
            kept = labels >= 0
            scale = boxes.new_tensor(sample.metainfo.get('scale_factor', (1, 1))).repeat(2)
            sample.pred_instances = InstanceData(
                bboxes=boxes[kept] / scale, scores=scores[kept], labels=labels[kept])
        return list(samples)
