from .build import build_dataset, check_dataset, check_evaluator
from .checks import DataError
from .cifar import CIFAR10, CIFAR100
from .positioned import PositionedDataset, PositionSampler, build_positioned_loader
from .split import split_indices

__all__ = [
    'build_dataset', 'build_positioned_loader', 'check_dataset', 'check_evaluator', 'CIFAR10', 'CIFAR100', 'DataError',
    'PositionedDataset', 'PositionSampler', 'split_indices'
]
