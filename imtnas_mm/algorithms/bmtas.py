"""BMTAS (Bruggemann et al., 2020), adapted to search spaces of operations: a searched branching beside A."""
import torch

from ..random_state import isolated_random
from ..registry import MODELS
from .branching import BRANCHING, Branching, block_macs
from .shared_choices import SharedChoicesSearch
from .unrolled import UnrolledSearch


@MODELS.register_module()
class BMTAS(SharedChoicesSearch, UnrolledSearch):
    """The tasks search the operations together, and which of K copies of each block each of them uses.

    One stage a task. See docs/multitask_baselines.md for what is adapted.

    Args:
        branching (dict, optional): options of :class:`Branching`.
        resource_size (int): image side at which a block's multiply-accumulates
            are counted for the resource loss.
        encoder_weights (dict): of ``BranchedWeights``.
        **options: of :class:`UnrolledSearch`.
    """

    def __init__(self, search_space, tasks, rounds, order, branching=None, encoder_weights=None, resource_size=224,
                 **options):
        if rounds != 1:
            raise ValueError(f'train_cfg.rounds={rounds}: BMTAS has one stage a task, so it must be 1')
        self.branching_options = dict(branching or {})
        with isolated_random(0):  # the tasks' own spaces hold no values
            self.branching_options['macs'] = [*block_macs(MODELS.build(search_space), resource_size).values()]
        encoder_weights = dict(dict(type='BranchedWeights'), **(encoder_weights or {}))
        if encoder_weights['type'].split('.')[-1] != 'BranchedWeights':
            raise ValueError(f'model.encoder_weights={encoder_weights!r}: BMTAS mixes dict(type="BranchedWeights")')
        super().__init__(search_space, tasks, encoder_weights, rounds, order, **options)
        self.encoder_weights.set_blocks(self.space.blocks())

    @staticmethod
    def choices(space, model, order):
        """All that a search of this config decides on, the operations of ``space`` and the branching."""
        return Branching(space, order, **(model.get('branching') or {}))

    def build_choices(self):
        return self.choices(self.first_task.space, dict(branching=self.branching_options), self.order)

    def search_network(self, task, round=-1):
        with self.space.judged():
            return super().search_network(task, round)

    @torch.no_grad()
    def architecture_figures(self):
        logits = self.architecture.named_alphas()[BRANCHING]
        return {
            **super().architecture_figures(), 'architecture/branching_entropy': self.space.branching_entropy(logits),
            'architecture/expected_networks': self.space.expected_networks(logits)
        }
