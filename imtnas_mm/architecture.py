"""The architecture variables A of a search, which all tasks share."""
import functools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class Architecture(nn.Module):
    """The architecture variables A, named groups of rows of logits.

    A row is one choice (a layer of an MBConv space, an edge of a cell); its
    entries are the logits of the candidates. The search space names the groups
    and turns logits into the weights with which it mixes its operations.

    The module holds A and nothing else. The architecture optimiser holds
    exactly its parameters; no weight optimiser may hold them.

    Args:
        shapes (dict[str, tuple[int]]): group name -> shape; the last axis runs
            over candidates. From :meth:`SearchSpace.alpha_shapes`.
        init_std (float): A starts as ``init_std * randn``, as in DARTS' code;
            0 is the zero start of the papers (DARTS; here E.1).
        seed (int): of the start, independent of the global random state.
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
        """dict[str, Parameter], sorted by name: torch's ParameterDict doesn't keep the order of ``shapes``."""
        return dict(self.alphas.items())

    def extra_repr(self) -> str:
        return f'init_std={self.init_std}, size={sum(a.numel() for a in self.parameters())}'


def flat_importance(importance: Mapping[str, Tensor]) -> Tensor:
    """The importance weights as one vector [n_A], in the order of the groups (paper 3.1.4, "A_i")."""
    return torch.cat([weights.reshape(-1) for weights in importance.values()])


def mean_entropy(importance: Mapping[str, Tensor]) -> Tensor:
    """Mean entropy of the rows in nats: log(candidates) for equal weights, 0 for one-hot rows."""
    rows = [weights.reshape(-1, weights.shape[-1]) for weights in importance.values()]
    total = functools.reduce(torch.add, [torch.special.entr(row).sum() for row in rows])
    return total / sum(len(row) for row in rows)


def one_hot(values: Tensor) -> Tensor:
    """[..., n] -> [..., n] with 1 at the largest value of the last axis, the first if several are equal."""
    return torch.zeros_like(values).scatter(-1, values.argmax(-1, keepdim=True), 1)
