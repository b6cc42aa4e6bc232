"""Checkpoints that a kill or a full disk can't damage."""
import os.path as osp
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook

from ...atomic_files import PART, write_checkpoint, write_whole
from ...registry import HOOKS
from .rank_buffers import rank_buffers_kept, restore_rank_buffers
from .validated_hook import VALIDATED

STOPPED = 'stopped_checkpoint'  # in mmengine's message hub: path of one between the regular ones, from a stopped run
ATOMIC = 'imtnas_mm.atomic'  # mmengine's name of AtomicBackend, for backend_args


class AtomicBackend(LocalBackend):
    """mmengine's local files, but what stands at a path is the old file or the whole new one, on the disk."""

    def put(self, obj, filepath):
        write_checkpoint(filepath, obj)


register_backend(ATOMIC, AtomicBackend, force=True)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, with the arguments and files it has, on a local disk that loses nothing.

    A checkpoint gets its name once it is whole; then ``last_checkpoint`` names
    it, and only then is the oldest removed, so that at every moment there is a
    whole one to resume from.
    """
    position = None  # what position_of gave at the last checkpoint

    def __init__(self, *args, backend_args=None, **kwargs):
        if kwargs.get('file_client_args') is not None or backend_args is not None:
            raise ValueError(f'{type(self).__name__}: checkpoints are written to a local disk; it takes neither '
                             'backend_args nor file_client_args (CheckpointHook does)')
        super().__init__(*args, backend_args=dict(backend=ATOMIC), **kwargs)
        if self.args:  # mmengine passes them on, and fails at the first checkpoint
            raise TypeError(f'{type(self).__name__}.__init__() got an unexpected keyword argument '
                            f'{next(iter(self.args))!r}')

    def before_train(self, runner):
        super().before_train(runner)
        restore_rank_buffers(runner)
        if is_main_process() and osp.isdir(self.out_dir):
            for part in Path(self.out_dir).glob(f'*.pth{PART}'):  # of a run that was killed
                part.unlink(missing_ok=True)

    def _save_checkpoint_with_step(self, runner, step, meta):
        outdated = []
        if self.max_keep_ckpts > 0 and (not self.keep_ckpt_ids or self.keep_ckpt_ids[-1] != step):
            kept = [*self.keep_ckpt_ids, step]
            outdated = kept[:-self.max_keep_ckpts]
            self.keep_ckpt_ids.append(step)
            # with the outdated: killed before they are removed, the resumed run removes them when it starts
            runner.message_hub.update_info('keep_ckpt_ids', kept)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        self.position = position_of(runner, meta['epoch'], meta['iter'])
        stopped = runner.message_hub.get_info(STOPPED)
        with rank_buffers_kept(runner):
            runner.save_checkpoint(
                self.out_dir, name, save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler, meta=meta, by_epoch=self.by_epoch,
                backend_args=self.backend_args, **self.args)
        runner.message_hub.update_info(STOPPED, None)
        if not is_main_process():
            return
        write_whole(osp.join(runner.work_dir, 'last_checkpoint'), str(self.last_ckpt))
        paths = [self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old)) for old in outdated]
        if stopped and stopped != self.last_ckpt and osp.dirname(osp.abspath(stopped)) == osp.abspath(self.out_dir):
            paths.append(stopped)  # one of another work dir, which this run was resumed from, stays
        for path in paths:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)


def position_of(runner, epoch, iteration):
    """How far a training is; a validation takes it further, too."""
    return epoch, iteration, runner.message_hub.get_info(VALIDATED)


def save_stopped(runner, epoch, iteration):
    """Write the checkpoint of a run that stops between its regular ones; all processes call it.

    Its name is ``iter_<iteration>.pth``, in the folder of the others;
    ``last_checkpoint`` names it. The next regular one of an
    :class:`AtomicCheckpointHook` takes its place.

    Returns:
        str: path of the checkpoint to go on from, which is the last regular one if that is of the same moment.
    """
    hook = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
    if isinstance(hook, AtomicCheckpointHook) and hook.position == position_of(runner, epoch, iteration):
        return hook.last_ckpt
    folder = hook.out_dir if hook else runner.work_dir
    backend = (hook.backend_args if hook else None) or dict(backend=ATOMIC)
    path = osp.join(folder, f'iter_{iteration}.pth')
    if not osp.exists(path):  # else it is a regular one of another hook, which the next of ours must not remove
        runner.message_hub.update_info(STOPPED, path)
    with rank_buffers_kept(runner):
        runner.save_checkpoint(folder, osp.basename(path), meta=dict(epoch=epoch, iter=iteration), by_epoch=False,
                               backend_args=backend)
    if is_main_process():
        write_whole(osp.join(runner.work_dir, 'last_checkpoint'), path)
    return path
