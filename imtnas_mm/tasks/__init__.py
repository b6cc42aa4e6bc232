"""Tasks of a search: detectors of mmdet and classifiers of mmpretrain with the search space as their backbone."""
from .base import Task
from .classification import ClassificationTask
from .detection import DetectionTask
from .joint_model import JointModel

__all__ = ['Task', 'ClassificationTask', 'DetectionTask', 'JointModel']
