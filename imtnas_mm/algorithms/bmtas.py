"""BMTAS (Bruggemann et al., 2020), adapted to search spaces of operations: it also searches a branching."""
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..encoders import BranchedWeights
from ..random_state import isolated_random
from ..registry import MODELS
from ..spaces.base import SearchSpace
from .shared_choices.base import SharedChoicesSearch
from .shared_choices.branching import BRANCHING, Branching, block_macs
from .unrolled import UnrolledSearch


@MODELS.register_module()
class BMTAS(SharedChoicesSearch[Branching], UnrolledSearch):
    """The tasks search the same operations, and each task searches which of K copies of each block it uses.

    There is one stage per task. docs/multitask_baselines.md lists the
    adaptations.

    Args:
        search_space, tasks, rounds, order: of :class:`UnrolledSearch`.
        branching (dict, optional): options of :class:`Branching`.
        encoder_weights (dict, optional): config of ``BranchedWeights``.
        resource_size (int): the side of the image for which the resource loss
            counts the multiply-accumulates of the blocks.
        options: options of :class:`UnrolledSearch`.

    Raises:
        ValueError: if an argument is not valid.
    """
    encoder_weights: BranchedWeights

    def __init__(self, search_space: dict[str, Any], tasks: Mapping[str, dict[str, Any]], rounds: int,
                 order: Sequence[str], branching: Mapping[str, Any] | None = None,
                 encoder_weights: dict[str, Any] | None = None, resource_size: int = 224, **options: Any) -> None:
        if rounds != 1:
            raise ValueError(f'train_cfg.rounds={rounds}: BMTAS has one stage per task, so it must be 1')
        self.branching_options = dict(branching or {})
        with isolated_random(0):  # built only to count: the spaces of the tasks hold no values
            self.branching_options['macs'] = [*block_macs(MODELS.build(search_space), resource_size).values()]
        encoder_weights = dict(dict(type='BranchedWeights'), **(encoder_weights or {}))
        if encoder_weights['type'].split('.')[-1] != 'BranchedWeights':
            raise ValueError(f'model.encoder_weights={encoder_weights!r}: BMTAS mixes dict(type="BranchedWeights")')
        super().__init__(search_space, tasks, encoder_weights, rounds, order, **options)
        self.encoder_weights.set_blocks(self.space.blocks())

    @staticmethod
    def choices(space: SearchSpace, model: Mapping[str, Any], order: Sequence[str]) -> Branching:
        """The choices that a search of this config makes: the operations of ``space`` and the branching."""
        return Branching(space, order, **(model.get('branching') or {}))

    def build_choices(self) -> Branching:
        return self.choices(self.first_task.template.backbone, dict(branching=self.branching_options), self.order)

    def search_network(self, task: str, round: int = -1) -> Callable[[dict], list]:
        with self.space.judged():
            return super().search_network(task, round)

    @torch.no_grad()
    def architecture_figures(self) -> dict[str, Tensor]:
        logits = self.architecture.named_alphas()[BRANCHING]
        return {
            **super().architecture_figures(), 'architecture/branching_entropy': self.space.branching_entropy(logits),
            'architecture/expected_networks': self.space.expected_networks(logits)
        }
