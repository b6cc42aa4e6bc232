"""Whole models as graphs: from the image to classes or boxes, in ONNX or as a program of torch.export."""
from .models import GraphClassifier, GraphDetector

__all__ = ['GraphClassifier', 'GraphDetector']
