from .imagenet_head import ImageNetHead
from .mbconv import MBConvNet

__all__ = ['ImageNetHead', 'MBConvNet']
