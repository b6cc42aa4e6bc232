"""Undocumented operators of PyTorch; no other file of the package names ``torch.ops.aten``.

Importing it raises if PyTorch lacks an operator, or if an operator takes other arguments.
"""
from typing import Any

import torch

from .private import Private

OPERATORS = {entry.name: entry for entry in (
    Private(
        'native_batch_norm', '(input, weight, bias, running_mean, running_var, training, momentum, eps) -> 3',
        'F.batch_norm does not return the mean and the inverse deviation of the batch'),
    Private(
        'native_batch_norm_backward',
        '(grad_out, input, weight, running_mean, running_var, save_mean, save_invstd, train, eps, output_mask) -> 3',
        'the gradient of a batch normalisation and both of its sums in the fewest passes',
        undefined='on CUDA without a weight: the gradients of weight and bias, even if the mask asks for them; '
                  'everywhere: gradients outside the mask'),
    Private(
        'convolution_backward',
        '(grad_output, input, weight, bias_sizes, stride, padding, dilation, transposed, output_padding, groups, '
        'output_mask) -> 3',
        'both gradients of a convolution in one call; torch.nn.grad gives one, and allocates the other operand',
        undefined='everywhere: gradients outside the mask'),
    Private(
        'hardtanh_backward', '(grad_output, self, min_val, max_val) -> 1',
        'the gradient of a ReLU6 in one pass; masks of documented operators take three'),
    Private(
        'threshold_backward', '(grad_output, self, threshold) -> 1',
        'the gradient of a ReLU in one pass, without a map of zeros for its input in the second derivative'),
    Private(
        'max_pool2d_with_indices_backward',
        '(grad_output, self, kernel_size, stride, padding, dilation, ceil_mode, indices) -> 1',
        "the gradient of F.max_pool2d; F.max_unpool2d doesn't sum where windows overlap"),
    Private(
        'avg_pool2d_backward',
        '(grad_output, self, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override) -> 1',
        'the gradient of F.avg_pool2d, whose divisors differ at borders',
        undefined='on CUDA with padding, of channels-last maps: wrong values (pytorch/pytorch#188344, torch 2.11)'),
    Private(
        'convolution',
        '(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups) -> 1',
        "torch's flop counter lists flops under its name"),
    Private('addmm', '(self, mat1, mat2, beta, alpha) -> 1', "torch's flop counter lists flops under its name"),
    Private('mm', '(self, mat2) -> 1', "torch's flop counter lists flops under its name"),
    Private('bmm', '(self, mat2) -> 1', "torch's flop counter lists flops under its name"),
)}


def _operator(name: str) -> Any:
    entry = OPERATORS[name]
    operator = getattr(torch.ops.aten, name, None)
    signature = None
    if operator is not None:
        schema = operator.default._schema
        signature = f'({", ".join(argument.name for argument in schema.arguments)}) -> {len(schema.returns)}'
    if signature != entry.signature:
        raise ImportError(f'torch {torch.__version__}: the operator aten::{name} is {signature or "missing"}, and the '
                          f'package was written for {entry.signature}. Install one of {", ".join(entry.seen)}, or '
                          f'adapt {__name__}, which states the reason for the operator')
    return operator


native_batch_norm = _operator('native_batch_norm')
native_batch_norm_backward = _operator('native_batch_norm_backward')
convolution_backward = _operator('convolution_backward')
hardtanh_backward = _operator('hardtanh_backward')
threshold_backward = _operator('threshold_backward')
max_pool2d_with_indices_backward = _operator('max_pool2d_with_indices_backward')
avg_pool2d_backward = _operator('avg_pool2d_backward')
convolution = _operator('convolution')
addmm = _operator('addmm')
mm = _operator('mm')
bmm = _operator('bmm')


def of_the_package(name: str) -> Any:
    """An operator that the package registered by ``torch.library``, as the nodes of a graph name it."""
    return getattr(torch.ops.imtnas_mm, name).default
