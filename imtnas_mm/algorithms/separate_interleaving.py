"""Separate interleaving, SI: the tasks search in turns (paper 4.2, baseline 7; Tian et al., 2021)."""
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..registry import MODELS
from .one_round import OneRoundSearch
from .stages.stage import Stage, interleaved_stages


@MODELS.register_module()
class SeparateInterleaving(OneRoundSearch):
    """The tasks search in turns, each from the architecture and encoder weights of the task before it.

    The epochs are divided evenly into M K segments, for the tasks t_1 .. t_K in
    M rounds (M is ``train_cfg.rounds``). In a segment, only its task trains, and
    only its validation loss judges A. A segment starts with a copy of the
    encoder weights of the last segment's task, without their momentum. A keeps
    the state of its optimiser. A head keeps its weights from the last round.

    Learning rates are scheduled over the whole search, and so are
    ``train_cfg.warmup_epochs``, its first epochs: only the first tasks start
    from untrained weights. In a search in phases (P-DARTS), each phase has all
    segments. Every task is validated with its present weights.

    Args:
        search_space, tasks, order: of :class:`OneRoundSearch`.
        rounds (int): M.
        options: options of :class:`OneRoundSearch`.
    """
    segment: Tensor

    def __init__(self, search_space: dict[str, Any], tasks: Mapping[str, dict[str, Any]], rounds: int = 1,
                 order: Sequence[str] = (), **options: Any) -> None:
        super().__init__(search_space, tasks, 1, order, **options)
        self.segments = interleaved_stages(self.order, rounds)
        self.register_buffer('segment', torch.zeros((), dtype=torch.int64))  # of the last iteration
        self.segment_on_host = 0  # the same, to be asked without a read
        self.register_load_state_dict_post_hook(_read_segment)

    def check_epochs(self, max_epochs: int) -> None:
        if max_epochs < len(self.segments):
            tasks, rounds = len(self.order), len(self.segments) // len(self.order)
            raise ValueError(
                f'train_cfg.max_epochs={max_epochs}: SeparateInterleaving gives each of the {tasks} tasks of '
                f'train_cfg.order at least one epoch in each of train_cfg.rounds={rounds} rounds, so it must be '
                f'{len(self.segments)} or more')

    def present_segment(self) -> int:
        """The index in ``segments`` at the present progress."""
        progress = self.progress_on_host
        return progress.epoch * len(self.segments) // progress.max_epochs if progress else 0

    def active_stages(self) -> tuple[Stage, ...]:
        return (self.stages[self.segments[self.present_segment()].task_index], )

    def train_stage(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        present = self.present_segment()
        if present != self.segment_on_host:
            self.begin_segment(present, optim_wrapper)
        figures = super().train_stage(stage, batch, optim_wrapper)
        # the stage is of the first round, since all rounds have the same weights
        return {name.replace(stage.name, self.segments[present].name, 1): value for name, value in figures.items()}

    @torch.no_grad()
    def begin_segment(self, present: int, optim_wrapper: OptimWrapperDict) -> None:
        """Copies the encoder weights of the last segment's task to the task of this segment."""
        last, new = self.segments[self.segment_on_host], self.segments[present]
        self.segment.fill_(present)
        self.segment_on_host = present
        if last.task != new.task:
            source, target = (self.encoder(self.stages[s.task_index], self.importance) for s in (last, new))
            target.copy_(source)
            optim_wrapper['encoder'].optimizer.state.pop(target, None)
        print_log(f'segment {present + 1} of {len(self.segments)}: {new.name} goes on from {last.task}', 'current')


def _read_segment(model: SeparateInterleaving, incompatible_keys: object) -> None:
    model.segment_on_host = int(model.segment)
