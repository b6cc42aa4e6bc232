"""Saves and restores each process's buffers, such as batch normalisation statistics, in distributed training.

DistributedDataParallel keeps weights equal on all processes; under mmengine each
process has its own running statistics. A checkpoint's ``state_dict`` holds those of
the first process; the others are kept in the message hub.
"""
import logging
from contextlib import contextmanager

from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import EMAHook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper

from ...checkpoint import CheckpointError
from ...compat.runner import checkpoint_of

RANK_BUFFERS = 'rank_buffers'  # in mmengine's message hub, which checkpoints keep


def _buffers(runner):
    """dict: name -> tensor, of the model and of the averaged models of EMA hooks."""
    buffers = {f'model.{name}': buffer for name, buffer in runner.model.module.named_buffers()}
    for number, hook in enumerate(hook for hook in runner.hooks if isinstance(hook, EMAHook)):
        buffers.update((f'average{number}.{name}', buffer) for name, buffer in hook.ema_model.named_buffers())
    return buffers


@contextmanager
def rank_buffers_kept(runner):
    """Inside, a checkpoint gets every process's buffers. All processes must enter.

    They are dropped afterwards, so that no later checkpoint gets outdated ones.
    """
    per_rank = None
    if is_model_wrapper(runner.model):
        per_rank = all_gather_object({name: buffer.detach().cpu().clone() for name, buffer in _buffers(runner).items()})
    runner.message_hub.update_info(RANK_BUFFERS, per_rank)
    yield
    runner.message_hub.update_info(RANK_BUFFERS, None)


def restore_rank_buffers(runner):
    """After a checkpoint was loaded to resume from, gives every process its own buffers back."""
    kept = runner.message_hub.get_info(RANK_BUFFERS)
    runner.message_hub.update_info(RANK_BUFFERS, None)
    if kept is None:
        return
    if len(kept) != get_world_size():
        print_log(f'{checkpoint_of(runner)}: its training had {len(kept)} processes, here they are {get_world_size()}; '
                  'all go on with the running statistics of its first', 'current', logging.WARNING)
    elif is_model_wrapper(runner.model):
        buffers = _buffers(runner)
        missing = [name for name in kept[get_rank()] if name not in buffers]
        if missing:
            raise CheckpointError(f'{checkpoint_of(runner)}: its training had {missing[0]}, which is of no model here; '
                                  'resume it with the hooks (EMAHook) that it had')
        for name, buffer in kept[get_rank()].items():
            buffers[name].copy_(buffer)
