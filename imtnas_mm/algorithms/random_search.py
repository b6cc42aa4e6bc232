"""A random architecture: what a search must beat."""
from ..registry import MODELS
from .joint_search import JointSearch


@MODELS.register_module()
class RandomSearch(JointSearch):
    """A is drawn once, by the seed, and nothing is trained; derivation and retraining are those of every method.

    The logits are independent normal numbers of variance 1, so that every
    candidate of a choice is as likely as another to be the largest.
    """

    def __init__(self, *args, architecture=None, **options):
        super().__init__(*args, architecture=dict(init_std=1.), **options)

    def active_stages(self):
        return ()

    def update_architecture(self, batches, optim_wrapper):
        return {}

    def step_optimisers(self, optim_wrapper):
        """Nothing has a gradient."""
