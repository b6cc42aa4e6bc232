"""Datasets and dataloaders: checks of the data, seeded and resumable loaders, CIFAR, slices, demonstration data."""
from .build import build_dataset, check_dataset, check_evaluator, log_dropped
from .checks import DataError
from .cifar import CIFAR10, CIFAR100
from .class_names import class_names, innermost
from .endless import EndlessOrder, EndlessSampler, build_endless_loader
from .epochs import build_epoch_loader
from .interface import BuiltDataset
from .pipeline import NamedPipeline, base_datasets, name_failures, raw_images
from .seeded import Position, SeededDataset
from .slice import build_slice, slice_indices
from .split import Split, splits_of
from .synthetic import FirstExamples, LoadImageFromNoise, SyntheticDataset
from .validation_part import check_boxes, is_validation_part, validation_part

__all__ = [
    'base_datasets', 'build_dataset', 'build_endless_loader', 'build_epoch_loader', 'build_slice', 'BuiltDataset',
    'check_boxes', 'check_dataset', 'check_evaluator', 'CIFAR10', 'CIFAR100', 'class_names', 'DataError',
    'EndlessOrder', 'EndlessSampler', 'FirstExamples', 'innermost', 'is_validation_part', 'LoadImageFromNoise',
    'log_dropped', 'name_failures', 'NamedPipeline', 'Position', 'raw_images', 'SeededDataset', 'slice_indices',
    'Split', 'splits_of', 'SyntheticDataset', 'validation_part'
]
