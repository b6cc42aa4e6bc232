"""The anchors of mmdet's AnchorGenerator, kept on the device, and flags of the anchors inside an image."""
import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from torch import Tensor

from ..recent import Recent

Sizes = tuple[tuple[int, ...], ...]  # (height, width) of the feature maps, per level
# mmdet's words
NO_ANCHOR = ('There is no valid anchor inside the image boundary. Please check the image size and anchor sizes, or set '
             '``allowed_border`` to -1 to skip the condition.')


class Grid(NamedTuple):
    """``anchors`` [A, 4], the ``corners`` x, y of their cells in pixels [A, 2], and the number of anchors per level."""
    anchors: Tensor
    corners: Tensor
    levels: list[int]


class AnchorGrids:
    """Makes the anchors once for each list of feature map sizes.

    Args:
        generator (AnchorGenerator): of the head.
        border (int): ``allowed_border``: how far anchors may leave an image; -1 is no limit.
        size (int): how many grids are kept.
    """

    def __init__(self, generator: AnchorGenerator, border: float, size: int = 8) -> None:
        self.generator = generator
        self.border = border
        self.grids: Recent[Grid] = Recent(size)
        self.generators = Recent(2)

    def _on(self, device: torch.device) -> tuple[AnchorGenerator, AnchorGenerator]:
        """(generator, generator of the cells' corners) with base anchors on the device, so that calls copy nothing."""
        generator, corners = copy.copy(self.generator), copy.copy(self.generator)
        generator.base_anchors = [base.to(device) for base in self.generator.base_anchors]
        corners.base_anchors = [torch.zeros_like(base) for base in generator.base_anchors]
        return generator, corners

    def grid(self, sizes: Sizes, device: torch.device) -> Grid:
        """The :class:`Grid` of feature maps of ``sizes``, (height, width) per level."""

        def make() -> Grid:
            generator, corners = self.generators.get_or_make(device, lambda: self._on(device))
            anchors = generator.grid_priors(sizes, device=device)
            cells = corners.grid_priors(sizes, device=device)
            return Grid(torch.cat(anchors), torch.cat(cells)[:, :2].contiguous(), [len(level) for level in anchors])

        return self.grids.get_or_make((sizes, device), make)

    def inside(self, grid: Grid, sizes: Sizes, meta: Mapping[str, Any]) -> Tensor | None:
        """Flags of valid anchors: the cell lies in the image's padded shape, the anchor within its borders.

        Args:
            grid (Grid): of ``sizes``.
            sizes (tuple): (height, width) per level.
            meta (dict): of the image: ``pad_shape``, ``img_shape``.

        Returns:
            Tensor or None: flags [A]; ``None`` if all are valid.

        Raises:
            ValueError: no anchor is valid; the host knows it without the flags.
        """
        padded, image = meta['pad_shape'][:2], meta['img_shape'][:2]
        if not self._any_inside(sizes, padded, image):
            raise ValueError(NO_ANCHOR)
        flags = []
        strides = self.generator.strides
        if any((w - 1) * stride[0] >= padded[1] or (h - 1) * stride[1] >= padded[0]
               for (h, w), stride in zip(sizes, strides, strict=True)):
            flags += [grid.corners[:, 0] < padded[1], grid.corners[:, 1] < padded[0]]
        if self.border >= 0:
            x1, y1, x2, y2 = grid.anchors.unbind(1)
            flags += [x1 >= -self.border, y1 >= -self.border, x2 < image[1] + self.border, y2 < image[0] + self.border]
        if not flags:
            return None
        valid = flags[0]
        for other in flags[1:]:
            valid = valid & other
        return valid

    def _any_inside(self, sizes: Sizes, padded: Sequence[int], image: Sequence[int]) -> bool:
        """Whether any anchor is valid, computed on the host from rows and columns of cells separately."""
        for (height, width), stride, base in zip(
                sizes, self.generator.strides, self.generator.base_anchors, strict=True):
            shifts = [np.arange(n, dtype=np.float32) * np.float32(step)
                      for n, step in ((width, stride[0]), (height, stride[1]))]
            shifts = [shift[shift < limit] for shift, limit in zip(shifts, (padded[1], padded[0]), strict=True)]
            if self.border < 0:
                if all(map(len, shifts)):
                    return True
                continue
            corners = base.numpy()
            fits = []
            for axis, (shift, limit) in enumerate(zip(shifts, (image[1], image[0]), strict=True)):
                low, high = (corners[:, axis + k, None] + shift for k in (0, 2))
                fits.append(((low >= -self.border) & (high < limit + self.border)).any(1))
            if (fits[0] & fits[1]).any():
                return True
        return False
