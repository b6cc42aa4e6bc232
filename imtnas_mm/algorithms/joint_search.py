"""Multi-task learning with one architecture: all tasks' losses at once (paper 4.2, MTL-SAO, MTL-HWS, MTL-SWS)."""
from functools import partial

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..chain import Record, Variable, WeightedSum
from ..registry import MODELS
from ..tasks.loss_weights import check_weights
from .stage import Stage
from .stage_record import StageRecord
from .unrolled import UnrolledSearch


class JointSearch(UnrolledSearch):
    """One stage a task, all from the weights that the iteration began with, then A (Eq. 8, 9 and that of MTL-SWS).

    Encoder weights are stored, one set a task (or one for all). An IMTNAS
    config becomes one of these methods by ``model.type`` alone: the settings
    that only IMTNAS has a use for are left out, and the log says which.

    Args:
        train_weights (dict[str, float], optional): beta_k of L_k^tr; 1 by default.
        val_weights (dict[str, float], optional): alpha_k of L_k^val; 1 by default.
        encoder_weights, rounds, transfer: of IMTNAS, not used.
        encoder_task_weight, hypernetwork_step: of IMTNAS, not used.
        options: of :class:`UnrolledSearch`.
    """

    def __init__(self, search_space, tasks, rounds=1, order=(), train_weights=None, val_weights=None,
                 encoder_weights=None, transfer=None, encoder_task_weight=0., hypernetwork_step='iteration', **options):
        super().__init__(search_space, tasks, dict(type='StoredWeights'), 1, order, **options)
        unused = [f'train_cfg.rounds={rounds}'] if rounds != 1 else []
        if encoder_weights is not None and encoder_weights['type'].rpartition('.')[2] != 'StoredWeights':
            unused.append(f'model.encoder_weights.type={encoder_weights["type"]!r}')
        if transfer is not None:
            unused.append(f'model.transfer.type={transfer["type"]!r}')
        if encoder_task_weight:
            unused.append(f'model.encoder_task_weight={encoder_task_weight}')
        if options.get('recompute') == 'views':
            unused.append("model.recompute='views'")
        if hypernetwork_step != 'iteration':
            unused.append(f'model.hypernetwork_step={hypernetwork_step!r}')
        if unused:
            print_log(f'{type(self).__name__} has no use for {", ".join(unused)}: its encoder weights are stored, and '
                      'every task has one stage', 'current')
        self.train_weights = check_weights(train_weights, 'train_weights', self.order)
        self.val_weights = check_weights(val_weights, 'val_weights', self.order)

    def stage_loss(self, stage, gates, encoder, head, data):
        """beta_k L_k(A, W, H, D^tr)."""
        loss, figures = super().stage_loss(stage, gates, encoder, head, data)
        return self.train_weights[stage.task] * loss, figures

    def validation_factor(self, record, loss):
        """alpha_k times that of Lbar_k^val."""
        return self.val_weights[record.stage.task] * super().validation_factor(record, loss)


@MODELS.register_module()
class MTLSAO(JointSearch):
    """The tasks share the architecture alone (Eq. 9)."""


@MODELS.register_module()
class SingleTask(JointSearch):
    """One task by itself: DARTS's bilevel search, by the space and the ``virtual_step`` it is given."""

    def __init__(self, search_space, tasks, rounds=1, order=(), **options):
        if len(order) != 1:
            raise ValueError(f'model.type=SingleTask: train_cfg.order={tuple(order)} must name one task; MTLSAO '
                             'searches over several')
        super().__init__(search_space, tasks, rounds, order, **options)


@MODELS.register_module()
class MTLSWS(JointSearch):
    """Each task has encoder weights of its own, drawn together by ``gamma sum_{k<j} ||W_k - W_j||^2``.

    Args:
        sharing_weight (float): gamma; 10 by default (paper 4.3.1).
    """

    def __init__(self, *args, sharing_weight=10., **options):
        super().__init__(*args, **options)
        if sharing_weight < 0:
            raise ValueError(f'model.sharing_weight={sharing_weight} must not be negative')
        self.sharing_weight = sharing_weight

    def sharing_gradient(self, stage, encoder):
        """``2 gamma sum_{j != k} (W_k - W_j)``, [D]."""
        others = [j for j in range(len(self.order)) if j != stage.task_index]
        total = torch.zeros_like(encoder)
        for j in others:
            total += encoder.detach() - self.encoder_weights.generate(j, 0, self.importance).detach()
        return 2 * self.sharing_weight * total

    def stage_steps(self, record, encoder, parameters, constants, optim_wrapper):
        """The sharing term doesn't depend on A, and neither does W: it moves W~ and adds nothing to A's chain."""
        return self.task_steps(record, encoder, parameters, constants, optim_wrapper,
                               self.sharing_gradient(record.stage, encoder))


@MODELS.register_module()
class MTLHWS(JointSearch):
    """All tasks share one set of encoder weights, ``W~ = W - eta sum_k beta_k grad_W L_k`` (Eq. 8)."""
    one_encoder = True

    def start_iteration(self, iteration: int) -> None:
        super().start_iteration(iteration)
        self.encoder_gradients = []

    def train_stage(self, stage: Stage, batch: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        figures = super().train_stage(stage, batch, optim_wrapper)
        if len(self.records) == len(self.stages):
            self.join(optim_wrapper)
        return figures

    def run_chain_again(self, optim_wrapper: OptimWrapperDict) -> None:
        super().run_chain_again(optim_wrapper)
        self.join(optim_wrapper)

    def run_stage(self, *args, **kwargs):
        encoder_gradient, head_gradient = super().run_stage(*args, **kwargs)
        self.encoder_gradients.append(encoder_gradient)
        return encoder_gradient, head_gradient

    def join(self, optim_wrapper: OptimWrapperDict) -> None:
        """W~ of all stages, once the last of them has given its gradient."""
        total, *others = self.encoder_gradients
        for other in others:
            total = total + other
        self.encoder_gradients = []
        last = self.records[-1]
        joint = Variable(self.virtual_encoder(last, self.encoder_before(last), total, optim_wrapper))
        steps = [Variable() for _ in self.records]
        for record in self.records:
            record.encoder = joint
            record.parts = partial(self.joint_parts, steps)

    def joint_parts(self, steps: list[Variable], record: StageRecord) -> list[Record]:
        """A stage's step as a record; after the last one's, ``W~ = W + sum_k (step_k - W)``.

        Args:
            steps (list[Variable]): what each stage's step alone makes of W.
        """
        parts = self.task_parts(record, steps[record.stage.index])
        if record is self.records[-1]:
            parts.append(WeightedSum(record.encoder, [(variable, 1.) for variable in steps]))
        return parts
