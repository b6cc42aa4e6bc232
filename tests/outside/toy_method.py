"""A search method in one file, which a config names in ``custom_imports``: A climbs by random steps.

It has no gradient of A, and its one step per iteration needs two passes per task.
"""
import torch

from imtnas_mm.algorithms import WeightStages
from imtnas_mm.random_state import Purpose, seed_of
from imtnas_mm.registry import MODELS

STEPS = 100  # the word of this file's random numbers in their key


@MODELS.register_module()
class HillClimbing(WeightStages):
    """``A' = A + step * noise``; A becomes A' if ``sum_k L_k^val(A', W_k, H_k) < sum_k L_k^val(A, W_k, H_k)``.

    That is (1+1)-evolution (Rechenberg, 1973) with a step of constant size. W and H are those of the last round,
    before the optimisers step; encoder weights are stored.

    Args:
        step (float): standard deviation of the noise on each logit.
        options: of :class:`WeightStages`.
    """

    def __init__(self, search_space, tasks, rounds, order, step=1., **options):
        super().__init__(search_space, tasks, dict(type='StoredWeights'), rounds, order, **options)
        if step <= 0:
            raise ValueError(f'model.step={step} must be positive')
        self.step = step
        self.register_buffer('climbed', torch.zeros((), dtype=torch.int64))  # steps taken; checkpoints keep it

    @torch.no_grad()
    def update_architecture(self, batches, optim_wrapper):
        data = {name: self.preprocess(name, batch, Purpose.VALIDATION, index)
                for index, (name, batch) in enumerate(batches[0].items())}
        losses = self.validation_losses(data)
        generator = torch.Generator().manual_seed(seed_of(self.seed, STEPS, self.iteration))
        alphas = self.architecture.named_alphas()
        before = {name: alpha.clone() for name, alpha in alphas.items()}
        for alpha in alphas.values():
            alpha += self.step * torch.randn(alpha.shape, generator=generator).to(alpha)
        self.refresh_gates()
        better = sum(self.validation_losses(data).values()) < sum(losses.values())
        for name, alpha in alphas.items():
            alpha.copy_(torch.where(better, alpha, before[name]))
        self.refresh_gates()
        self.climbed += better
        return {f'{name}/val_loss': loss for name, loss in losses.items()}

    def validation_losses(self, data):
        """Each task's loss in the last round at the present A, its mean over the ranks; dict[str, Tensor]."""
        losses = {}
        for stage in self.stages[-len(self.order):]:
            head = self.head(stage)
            values = {**head.trained(), **self.head_constants(head)}
            encoder = self.encoder(stage, self.importance)
            loss = self.task_loss(stage, self.gates, encoder, values, data[stage.task], Purpose.VALIDATION)[0]
            losses[stage.task] = loss.clone()
            self.reduce_finite(self.where(stage), {'the validation loss': [losses[stage.task]]})
        self.settle()
        return losses

    def figures(self):
        return dict(super().figures(), climbed=self.climbed)
