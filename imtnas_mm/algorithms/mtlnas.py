"""MTL-NAS (Gao et al., 2020), adapted to search spaces of operations: a searched fusion beside A."""
import torch

from ..registry import MODELS
from .fusion_search import FUSION, Fusion, FusionOptions, bernoulli_entropy
from .joint_search import MTLHWS
from .shared_choices import SharedChoicesSearch
from .stage import check_order


@MODELS.register_module()
class MTLNAS(SharedChoicesSearch, MTLHWS):
    """Each task has a network of its own; the tasks search the operations of all and the edges between their stages.

    All networks run on every task's images, and the task's head reads its own.
    To the chain they are one encoder, W = (W_1, .., W_K, the edges'
    convolutions), which all tasks' losses train as in :class:`MTLHWS`. See
    docs/multitask_baselines.md for what is adapted.

    Args:
        fusion (dict, optional): :class:`FusionOptions`.
        **options: of :class:`MTLHWS`.
    """

    def __init__(self, search_space, tasks, rounds=1, order=(), fusion=None, **options):
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
        weights, = self.encoder_weights.weights
        self.first_task.space.set_start(self.first_task.layout.named(weights.detach()))

    @staticmethod
    def choices(space, model, order):
        """All that a search of this config decides on, the operations of ``space`` and the fusion."""
        return Fusion(space, order, FusionOptions.of(model.get('fusion')))

    def build_choices(self):
        return Fusion(self.first_task.space.encoders[0], self.order, self.fusion)

    @torch.no_grad()
    def architecture_figures(self):
        logits = self.architecture.named_alphas()[FUSION]
        return {
            **super().architecture_figures(), 'architecture/fusion_entropy': bernoulli_entropy(logits).mean(),
            'architecture/fusion_edges': self.space.chosen(logits).sum()
        }
