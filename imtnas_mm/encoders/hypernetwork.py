"""The hypernetwork that generates every encoder's weights (paper 3.1.4)."""
import math

import torch
from torch import Tensor, nn

from ..registry import MODELS
from .base import EncoderWeights
from .parameter_layout import ParameterLayout

INDEX_ENCODINGS = ('embedding', 'scalar')


@MODELS.register_module()
class HyperNetwork(EncoderWeights):
    """``g(V, A, k, m)``: a feed-forward network from (A, k, m, d) to sub-vector d of W_k^(m).

    The weight vector [D] is cut into ceil(D / 100) sub-vectors. For each, the
    network takes the importance weights [n_A], the task k, the round m and the
    sub-vector's index d. Its hidden layers have 30 and 50 units, its output the
    100 numbers (paper 3.1.4, "Reduce computation and memory costs").

    Reading 3. Indices enter the first layer as one-hot inputs, which means as
    learned embeddings (``index_encoding='embedding'``), or as three scalars in
    [-1, 1] (``'scalar'``: 30 (n_A + 3) + 30 + 1,550 + 5,100 weights). Outputs
    start with unit variance; the layout scales and shifts them per parameter,
    so that a generated network starts well initialised. The activation is tanh,
    since the chain's gradient needs second derivatives.

    Args:
        hidden (tuple[int]): units of the two hidden layers.
        sub_vector (int): length of a sub-vector.
        stage_std (float): initial standard deviation of the task and round
            embeddings; that of sub-vectors is 1. It sets how far apart the
            stages start. All steps of V are common to them, so stages that
            start close together grow so alike that a transfer has nothing to
            pass on (docs/transfer.md).
    """
    offset: Tensor
    scale: Tensor

    def __init__(self,
                 layout: ParameterLayout,
                 num_tasks: int,
                 num_rounds: int,
                 num_importance: int,
                 hidden: tuple[int, int] = (30, 50),
                 sub_vector: int = 100,
                 index_encoding: str = 'embedding',
                 stage_std: float = 2.,
                 seed: int = 0) -> None:
        super().__init__(layout, num_tasks, num_rounds, num_importance, seed)
        if index_encoding not in INDEX_ENCODINGS:
            raise ValueError(f'index_encoding={index_encoding!r} is not one of {INDEX_ENCODINGS}')
        self.index_encoding = index_encoding
        self.sub_vector = sub_vector
        self.num_sub_vectors = math.ceil(layout.size / sub_vector)
        first, second = hidden
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int, std: float = 1.) -> nn.Parameter:
            return nn.Parameter(std * torch.randn(*shape, generator=generator))

        # the first layer, split by its inputs: V1 [A; k; m; d] = V_A A + V_k k + V_m m + V_d d
        self.first_architecture = normal(first, num_importance, std=stage_std / math.sqrt(num_importance))
        self.first_bias = nn.Parameter(torch.zeros(first))
        if index_encoding == 'embedding':
            self.first_task = normal(num_tasks, first, std=stage_std)
            self.first_round = normal(num_rounds, first, std=stage_std)
            self.first_index = normal(self.num_sub_vectors, first)
        else:
            self.first_task = normal(1, first, std=stage_std)
            self.first_round = normal(1, first, std=stage_std)
            self.first_index = normal(1, first)
        self.second_weight = normal(second, first, std=1 / math.sqrt(first))
        self.second_bias = nn.Parameter(torch.zeros(second))
        self.third_weight = normal(sub_vector, second, std=1 / math.sqrt(second))
        self.third_bias = nn.Parameter(torch.zeros(sub_vector))
        self.register_buffer('offset', layout.offset, persistent=False)
        self.register_buffer('scale', layout.scale, persistent=False)
        with torch.no_grad():  # unit variance over all outputs of the first stage
            units = self._units(0, 0, torch.full((num_importance, ), 1 / num_importance))
            self.third_weight /= units.std()

    def _index(self, table: Tensor, index: int, count: int) -> Tensor:
        """Row ``index`` of an embedding, or the index scaled to [-1, 1] times the only row."""
        if self.index_encoding == 'embedding':
            return table[index]
        return table[0] * (2 * index / max(count - 1, 1) - 1)

    def _sub_vector_terms(self) -> Tensor:
        if self.index_encoding == 'embedding':
            return self.first_index
        places = torch.linspace(-1, 1, self.num_sub_vectors, device=self.first_index.device,
                                dtype=self.first_index.dtype)
        return places[:, None] * self.first_index

    def _units(self, task: int, round: int, importance: Tensor) -> Tensor:
        """[num_sub_vectors, sub_vector]"""
        shared = (self.first_architecture @ importance + self.first_bias +
                  self._index(self.first_task, task, self.num_tasks) +
                  self._index(self.first_round, round, self.num_rounds))
        hidden = (self._sub_vector_terms() + shared).tanh()
        hidden = (hidden @ self.second_weight.T + self.second_bias).tanh()
        return hidden @ self.third_weight.T + self.third_bias

    def generate(self, task: int, round: int, importance: Tensor) -> Tensor:
        self.check_stage(task, round)
        units = self._units(task, round, importance).reshape(-1)[:self.layout.size]
        return self.offset + self.scale * units

    def extra_repr(self) -> str:
        return (f'num_importance={self.num_importance}, num_tasks={self.num_tasks}, num_rounds={self.num_rounds}, '
                f'sub_vectors={self.num_sub_vectors}x{self.sub_vector}, index_encoding={self.index_encoding!r}')
