"""The search of a single task, as DARTS and the spaces that follow it search: A steps first, then the weights."""
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..chain import Variable
from ..precision import float32_products
from ..registry import MODELS
from .one_round import OneRoundSearch
from .stages.record import StageRecord
from .stages.stage import Stage
from .unused import tell_unused
from .weight_stages import check_choice

FIRST_STEPS = ('architecture', 'weights')


@MODELS.register_module()
class SingleTask(OneRoundSearch):
    """A single task: the bilevel search of DARTS (Liu et al., 2019, Algorithm 1).

    With ``first_step='architecture'``, as in the codes of DARTS, P-DARTS,
    PC-DARTS and PR-DARTS, an iteration

    1. steps A on the validation loss at W~, the weights after one step on the
       training loss. With ``hypergradient='first_order'`` that is at W itself
       (xi = 0 in DARTS), unless ``virtual_rates`` are set;
    2. steps W on the gradient of the training loss at the new A, on the same
       batch. Only this pass trains: it moves the head's statistics, and runs
       under AMP.

    ``virtual_step=dict(momentum=True, weight_decay=True)`` gives W~ the
    momentum and decay that it has in DARTS.

    Args:
        search_space, tasks, rounds, order, options: of :class:`OneRoundSearch`.
        first_step (str): the first step of an iteration. ``weights`` takes the
            gradient of W at A before its step, and the validation loss at W~,
            as the methods of several tasks do.

    Raises:
        ValueError: if ``order`` names several tasks, or ``first_step`` is unknown.
    """
    def __init__(self, search_space: dict[str, Any], tasks: Mapping[str, dict[str, Any]], rounds: int = 1,
                 order: Sequence[str] = (), first_step: str = 'architecture', **options: Any) -> None:
        if len(order) != 1:
            raise ValueError(f'model.type=SingleTask: train_cfg.order={tuple(order)} must name one task; MTLSAO '
                             'searches over several')
        check_choice('first_step', first_step, FIRST_STEPS)
        super().__init__(search_space, tasks, rounds, order, **options)
        self.first_step = first_step
        if first_step == 'architecture' and self.hypergradient == 'first_order' and not self.virtual_rates:
            tell_unused('SingleTask', [f'model.virtual_step.{name}=True' for name, on in self.virtual.items() if on],
                        "with model.hypergradient='first_order' A is judged at W itself, not at its one-step update, "
                        'unless model.virtual_rates are set')

    @property
    def architecture_first(self) -> bool:
        """Whether A steps before the weights in this iteration; in the warm-up it doesn't step."""
        return self.first_step == 'architecture' and not self.warming_up

    def train_stage(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        if not self.architecture_first:
            return super().train_stage(stage, batch, optim_wrapper)
        record = self.new_record(stage, batch, optim_wrapper)
        self.unroll(record, optim_wrapper)
        self.records.append(record)
        return {}

    @float32_products(False)
    def unroll(self, record: StageRecord, optim_wrapper: OptimWrapperDict) -> None:
        """Computes W~ and H~ of A's step; W and H themselves for DARTS's first order."""
        if self.hypergradient != 'first_order' or self.virtual_rates:
            self.run_stage(record, self.encoder_before(record), optim_wrapper, train=False)
            return
        head = self.head(record.stage)
        record.encoder = Variable(self.encoder_before(record))
        record.head = {name: Variable(value.detach()) for name, value in head.trained().items()}
        record.head_constants = self.head_constants(head)

    def run_chain_again(self, optim_wrapper: OptimWrapperDict) -> None:
        records, self.records = self.records, []
        for record in records:
            again = record.before_it_runs()
            self.unroll(again, optim_wrapper)
            self.records.append(again)

    def follow_architecture(self, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Takes the gradients of W and H at the new A."""
        if not self.architecture_first:
            return {}
        self.refresh_gates()
        figures: dict[str, Tensor] = {}
        with float32_products(self.tf32):
            for record in self.records:
                figures.update(self.train_record(record.before_it_runs(), optim_wrapper))
        return figures

    def keeps(self, stage: Stage) -> bool:
        """Whether the graph of a stage's gradient is kept: that of W~, not that of the pass that trains."""
        return not self.records and super().keeps(stage)
