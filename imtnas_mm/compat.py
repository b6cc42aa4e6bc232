"""The one place that names what PyTorch and the other libraries don't document and the package uses all the same.

Each entry tells what it is for, what it leaves undefined, and the versions it
was seen with. Nothing else in the package names ``torch.ops.aten``. A version
that lacks an operator, or takes other arguments, is refused where the package
is imported.
"""
from typing import NamedTuple

import torch


class Private(NamedTuple):
    """An undocumented name.

    Args:
        name (str): where it is found.
        signature (str): of an operator, its arguments and outputs.
        reason (str): why nothing documented serves.
        undefined (str): which outputs hold nothing, when, and where; empty if all are always there.
        seen (tuple[str]): the versions whose behaviour was looked at.
    """
    name: str
    signature: str
    reason: str
    undefined: str = ''
    seen: tuple = ('torch 2.11.0', 'torch 2.14.1')


OPERATORS = {entry.name: entry for entry in (
    Private(
        'native_batch_norm',
        '(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, '
        'float momentum, float eps) -> (Tensor, Tensor, Tensor)',
        'F.batch_norm keeps the mean and the inverse deviation of the batch to itself'),
    Private(
        'native_batch_norm_backward',
        '(Tensor grad_out, Tensor input, Tensor? weight, Tensor? running_mean, Tensor? running_var, Tensor? save_mean, '
        'Tensor? save_invstd, bool train, float eps, bool[3] output_mask) -> (Tensor, Tensor, Tensor)',
        'the gradient of a batch normalisation and both of its sums in the fewest passes',
        undefined='CUDA without a weight: the gradients of the weight and of the bias, though the mask asks for them; '
                  'anywhere: what the mask leaves out'),
    Private(
        'convolution_backward',
        '(Tensor grad_output, Tensor input, Tensor weight, SymInt[]? bias_sizes, SymInt[] stride, SymInt[] padding, '
        'SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups, bool[3] output_mask) -> '
        '(Tensor, Tensor, Tensor)',
        'both gradients of a convolution in one call; torch.nn.grad gives one, and makes the other operand anew',
        undefined='anywhere: what the mask leaves out'),
    Private(
        'hardtanh_backward',
        '(Tensor grad_output, Tensor self, Scalar min_val, Scalar max_val) -> Tensor',
        'the gradient of a ReLU6 in one pass; masks of documented operators take three'),
    Private(
        'convolution',
        '(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[] dilation, '
        'bool transposed, SymInt[] output_padding, SymInt groups) -> Tensor',
        "its flops are listed under it by torch's counter"),
    Private(
        'addmm',
        '(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor',
        "its flops are listed under it by torch's counter"),
    Private(
        'mm',
        '(Tensor self, Tensor mat2) -> Tensor',
        "its flops are listed under it by torch's counter"),
)}


def _operator(name):
    entry = OPERATORS[name]
    found = getattr(torch.ops.aten, name, None)
    signature = None if found is None else str(found.default._schema).removeprefix(f'aten::{name}')
    if signature != entry.signature:
        raise ImportError(f'torch {torch.__version__}: the operator aten::{name} is {signature or "missing"}, and the '
                          f'package was written for {entry.signature}. Install one of {", ".join(entry.seen)}, or mend '
                          f'{__name__}, which says what the operator is for')
    return found


native_batch_norm = _operator('native_batch_norm')
native_batch_norm_backward = _operator('native_batch_norm_backward')
convolution_backward = _operator('convolution_backward')
hardtanh_backward = _operator('hardtanh_backward')
convolution = _operator('convolution')
addmm = _operator('addmm')
mm = _operator('mm')

LIBRARIES = ('onedl-mmengine 0.10.12', 'onedl-mmdetection 3.5.1', 'onedl-mmpretrain 1.3.6')
NAMES = (  # what is read, followed or replaced outside of PyTorch's operators
    Private(
        'torch.Tensor._version', '',
        'tells whether a tensor has been changed in place since its targets were computed',
        undefined='tensors of inference mode, which have none'),
    Private(
        'mmengine.model.ImgDataPreprocessor._channel_conversion', '',
        'whether a preprocessor reverses the colours; it is off while a task hands it images whose colours it has '
        'reversed already', seen=LIBRARIES),
    Private(
        'mmengine.model.ImgDataPreprocessor._enable_normalize', '',
        "whether it normalises; mmpretrain's ClsDataPreprocessor has it, too", seen=LIBRARIES),
    Private(
        'mmdet.models.dense_heads.AnchorHead.loss_by_feat', '',
        'replaced on the head of a task by AnchorLoss (imtnas_mm.tasks), whose targets no host waits for; a head that '
        'overrides it, or one of the methods that it calls, keeps its own', seen=LIBRARIES),
    Private(
        'mmdet.models.dense_heads.AnchorHead._get_targets_single', '',
        'followed by the targets of AnchorLoss; a head that overrides it keeps its own', seen=LIBRARIES),
)
