"""Hook of a search that keeps how its architecture came about: a line of A per log interval, histograms, pictures."""
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook, LoggerHook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.visualization import TensorboardVisBackend, WandbVisBackend

from ...architecture_history import append_history, history_line, start_history
from ...compat.runner import vis_backends
from ...registry import HOOKS
from ...transport import to_host
from ..runner import SearchRunner


@HOOKS.register_module()
class HistoryHook(Hook):
    """Keeps A before the first iteration, and whenever the logger logs; epochs end with a line.

    ``architecture_history.jsonl`` in the work dir gets a line. TensorBoard and Weights & Biases get a histogram of the
    logits per group of A; the other backends of mmengine have no histograms.

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
        alphas = to_host(runner.model.architecture.named_alphas())
        append_history(runner.work_dir, history_line(epoch, iteration, alphas, runner.model.derive().importance))
        for name, alpha in alphas.items():
            for backend in vis_backends(runner):
                if isinstance(backend, TensorboardVisBackend):
                    backend.experiment.add_histogram(f'alphas/{name}', alpha.flatten(), iteration)
                elif isinstance(backend, WandbVisBackend):
                    wandb = backend.experiment  # the module, as mmengine keeps it
                    wandb.log({f'alphas/{name}': wandb.Histogram(alpha.flatten().numpy())}, commit=False)
