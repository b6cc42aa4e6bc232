"""Hook of a search that logs the current architecture and how sure it is, and writes it as a file and as a picture."""
import os.path as osp
import resource
import sys
from typing import Any

import torch
from mmcv.image import imread
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.visualization import MLflowVisBackend

from ...analysis.certainty import certainty_of
from ...analysis.draw import draw_genotype
from ...architecture_history import AFTER_EPOCH
from ...compat.runner import vis_backends
from ...genotype import save_genotype
from ...networks.build import shared_options
from ...registry import HOOKS
from ..runner import SearchRunner


@HOOKS.register_module()
class ArchitectureHook(Hook):
    """Logs the argmax architecture, and writes it into the work dir.

    Each line has how many choices have changed since the last one of its kind, and by how much the best options lead.
    At the end of the search it warns of an architecture that is no better than chance.

    ``architecture.json`` and its picture (``.svg``, ``.png``) are written with
    every checkpoint, and at the end of the search. mmengine's visualisation
    backends get the picture, too.

    Args:
        interval (int): iterations between two log lines; the end of each epoch
            logs another.
    """
    priority = 'NORMAL'  # before the logger, which then has this iteration's memory

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval
        self.choices: dict[str, tuple[int, ...]] = {}  # in the last line of each kind
        self.shown: int | None = None  # the iteration of the last picture that the backends have

    def _log(self, runner, begin, since):
        genotype = runner.model.derive()
        text = f'{begin}: {genotype.summary()}'
        if genotype.importance is not None:
            certainty, before = certainty_of(genotype), self.choices.get(since)
            if before is not None and len(before) == len(certainty.choices):
                changed = sum(new != old for new, old in zip(certainty.choices, before, strict=True))
                text += f'; {changed} of {len(before)} choices have changed {since}'
            text += f'; {certainty}'
            self.choices[since] = certainty.choices
        runner.logger.info(text)

    def after_train_iter(self, runner: SearchRunner, batch_idx: int, data_batch: DATA_BATCH = None,
                         outputs: dict[str, Any] | None = None) -> None:
        if not torch.cuda.is_available():  # mmengine logs the memory of GPUs alone
            unit = 2**20 if sys.platform == 'darwin' else 2**10
            runner.message_hub.update_scalar(
                'train/memory', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
        if self.every_n_train_iters(runner, self.interval):
            self._log(runner, f'Architecture at iteration {runner.iter + 1}',
                      f'in {self.interval} iterations')

    def after_train_epoch(self, runner: SearchRunner) -> None:
        self._log(runner, f'{AFTER_EPOCH} {runner.epoch + 1}', 'in the epoch')

    def before_save_checkpoint(self, runner: SearchRunner, checkpoint: dict[str, Any]) -> None:
        self.save(runner, checkpoint['meta'])

    def after_train(self, runner: SearchRunner) -> None:
        self.save(runner, dict(epoch=runner.epoch, iter=runner.iter))
        for warning in (certainty_of(runner.model.derive()).warning(), *runner.model.final_warnings()):
            if warning:
                runner.logger.warning(warning)

    @master_only
    def save(self, runner: SearchRunner, progress: dict[str, int]) -> None:
        genotype = runner.model.derive()
        source = dict(
            config=osp.basename(runner.cfg.filename or 'unnamed'),
            experiment=runner.experiment_name,
            epoch=progress['epoch'],
            iteration=progress['iter'],
            method=type(runner.model).__name__,
            seed=runner.seed)
        genotype = genotype.described(source)
        stem = osp.join(runner.work_dir, 'architecture')
        save_genotype(genotype, f'{stem}.json')
        scale = shared_options(genotype.space, runner.cfg.model.search_space)
        paths = draw_genotype(genotype, stem, **scale)
        if progress['iter'] == self.shown:
            return  # the end of a search comes after its last checkpoint
        self.shown = progress['iter']
        for path in paths:
            if path.suffix == '.png':
                image = imread(path, channel_order='rgb')
                for backend in vis_backends(runner):
                    # MLflow takes a file's name, and a file that is there is replaced
                    name = f'{path.stem}_{progress["iter"]}.png' if isinstance(backend, MLflowVisBackend) else path.stem
                    backend.add_image(name, image, step=progress['iter'])
