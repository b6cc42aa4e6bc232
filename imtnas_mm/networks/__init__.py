from .cell import CellNet
from .cell_head import CellHead
from .imagenet_head import ImageNetHead
from .mbconv import MBConvNet
from .timm_pyramid import TIMMPyramid

__all__ = ['CellHead', 'CellNet', 'ImageNetHead', 'MBConvNet', 'TIMMPyramid']
