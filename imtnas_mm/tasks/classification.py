"""Image classification with a classifier of mmpretrain."""
from ..registry import MODELS
from .base import Task


@MODELS.register_module()
class ClassificationTask(Task):
    """Any mmpretrain classifier; its names are looked up in mmpretrain."""
    scope = 'mmpretrain'
