"""A: the architecture variables that all tasks share."""
import functools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class Architecture(nn.Module):
    """The architecture variables A as named groups of rows of logits.

    A row is one choice (a layer of an MBConv space, an edge of a cell); its
    entries are the logits of the candidates. The search space names the groups
    and says how logits become the weights its operations are mixed with.

    The module holds A and nothing else: its parameters are the only ones the
    architecture optimiser may hold, and no weight optimiser may hold them.

    Args:
        shapes (dict[str, tuple[int]]): group name -> shape; the last axis runs
            over candidates. From :meth:`SearchSpace.alpha_shapes`.
        init_std (float): A starts as ``init_std * randn`` as in the code of
            DARTS; 0 is the zero start of its paper and of this one (E.1).
        seed (int): of that start, apart from the global random state.
    """

    def __init__(self, shapes: Mapping[str, Sequence[int]], init_std: float = 1e-3, seed: int = 0) -> None:
        super().__init__()
        if not shapes:
            raise ValueError('an architecture needs at least one group of alphas')
        generator = torch.Generator().manual_seed(seed)
        self.init_std = init_std
        self.alphas = nn.ParameterDict({
            name: nn.Parameter(init_std * torch.randn(*shape, generator=generator))
            for name, shape in shapes.items()
        })

    def named_alphas(self) -> dict[str, nn.Parameter]:
        """dict[str, Parameter], sorted by name: what order is given is lost in torch's ParameterDict."""
        return dict(self.alphas.items())

    def extra_repr(self) -> str:
        return f'init_std={self.init_std}, size={sum(a.numel() for a in self.parameters())}'


def flat_importance(importance: Mapping[str, Tensor]) -> Tensor:
    """The importance weights as one vector [n_A] in the order of the groups (paper 3.1.4, "A_i")."""
    return torch.cat([weights.reshape(-1) for weights in importance.values()])


def mean_entropy(importance: Mapping[str, Tensor]) -> Tensor:
    """Mean entropy of the rows in nats: log(candidates) at the start, 0 when every choice is made."""
    rows = [weights.reshape(-1, weights.shape[-1]) for weights in importance.values()]
    total = functools.reduce(torch.add, [torch.special.entr(row).sum() for row in rows])
    return total / sum(len(row) for row in rows)
