from .build import build_dataset, check_dataset, check_evaluator
from .checks import DataError
from .cifar import CIFAR10, CIFAR100
from .positioned import PositionedDataset, PositionSampler, build_positioned_loader
from .slice import build_slice, slice_indices
from .split import split_indices

__all__ = [
    'build_dataset', 'build_positioned_loader', 'build_slice', 'check_dataset', 'check_evaluator', 'CIFAR10',
    'CIFAR100', 'DataError', 'PositionedDataset', 'PositionSampler', 'slice_indices', 'split_indices'
]
