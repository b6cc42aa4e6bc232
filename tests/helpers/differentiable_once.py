"""An operator without a second derivative, as tests of its detection need."""
import torch
from torch import nn


class Once(torch.autograd.Function):
    """x^2 with a first derivative alone."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        x, = ctx.saved_tensors
        return 2 * x * grad


class OnceModule(nn.Module):

    def forward(self, x):
        return Once.apply(x)
