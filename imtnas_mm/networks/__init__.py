"""Backbones that are no search space's own, their classifier, and what the derived networks of all spaces share."""
from .derived import DerivedNet
from .imagenet_head import ImageNetHead
from .timm_pyramid import TIMMPyramid

__all__ = ['DerivedNet', 'ImageNetHead', 'TIMMPyramid']
