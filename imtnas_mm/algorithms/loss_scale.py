"""Validation losses brought to similar scales (paper 3.1.3, reading 6)."""
import torch
from torch import nn

NORMALIZATIONS = ('running_mean', 'first_value', 'none')


class LossScale(nn.Module):
    """Divides each task's validation loss by its own running mean.

    Args:
        tasks (sequence[str]): names.
        normalization (str): ``running_mean`` (default), ``first_value`` or ``none``.
        momentum (float): weight of the present value in the running mean.
    """

    def __init__(self, tasks, normalization='running_mean', momentum=.1):
        super().__init__()
        if normalization not in NORMALIZATIONS:
            raise ValueError(f'loss_normalization={normalization!r} is not one of {NORMALIZATIONS}')
        self.tasks = list(tasks)
        self.normalization = normalization
        self.momentum = momentum
        self.register_buffer('means', torch.full((len(self.tasks), ), float('nan')))

    @torch.no_grad()
    def update(self, task, loss):
        """Takes note of a loss; called once an architecture step and task."""
        mean = self.means[self.tasks.index(task)]
        value = loss.detach().to(mean)
        later = mean + self.momentum * (value - mean) if self.normalization == 'running_mean' else mean
        mean.copy_(torch.where(mean.isnan(), value, later))  # not an `if`: a GPU isn't waited for

    def forward(self, task, loss):
        """``loss / mean`` with the mean as a constant."""
        if self.normalization == 'none':
            return loss
        return loss / self.means[self.tasks.index(task)].to(loss).clamp_min(torch.finfo(loss.dtype).tiny)
