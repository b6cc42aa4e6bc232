from .build import build_dataset, check_dataset, check_evaluator, log_dropped
from .checks import DataError
from .cifar import CIFAR10, CIFAR100
from .pipeline import NamedPipeline, base_datasets, name_failures, raw_images
from .positioned import PositionedDataset, PositionSampler, build_positioned_loader
from .slice import build_slice, slice_indices
from .split import split_indices

__all__ = [
    'base_datasets', 'build_dataset', 'build_positioned_loader', 'build_slice', 'check_dataset', 'check_evaluator',
    'CIFAR10', 'CIFAR100', 'DataError', 'log_dropped', 'name_failures', 'NamedPipeline', 'PositionedDataset',
    'PositionSampler', 'raw_images', 'slice_indices', 'split_indices'
]
