"""The cost of a training: its iterations, validations and checkpoints, from its config and the number of its images."""
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Part:
    """A training of one loop, measured: a search, one phase of it, or a retraining.

    Args:
        epochs (list[tuple]): (number of epochs, iterations of each, seconds of
            an iteration) per kind of epoch: with A frozen or not, and by the
            tasks that train.
        validation (float): seconds of a validation.
        validations (int): their number.
        checkpoint (int): bytes of a checkpoint.
        checkpoints (int): how many the training keeps.
    """
    epochs: list[tuple[int, int, float]]
    validation: float
    validations: int
    checkpoint: int
    checkpoints: int

    @property
    def seconds(self) -> float:
        """float: of the whole training, with validations, without the work between epochs."""
        return sum(math.prod(kind) for kind in self.epochs) + self.validations * self.validation

    @property
    def disk(self) -> int:
        """int: bytes that its checkpoints take in the end."""
        return self.checkpoints * self.checkpoint


def sampled_batches(examples: int, batch_size: int, processes: int = 1, drop_last: bool = False) -> int:
    """int: batches of a process in a pass over a dataset, by mmengine's DefaultSampler as in retrainings and tests."""
    share = math.ceil(examples / processes)
    return share // batch_size if drop_last else math.ceil(share / batch_size)


def full_batches(examples: int, batch_size: int, processes: int = 1) -> int:
    """int: iterations of an epoch of a search or a joint retraining: the full batches of all processes together."""
    return max(examples // (batch_size * processes), 1)


def validations_of(train_cfg: Mapping[str, Any]) -> int:
    """int: validations of a training, as mmengine's loop by epochs makes them; the last epoch has one."""
    epochs, begin, interval = (train_cfg['max_epochs'], train_cfg.get('val_begin', 1), train_cfg.get('val_interval', 1))
    return sum(epoch >= begin and (epoch % interval == 0 or epoch == epochs) for epoch in range(1, epochs + 1))


def checkpoints_of(hook: Mapping[str, Any] | None, epochs: int, iterations: int) -> int:
    """int: checkpoints that are there after a training, by its checkpoint hook.

    Args:
        hook (dict | None): ``default_hooks.checkpoint``; ``save_last`` is true by default, as in mmengine.
        epochs (int): of the training.
        iterations (int): of the training.
    """
    if hook is None:
        return 0
    interval, total = hook.get('interval', -1), epochs if hook.get('by_epoch', True) else iterations
    written = total // interval if interval > 0 else 0
    if hook.get('save_last', True) and not (interval > 0 and total % interval == 0):
        written += 1
    most = hook.get('max_keep_ckpts', -1)
    best = hook.get('save_best')
    return (min(written, most) if most > 0 else written) + (len(best) if isinstance(best, list | tuple) else bool(best))
