"""The one place for what PyTorch and the other libraries don't document and the package uses, replaces or silences.

Each entry tells what it is for, what it leaves undefined, and the versions it was
seen with. Importing it changes no library; :func:`install` changes mmengine's loaders
of checkpoints for a whole process, and ``engine.launch.build_runner`` calls it.
"""
from . import datasets, loaders, modules, preprocessing, runner, safe_loading, tensors
from .operators import (
    OPERATORS,
    addmm,
    avg_pool2d_backward,
    bmm,
    convolution,
    convolution_backward,
    hardtanh_backward,
    max_pool2d_with_indices_backward,
    mm,
    native_batch_norm,
    native_batch_norm_backward,
    threshold_backward,
)
from .private import LIBRARIES, Private
from .safe_loading import install

NAMES = (  # what is read, followed or replaced outside of PyTorch's operators
    *tensors.NAMES, *modules.NAMES, *loaders.NAMES, *preprocessing.NAMES, *runner.NAMES, *datasets.NAMES,
    *safe_loading.NAMES,
    Private(
        'mmdet.models.losses.focal_loss.sigmoid_focal_loss', '',
        "replaced by compat.focal_loss, inside a block, where mmdet's FocalLoss would call mmcv's compiled function",
        seen=LIBRARIES),
    Private(
        'mmdet.models.dense_heads.AnchorHead.loss_by_feat', '',
        'replaced on the head of a task by AnchorLoss (imtnas_mm.tasks), whose targets no host waits for; a head that '
        'overrides it, or one of the methods that it calls, keeps its own', seen=LIBRARIES),
    Private(
        'mmdet.models.dense_heads.AnchorHead._get_targets_single', '',
        'followed by the targets of AnchorLoss; a head that overrides it keeps its own', seen=LIBRARIES),
)

__all__ = [
    'LIBRARIES', 'NAMES', 'OPERATORS', 'Private', 'install', 'addmm', 'avg_pool2d_backward', 'bmm', 'convolution',
    'convolution_backward', 'hardtanh_backward', 'max_pool2d_with_indices_backward', 'mm', 'native_batch_norm',
    'native_batch_norm_backward', 'threshold_backward'
]
