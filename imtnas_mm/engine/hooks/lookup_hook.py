"""Looks the present architecture up in a tabular benchmark while it is searched: log, TensorBoard and a history."""
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...architecture_history import LOOKUPS, TABLE_AT_END
from ...files.atomic import write_whole
from ...registry import HOOKS
from ...tables.accuracy import read_table
from ..runner import SearchRunner

IN_HUB = 'lookups'  # of mmengine's message hub, which checkpoints keep


@HOOKS.register_module()
class LookupHook(Hook):
    """Derives the present architecture and logs its accuracies in a table.

    They are logged as ``table/<metric>`` before the first iteration, after
    epochs, and with ranks at the end. ``lookups.jsonl`` in the work dir has a
    line per lookup: ``epoch`` and ``iteration`` (those done), ``architecture``
    in the notation of the benchmark, the ``entropy`` of A in nats, and
    ``accuracies``. Checkpoints hold these lines, too, so that a resumed search
    has each of them once.

    ``table='...'`` or ``table=dict(...)`` at the top of a search's config is
    this hook with these arguments.

    Args:
        table (str): a file, as :func:`~imtnas_mm.tables.accuracy.read_table` takes it.
        metrics (list[str], optional): columns of it; by default all.
        interval (int): epochs between two lookups; the last epoch always has one.

    Raises:
        TableError: if the table can't be read, or is of another space than the search; when an architecture isn't in
            it.
    """
    priority = 'NORMAL'  # before the checkpoint of an epoch, which holds its lookup

    def __init__(self, table: str, metrics: Sequence[str] | None = None, interval: int = 1) -> None:
        if isinstance(interval, bool) or not isinstance(interval, int) or interval < 1:
            raise ValueError(f'table.interval={interval!r}: it must be a whole number of epochs from 1')
        self.table = read_table(table, metrics)
        self.interval = interval

    def before_train(self, runner: SearchRunner) -> None:
        self.table.check_space(runner.model.derive().space)
        before = runner.message_hub.get_info(IN_HUB, []) if runner.iter else []
        runner.message_hub.update_info(IN_HUB, before)
        if runner.iter == 0:
            self.look_up(runner, 0)
            return
        self.write(runner)
        if not before or before[0]['iteration'] > 0:
            runner.logger.warning(f'table={self.table.file!r}: the checkpoint holds no lookups from the beginning of '
                                  f'the search; {LOOKUPS} begins later')

    def after_train_epoch(self, runner: SearchRunner) -> None:
        epoch = runner.epoch + 1
        if epoch % self.interval == 0 or epoch == runner.max_epochs:
            self.look_up(runner, epoch)

    def after_train(self, runner: SearchRunner) -> None:
        standings = self.table.standing(runner.model.derive())
        figures = ', '.join(f'{metric} {standing.value:.2f} (rank {standing.rank:,} of {len(self.table):,}, regret '
                            f'{standing.regret:.2f})' for metric, standing in standings.items())
        runner.logger.info(f'{TABLE_AT_END}{figures}')

    @torch.no_grad()
    def look_up(self, runner: SearchRunner, epoch: int) -> None:
        """Looks up and logs the present architecture, after ``epoch`` epochs."""
        model = runner.model
        string = self.table.string_of(model.derive())
        accuracies = self.table.lookup(string)
        entropy = float(model.space.entropy(model.architecture.named_alphas()))
        line = dict(epoch=epoch, iteration=runner.iter, architecture=string, entropy=entropy, accuracies=accuracies)
        hub = runner.message_hub
        hub.update_info(IN_HUB, [*hub.get_info(IN_HUB), line])
        scalars = {f'table/{metric}': value for metric, value in accuracies.items()}
        hub.update_scalars(scalars)
        runner.visualizer.add_scalars({**scalars, 'epoch': epoch, 'iter': runner.iter}, step=runner.iter)
        figures = ', '.join(f'{metric} {value:.2f}' for metric, value in accuracies.items())
        runner.logger.info(f'Table after epoch {epoch}: {figures}; entropy of A {entropy:.4f}: {string}')
        self.write(runner)

    def write(self, runner: Runner) -> None:
        """Writes the history anew, without the lines that an interrupted run wrote after the checkpoint."""
        if is_main_process():
            lines = [json.dumps(line) for line in runner.message_hub.get_info(IN_HUB)]
            write_whole(Path(runner.work_dir) / LOOKUPS, '\n'.join(lines) + '\n' if lines else '')


def read_history(folder: str | Path) -> list[dict[str, Any]]:
    """The lookups of a search, by its work dir, in their order.

    Raises:
        OSError: if the search had no table.
    """
    return [json.loads(line) for line in (Path(folder) / LOOKUPS).read_text(encoding='utf-8').splitlines()]
