"""The buffers of a model wrapped for distributed use, which are each process's own.

DistributedDataParallel keeps the weights alike, and mmengine lets each process
have its own running statistics of batch normalisation. A checkpoint has those of
the first process; the others' are kept beside them.
"""
from mmengine.dist import all_gather_object, get_rank
from mmengine.hooks import EMAHook
from mmengine.model import is_model_wrapper

RANK_BUFFERS = 'rank_buffers'  # in mmengine's message hub, which checkpoints keep


def _buffers(runner):
    """dict: name -> tensor, of the model and of those that hooks average."""
    found = {f'model.{name}': buffer for name, buffer in runner.model.module.named_buffers()}
    for number, hook in enumerate(hook for hook in runner.hooks if isinstance(hook, EMAHook)):
        found.update((f'average{number}.{name}', buffer) for name, buffer in hook.ema_model.named_buffers())
    return found


def keep_rank_buffers(runner):
    """Before a checkpoint is written: every process hands its buffers to it. All must call it."""
    if is_model_wrapper(runner.model):
        own = {name: buffer.detach().cpu().clone() for name, buffer in _buffers(runner).items()}
        runner.message_hub.update_info(RANK_BUFFERS, all_gather_object(own))


def restore_rank_buffers(runner):
    """After a checkpoint was loaded to resume from: every process takes its own back."""
    kept = runner.message_hub.get_info(RANK_BUFFERS)
    if kept is not None and is_model_wrapper(runner.model):
        buffers = _buffers(runner)
        for name, buffer in kept[get_rank()].items():
            buffers[name].copy_(buffer)
