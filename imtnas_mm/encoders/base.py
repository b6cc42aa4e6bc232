"""Base class of the sources of encoder weights."""
from abc import ABCMeta, abstractmethod

from torch import Tensor, nn

from .parameter_layout import ParameterLayout


class EncoderWeights(nn.Module, metaclass=ABCMeta):
    """Gives the encoder weights W_k^(m) of every stage, that is of task k in round m.

    Args:
        layout (ParameterLayout): of one encoder; D = ``layout.size``.
        num_tasks (int): K.
        num_rounds (int): M.
        num_importance (int): n_A, the length of the importance vector.
        seed (int): of the initial values, independent of the global random state.
    """
    mixed_by_architecture = False  # whether A mixes the weights instead of feature maps, so its direct term goes via W

    def __init__(self, layout: ParameterLayout, num_tasks: int, num_rounds: int, num_importance: int,
                 seed: int = 0) -> None:
        super().__init__()
        self.layout = layout
        self.num_tasks = num_tasks
        self.num_rounds = num_rounds
        self.num_importance = num_importance
        self.seed = seed

    def check_stage(self, task: int, round: int) -> None:
        if not (0 <= task < self.num_tasks and 0 <= round < self.num_rounds):
            raise IndexError(f'stage (task {task}, round {round}) of {self.num_tasks} tasks and '
                             f'{self.num_rounds} rounds (both count from 0)')

    def forward(self, task: int, round: int, importance: Tensor) -> Tensor:
        """As :meth:`generate`, for ``functional_call``."""
        return self.generate(task, round, importance)

    @abstractmethod
    def generate(self, task: int, round: int, importance: Tensor) -> Tensor:
        """W_k^(m) as a vector [D], a differentiable function of the stored weights (and of A if it depends on A).

        Args:
            task (int): k, from 0.
            round (int): m, from 0.
            importance (Tensor): [n_A], the flat importance weights.
        """
