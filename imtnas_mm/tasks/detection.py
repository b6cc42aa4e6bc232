"""Object detection with a detector of mmdet."""
from ..registry import MODELS
from .base import Task


@MODELS.register_module()
class DetectionTask(Task):
    """Any mmdet detector with a backbone; its names are looked up in mmdet."""
    scope = 'mmdet'
