"""Checkpoint hook whose files neither a kill nor a full disk can damage."""
import os.path as osp
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ...files.atomic import PART, write_checkpoint, write_whole
from ...registry import HOOKS
from .rank_buffers import rank_buffers_kept, restore_rank_buffers
from .validated_hook import VALIDATED

STOPPED = 'stopped_checkpoint'  # in mmengine's message hub: path of the extra checkpoint that a stopped run wrote
ATOMIC = 'imtnas_mm.atomic'  # mmengine's name of AtomicBackend, for backend_args


class AtomicBackend(LocalBackend):
    """mmengine's local files, but a path always holds the old file or the whole new one."""
    waiting: list[str | Path] | None = None  # files that go at the end of removed_last

    def put(self, obj: bytes, filepath: str | Path) -> None:
        write_checkpoint(filepath, obj)

    def remove(self, filepath: str | Path) -> None:
        if self.waiting is None:
            super().remove(filepath)
        else:
            self.waiting.append(filepath)

    @contextmanager
    def removed_last(self) -> Iterator[None]:
        """Inside, a file to be removed stays, till the end; if that isn't reached, it stays for good."""
        self.waiting = []
        try:
            yield
            waiting, self.waiting = self.waiting, None
            for path in waiting:
                super().remove(path)
        finally:
            self.waiting = None


register_backend(ATOMIC, AtomicBackend, force=True)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, with the same arguments and files, on a local disk.

    A checkpoint gets its name once it is whole. Then ``last_checkpoint`` names
    it, and last of all the oldest is removed. So there is always a whole
    checkpoint to resume from. The last best checkpoint, too, goes after the
    new one has its name.
    """
    file_backend: AtomicBackend
    position = None  # position_of the last checkpoint

    def __init__(self, *args: Any, backend_args: dict[str, Any] | None = None, **kwargs: Any) -> None:
        if kwargs.get('file_client_args') is not None or backend_args is not None:
            raise ValueError(f'{type(self).__name__}: checkpoints are written to a local disk; it takes neither '
                             'backend_args nor file_client_args (CheckpointHook does)')
        super().__init__(*args, backend_args=dict(backend=ATOMIC), **kwargs)
        if self.args:  # unknown arguments: mmengine accepts them, and fails at the first checkpoint
            raise TypeError(f'{type(self).__name__}.__init__() got an unexpected keyword argument '
                            f'{next(iter(self.args))!r}')

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        restore_rank_buffers(runner)
        # a best checkpoint of another work dir, from which this run was resumed, stays
        best = getattr(self, 'best_ckpt_path', None)
        if best is not None and not is_in(best, self.out_dir):
            self.best_ckpt_path = None
        for name, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            if path is not None and not is_in(path, self.out_dir):
                self.best_ckpt_path_dict[name] = None
        if is_main_process() and osp.isdir(self.out_dir):
            for part in Path(self.out_dir).glob(f'*.pth{PART}'):  # left by a run that was killed
                part.unlink(missing_ok=True)

    def _save_best_checkpoint(self, runner, metrics):
        if not self.save_best:
            return
        with self.file_backend.removed_last():
            super()._save_best_checkpoint(runner, metrics)

    def _save_checkpoint_with_step(self, runner, step, meta):
        outdated = []
        if self.max_keep_ckpts > 0 and (not self.keep_ckpt_ids or self.keep_ckpt_ids[-1] != step):
            kept = [*self.keep_ckpt_ids, step]
            outdated = kept[:-self.max_keep_ckpts]
            self.keep_ckpt_ids.append(step)
            # the outdated ones are still listed: a run killed before it removes them does so once it is resumed
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
        if stopped and stopped != self.last_ckpt and is_in(stopped, self.out_dir):
            paths.append(stopped)  # a checkpoint in another work dir, from which this run was resumed, stays
        for path in paths:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)


def is_in(path: str | Path, folder: str | Path) -> bool:
    """Whether a file is in a folder itself, not in one below."""
    return osp.dirname(osp.abspath(path)) == osp.abspath(folder)


def position_of(runner: Runner, epoch: int, iteration: int) -> tuple[int, int, Any]:
    """How far a training is: epochs, iterations and validations that are done."""
    return epoch, iteration, runner.message_hub.get_info(VALIDATED)


def save_stopped(runner: Runner, epoch: int, iteration: int) -> str | Path | None:
    """Write the checkpoint of a run that stops between its regular checkpoints; all processes call it.

    It is ``iter_<iteration>.pth`` in the folder of the regular ones, and
    ``last_checkpoint`` names it. The next regular checkpoint of an
    :class:`AtomicCheckpointHook` replaces it.

    Returns:
        str: path of the checkpoint to go on from; the last regular one if it is of the same moment.
    """
    hook = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
    if isinstance(hook, AtomicCheckpointHook) and hook.position == position_of(runner, epoch, iteration):
        return hook.last_ckpt
    folder = hook.out_dir if hook else runner.work_dir
    backend = (hook.backend_args if hook else None) or dict(backend=ATOMIC)
    path = osp.join(folder, f'iter_{iteration}.pth')
    before = runner.message_hub.get_info(STOPPED)
    if not osp.exists(path):  # else it is a regular checkpoint of another hook, which ours must not remove
        runner.message_hub.update_info(STOPPED, path)
    with rank_buffers_kept(runner):
        runner.save_checkpoint(folder, osp.basename(path), meta=dict(epoch=epoch, iter=iteration), by_epoch=False,
                               backend_args=backend)
    if is_main_process():
        write_whole(osp.join(runner.work_dir, 'last_checkpoint'), path)
        # this run was stopped in the same epoch before
        if before and before != path and is_in(before, folder):
            Path(before).unlink(missing_ok=True)
    return path
