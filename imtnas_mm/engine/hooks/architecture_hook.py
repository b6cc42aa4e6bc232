"""Hook of a search that logs the current architecture, and writes it as a file and as a picture."""
import dataclasses
import os.path as osp
import resource
import sys

import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook

from ...analysis.draw import draw_genotype
from ...genotype import save_genotype
from ...networks.build import shared_options
from ...registry import HOOKS


@HOOKS.register_module()
class ArchitectureHook(Hook):
    """Logs the argmax architecture, and writes it into the work dir.

    ``architecture.json`` and its picture (``.svg``, ``.png``) are written with
    every checkpoint, and at the end of the search.

    Args:
        interval (int): iterations between two log lines; the end of each epoch
            logs another.
    """
    priority = 'NORMAL'  # before the logger, which then has this iteration's memory

    def __init__(self, interval=50):
        self.interval = interval

    def _log(self, runner):
        genotype = runner.model.derive()
        runner.logger.info(f'Architecture at iteration {runner.iter + 1}: {genotype.summary()}')

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if not torch.cuda.is_available():  # mmengine logs the memory of GPUs alone
            unit = 2**20 if sys.platform == 'darwin' else 2**10
            runner.message_hub.update_scalar(
                'train/memory', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
        if self.every_n_train_iters(runner, self.interval):
            self._log(runner)

    def after_train_epoch(self, runner):
        genotype = runner.model.derive()
        runner.logger.info(f'Architecture after epoch {runner.epoch + 1}: {genotype.summary()}')

    def before_save_checkpoint(self, runner, checkpoint):
        self.save(runner, checkpoint['meta'])

    def after_train(self, runner):
        self.save(runner, dict(epoch=runner.epoch, iter=runner.iter))

    @master_only
    def save(self, runner, progress):
        genotype = runner.model.derive()
        source = dict(
            config=osp.basename(runner.cfg.filename or 'unnamed'),
            experiment=runner.experiment_name,
            epoch=progress['epoch'],
            iteration=progress['iter'],
            method=type(runner.model).__name__,
            seed=runner.seed)
        genotype = dataclasses.replace(genotype, source=source)
        stem = osp.join(runner.work_dir, 'architecture')
        save_genotype(genotype, f'{stem}.json')
        scale = shared_options(genotype.space, runner.cfg.model.search_space)
        draw_genotype(genotype, stem, **scale)
