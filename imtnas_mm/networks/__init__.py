"""Backbones and heads of no particular search space, and the base class of all derived networks."""
from .derived import DerivedNet
from .imagenet_head import ImageNetHead
from .timm_pyramid import TIMMPyramid

__all__ = ['DerivedNet', 'ImageNetHead', 'TIMMPyramid']
