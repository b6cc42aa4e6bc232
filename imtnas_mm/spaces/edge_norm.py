"""Normalisation of the maps of a searched cell's edges, which several spaces share."""
import torch.nn.functional as F

from ..layers.gated_norm import gated_norm
from ..layers.normalization import batch_norm, by_channel

BATCH_STATISTICS = dict(type='BN', affine=False, track_running_stats=False)


class EdgeNorm:
    """Normalisation of the maps of some edges, edge by edge, without affine parameters.

    Args:
        norm_cfg (dict): ``BATCH_STATISTICS``, or ``dict(type='GN', num_groups=...)``; either may have ``eps``.
    """

    def __init__(self, norm_cfg):
        options = dict(norm_cfg)
        kind, self.eps = options.pop('type'), options.pop('eps', 1e-5)
        self.batch_statistics = kind == 'BN'
        known = dict(BN=options == dict(affine=False, track_running_stats=False), GN=set(options) == {'num_groups'})
        if not known.get(kind):
            raise ValueError(f'norm_cfg={norm_cfg!r}: a search cell takes {BATCH_STATISTICS}, or '
                             "dict(type='GN', num_groups=...)")
        self.num_groups = options.get('num_groups')

    def __call__(self, x, edges):
        """[N, edges * C, H, W] -> the same, normalised."""
        if self.batch_statistics:
            return batch_norm(x, self.eps)
        return F.group_norm(x, edges * self.num_groups, eps=self.eps)

    def weighted(self, x, weight, edges):
        """``weight norm(x)``; x as above, weight [edges * C]."""
        return gated_norm(x, weight, self.eps) if self.batch_statistics else self(x, edges) * by_channel(weight)
