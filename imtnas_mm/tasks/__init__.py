from .base import Task
from .classification import ClassificationTask
from .detection import DetectionTask

__all__ = ['Task', 'ClassificationTask', 'DetectionTask']
