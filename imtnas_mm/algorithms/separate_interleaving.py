"""Separate interleaving, SI (paper 4.2, baseline 7; Tian et al., 2021)."""
import torch
from mmengine.logging import print_log

from ..progress import Progress
from ..registry import MODELS
from .joint_search import JointSearch
from .stage import interleaved_stages


@MODELS.register_module()
class SeparateInterleaving(JointSearch):
    """One task after the other: each searches alone, from the architecture and encoder weights of the one before it.

    The epochs are divided evenly into M K segments, t_1 .. t_K M times over
    (M is ``train_cfg.rounds``). In a segment, only its task trains, and A is
    judged by its validation loss alone. At its beginning, the encoder weights
    of the last segment's task are copied into those of this one's, whose
    momentum starts anew. A goes on with its optimiser's state; a head goes on
    from where its task left it in the last round.

    Learning rates are scheduled over the whole search. So are
    ``train_cfg.warmup_epochs``, the first epochs of the search: only the first
    tasks begin with weights that have learned nothing. Of a search in phases
    (P-DARTS), each phase has all segments. Every task is validated with the
    weights that it has.

    Args:
        rounds (int): M.
        options: of :class:`JointSearch`.
    """

    def __init__(self, search_space, tasks, rounds=1, order=(), **options):
        super().__init__(search_space, tasks, 1, order, **options)
        self.segments = interleaved_stages(self.order, rounds)
        self.register_buffer('segment', torch.zeros((), dtype=torch.int64))  # of the last iteration trained

    def check_epochs(self, max_epochs):
        if max_epochs < len(self.segments):
            tasks, rounds = len(self.order), len(self.segments) // len(self.order)
            raise ValueError(
                f'train_cfg.max_epochs={max_epochs}: SeparateInterleaving gives each of the {tasks} tasks of '
                f'train_cfg.order an epoch at least in each of train_cfg.rounds={rounds} rounds, so it must be '
                f'{len(self.segments)} or more')

    def present_segment(self):
        """The place in ``segments`` by the progress of the search."""
        progress = Progress.of(self.progress)
        return progress.epoch * len(self.segments) // progress.max_epochs if progress else 0

    def active_stages(self):
        return (self.stages[self.segments[self.present_segment()].task_index], )

    def train_stage(self, stage, batch, optim_wrapper):
        present = self.present_segment()
        if present != self.segment:
            self.begin_segment(present, optim_wrapper)
        figures = super().train_stage(stage, batch, optim_wrapper)
        # the round of a stage, which has one set of weights for all rounds, is always the first
        return {name.replace(stage.name, self.segments[present].name, 1): value for name, value in figures.items()}

    @torch.no_grad()
    def begin_segment(self, present, optim_wrapper):
        """The encoder weights of the last segment's task become those of this one's; its own go on as they are."""
        last, new = self.segments[int(self.segment)], self.segments[present]
        self.segment.fill_(present)
        if last.task != new.task:
            source, target = (self.encoder(self.stages[s.task_index], self.importance) for s in (last, new))
            target.copy_(source)
            optim_wrapper['encoder'].optimizer.state.pop(target, None)
        print_log(f'segment {present + 1} of {len(self.segments)}: {new.name} goes on from {last.task}', 'current')
