"""Hook of a search that keeps how its architecture came about: a line of A per log interval, leads, histograms."""
import math
from statistics import median
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook, LoggerHook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.visualization import TensorboardVisBackend, WandbVisBackend

from ...analysis.certainty import certainty_of
from ...architecture_history import append_history, history_line, start_history
from ...compat.runner import vis_backends
from ...registry import HOOKS
from ...transport import to_host
from ..runner import SearchRunner


@HOOKS.register_module()
class HistoryHook(Hook):
    """Keeps A before the first iteration, and whenever the logger logs; epochs end with a line.

    ``architecture_history.jsonl`` in the work dir gets a line. TensorBoard and Weights & Biases get a histogram of the
    logits per group of A; the other backends of mmengine have no histograms. The logger gets ``architecture/lead``, by
    how much the weight of the best option exceeds that of the second (median of all choices, in %), and
    ``architecture/unsure``, the number of choices that lead no more than those of an untrained A.

    A search that is resumed in its work dir goes on with its file: lines after the checkpoint go. In another work dir
    the file begins at the checkpoint.
    """
    priority = 'NORMAL'  # before the logger, so that Weights & Biases gets histograms and figures in a step

    def before_train(self, runner: SearchRunner) -> None:
        if is_main_process():
            start_history(runner.work_dir, runner.iter)
        if runner.iter == 0:
            self.keep(runner, 0, 0)

    def after_train_iter(self, runner: SearchRunner, batch_idx: int, data_batch: DATA_BATCH = None,
                         outputs: dict[str, Any] | None = None) -> None:
        interval = next((hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)), 0)
        if self.every_n_inner_iters(batch_idx, interval) or self.end_of_epoch(runner.train_dataloader, batch_idx):
            self.keep(runner, runner.epoch + 1, runner.iter + 1)

    def keep(self, runner: SearchRunner, epoch: int, iteration: int) -> None:
        """A line of the file, and the histograms, with ``epoch`` begun and ``iteration`` iterations done."""
        if not is_main_process():
            return
        alphas, genotype = to_host(runner.model.architecture.named_alphas()), runner.model.derive()
        append_history(runner.work_dir, history_line(epoch, iteration, alphas, genotype.importance))
        if iteration and genotype.importance is not None and (certainty := certainty_of(genotype)).leads:
            runner.message_hub.update_scalar('train/architecture/unsure', certainty.unsure)
            if math.isfinite(lead := median(certainty.leads)):
                runner.message_hub.update_scalar('train/architecture/lead', 100 * math.expm1(lead))
        for name, alpha in alphas.items():
            for backend in vis_backends(runner):
                if isinstance(backend, TensorboardVisBackend):
                    backend.experiment.add_histogram(f'alphas/{name}', alpha.flatten(), iteration)
                elif isinstance(backend, WandbVisBackend):
                    wandb = backend.experiment  # the module, as mmengine keeps it
                    wandb.log({f'alphas/{name}': wandb.Histogram(alpha.flatten().numpy())}, commit=False)
