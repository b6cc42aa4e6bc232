from .cell import CellNet
from .cell_head import CellHead
from .imagenet_head import ImageNetHead
from .mbconv import MBConvNet

__all__ = ['CellHead', 'CellNet', 'ImageNetHead', 'MBConvNet']
