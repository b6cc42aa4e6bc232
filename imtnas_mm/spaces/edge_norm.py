"""The norms of the edges of searched cells: batch statistics or group norm, without affine parameters."""
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..layers.gated_norm import gated_norm
from ..layers.normalization import batch_norm, by_channel

BATCH_STATISTICS = dict(type='BN', affine=False, track_running_stats=False)


def affine_norm_cfg(norm_cfg: dict[str, Any]) -> dict[str, Any]:
    """``norm_cfg`` with affine parameters, for the norms outside the edges."""
    return dict(norm_cfg, affine=True) if norm_cfg['type'] == 'BN' else norm_cfg


class EdgeNorm:
    """Normalises the maps of some edges, edge by edge, without affine parameters.

    Args:
        norm_cfg (dict): ``BATCH_STATISTICS``, or ``dict(type='GN', num_groups=...)``; either may have ``eps``.

    Raises:
        ValueError: for any other config.
    """

    def __init__(self, norm_cfg: dict[str, Any]) -> None:
        options = dict(norm_cfg)
        kind, self.eps = options.pop('type'), options.pop('eps', 1e-5)
        self.batch_statistics = kind == 'BN'
        known = dict(BN=options == dict(affine=False, track_running_stats=False), GN=set(options) == {'num_groups'})
        if not known.get(kind):
            raise ValueError(f'norm_cfg={norm_cfg!r}: a search cell takes {BATCH_STATISTICS}, or '
                             "dict(type='GN', num_groups=...)")
        self.num_groups: int = options.get('num_groups', 0)  # of group norm

    def __call__(self, x: Tensor, edges: int) -> Tensor:
        """[N, edges * C, H, W] -> the same, normalised."""
        if self.batch_statistics:
            return batch_norm(x, self.eps)
        return F.group_norm(x, edges * self.num_groups, eps=self.eps)

    def weighted(self, x: Tensor, weight: Tensor, edges: int) -> Tensor:
        """``weight norm(x)`` with x [N, edges * C, H, W] and weight [edges * C]."""
        return gated_norm(x, weight, self.eps) if self.batch_statistics else self(x, edges) * by_channel(weight)
