"""Lists all undocumented parts of PyTorch and other libraries that the package uses; holds all that it replaces.

Each entry states its reason, its undefined results, and the versions in which it was
seen. Importing this package changes no library. :func:`install` replaces mmengine's
checkpoint loaders, and yapf's function for the text of configs, for the whole process;
``engine.launch.build_runner`` calls it.
"""
from . import config_text, datasets, figures, loaders, modules, preprocessing, runner, safe_loading, tensors
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

NAMES = (  # undocumented names other than PyTorch's operators
    *tensors.NAMES, *modules.NAMES, *loaders.NAMES, *preprocessing.NAMES, *runner.NAMES, *datasets.NAMES,
    *safe_loading.NAMES, *config_text.NAMES, *figures.NAMES,
    Private(
        'mmdet.models.losses.focal_loss.sigmoid_focal_loss', '',
        "replaced by compat.focal_loss, inside a block, where mmdet's FocalLoss would call mmcv's compiled function",
        seen=LIBRARIES),
    Private(
        'mmdet.models.dense_heads.AnchorHead.loss_by_feat', '',
        'replaced on the head of a task by AnchorLoss (imtnas_mm.tasks), for whose targets the host does not wait; a '
        'head that overrides it, or a method that it calls, keeps its method', seen=LIBRARIES),
    Private(
        'mmdet.models.dense_heads.AnchorHead._get_targets_single', '',
        'its rules are followed by the targets of AnchorLoss; a head that overrides it keeps its method',
        seen=LIBRARIES),
    Private(
        'mmdet.models.dense_heads.base_dense_head.BaseDenseHead._predict_by_feat_single', '',
        'the graph of a detector follows its rules; a head that overrides it has no graph (compat.predictions)',
        seen=LIBRARIES),
    Private(
        'mmdet.models.dense_heads.base_dense_head.BaseDenseHead._bbox_post_process', '',
        'as _predict_by_feat_single', seen=LIBRARIES),
    Private(
        'mmpretrain.models.heads.ClsHead._get_loss', '',
        'the loss of scores, which CellHead also takes of its auxiliary classifier', seen=LIBRARIES),
    Private(
        'mmpretrain.models.heads.ClsHead._get_predictions', '',
        'the softmax of the outputs; a head that overrides it has other scores, and no graph', seen=LIBRARIES),
)

__all__ = [
    'LIBRARIES', 'NAMES', 'OPERATORS', 'Private', 'install', 'addmm', 'avg_pool2d_backward', 'bmm', 'convolution',
    'convolution_backward', 'hardtanh_backward', 'max_pool2d_with_indices_backward', 'mm', 'native_batch_norm',
    'native_batch_norm_backward', 'threshold_backward'
]


def install() -> None:
    """Replaces functions of mmengine and yapf, for the rest of this process."""
    safe_loading.install()
    config_text.install()
