"""MTL-NAS (Gao et al., 2020), adapted to search spaces of operations: it also searches a fusion.

The edges and their weight in the loss are in ``shared_choices/fusion.py``.
"""
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..encoders import StoredWeights
from ..registry import MODELS
from ..spaces.base import SearchSpace
from ..spaces.fused_supernet import FusedSupernet
from .architecture_step.cost_term import CostTerm
from .hard_sharing import MTLHWS
from .shared_choices.base import SharedChoicesSearch
from .shared_choices.fusion import FUSION, Fusion, FusionOptions, bernoulli_entropy
from .stages.stage import check_order


@MODELS.register_module()
class MTLNAS(SharedChoicesSearch[Fusion], MTLHWS):
    """Each task has a network; the tasks search the operations of all networks and the edges between their stages.

    All networks run on every task's images. The task's head reads the network
    of the task. In the chain they are a single encoder, W = (W_1, .., W_K, the
    edges' convolutions), which all tasks' losses train as in :class:`MTLHWS`.
    docs/multitask_baselines.md lists the adaptations.

    Args:
        search_space, tasks, rounds, order: of :class:`MTLHWS`.
        fusion (dict, optional): the fields of :class:`FusionOptions`.
        cost (dict, optional): options of :class:`CostTerm`.
        options: options of :class:`MTLHWS`.

    Raises:
        ValueError: if an argument is not valid.
    """
    encoder_weights: StoredWeights

    def __init__(self, search_space: dict[str, Any], tasks: Mapping[str, dict[str, Any]], rounds: int = 1,
                 order: Sequence[str] = (), fusion: Mapping[str, Any] | None = None,
                 cost: Mapping[str, Any] | None = None, **options: Any) -> None:
        check_order(order, tasks)
        if len(order) < 2:
            raise ValueError(f'model.type=MTLNAS: train_cfg.order={tuple(order)} must name two tasks or more, whose '
                             'networks are fused')
        self.fusion = FusionOptions.of(fusion)
        supernet = dict(type='FusedSupernet', networks=len(order), init=self.fusion.init,
                        learning_rate_factor=self.fusion.learning_rate_factor)
        tasks = {name: dict(task, backbone=dict(space=dict(search_space, **(task.get('backbone') or {})),
                                                network=tuple(order).index(name)))
                 for name, task in tasks.items()}
        super().__init__(supernet, tasks, rounds, order, **options)
        if cost is not None:  # of derived networks, which take options of the space, not of the supernet with the edges
            self.cost = CostTerm(self.space, self.architecture.named_alphas(), search_space, **cost)
        weights, = self.encoder_weights.weights
        self.supernet.set_start(self.first_task.layout.named(weights.detach()))

    @staticmethod
    def choices(space: SearchSpace, model: Mapping[str, Any], order: Sequence[str]) -> Fusion:
        """The choices that a search of this config makes: the operations of ``space`` and the fusion."""
        return Fusion(space, order, FusionOptions.of(model.get('fusion')))

    @property
    def supernet(self) -> FusedSupernet:
        """The backbone of the first task."""
        return self.first_task.template.backbone

    def build_choices(self) -> Fusion:
        return Fusion(self.supernet.encoder(0), self.order, self.fusion)

    @torch.no_grad()
    def architecture_figures(self) -> dict[str, Tensor]:
        logits = self.architecture.named_alphas()[FUSION]
        return {
            **super().architecture_figures(), 'architecture/fusion_entropy': bernoulli_entropy(logits).mean(),
            'architecture/fusion_edges': self.space.chosen(logits).sum()
        }
