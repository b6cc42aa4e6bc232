"""Brings the validation losses of several tasks to similar scales (paper 3.1.3, reading 6)."""
from collections.abc import Iterable

import torch
from torch import Tensor, nn

NORMALIZATIONS = ('running_mean', 'first_value', 'none')


class LossScale(nn.Module):
    """Divides the validation loss of each task by its running mean.

    Args:
        tasks (iterable of str): the names of the tasks.
        normalization (str): ``running_mean`` (default), ``first_value`` or ``none``.
        momentum (float): the weight of the present value in the running mean.

    Raises:
        ValueError: if ``normalization`` is unknown.
    """
    means: Tensor

    def __init__(self, tasks: Iterable[str], normalization: str = 'running_mean', momentum: float = .1) -> None:
        super().__init__()
        if normalization not in NORMALIZATIONS:
            raise ValueError(f'loss_normalization={normalization!r} is not one of {NORMALIZATIONS}')
        self.tasks = list(tasks)
        self.normalization = normalization
        self.momentum = momentum
        self.register_buffer('means', torch.full((len(self.tasks), ), float('nan')))

    @torch.no_grad()
    def update(self, task: str, loss: Tensor) -> None:
        """Updates the mean of a task; called once per task and step of A."""
        mean = self.means[self.tasks.index(task)]
        value = loss.detach().to(mean)
        later = mean + self.momentum * (value - mean) if self.normalization == 'running_mean' else mean
        mean.copy_(torch.where(mean.isnan(), value, later))  # no `if`, for which the host would wait for a GPU

    def forward(self, task: str, loss: Tensor) -> Tensor:
        """``loss / mean``, where the mean is a constant."""
        if self.normalization == 'none':
            return loss
        return loss / self.means[self.tasks.index(task)].to(loss).clamp_min(torch.finfo(loss.dtype).tiny)
