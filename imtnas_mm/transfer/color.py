"""Adjusts saturation and hue of images as kornia.enhance does, in few operations, for which the host never waits."""
import torch
from torch import Tensor

EPS = 1e-8  # kornia's: saturation is chroma / (value + EPS)


def adjust_saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Multiplies the HSV saturation by a factor and clamps it to [0, 1]; hue and value stay.

    With V the largest and m the smallest channel, S = (V - m) / (V + EPS) and S' = min(max(S factor, 0), 1), every
    channel c becomes ``(c - m) V S' / (V - m) + V - V S'``.

    Args:
        images (Tensor): [N, 3, H, W] RGB.
        factors (Tensor): [N, 1, 1, 1].
    """
    least, value = torch.aminmax(images, dim=1, keepdim=True)
    chroma = value - least
    wanted = value * (chroma / (value + EPS) * factors).clamp_(0, 1)
    ratio = wanted / chroma.clamp_min(torch.finfo(images.dtype).tiny)  # a gray pixel has c - m = 0
    return torch.addcmul(value - wanted, images - least, ratio)


def adjust_hue(images: Tensor, sextants: Tensor) -> Tensor:
    """Shifts the hue by ``sextants`` sixths of the circle; saturation and value stay.

    The hue h in sextants is ``(g - b) / C``, ``(b - r) / C + 2`` or ``(r - g) / C + 4`` where red, green or blue is the
    largest channel V, with C = V - min. With k = (n + h + sextants) mod 6 for n = 5, 3, 1, red, green and blue become
    ``V - V S clamp(min(k, 4 - k), 0, 1)`` (Smith's hexagon in one formula for the three channels).

    Args:
        images (Tensor): [N, 3, H, W] RGB.
        sextants (Tensor): [N, 3, 1, 1], the shift plus n of each channel.
    """
    value, largest = images.max(1, keepdim=True)
    chroma = value - images.amin(1, keepdim=True)
    shown = value * (chroma / (value + EPS))  # V S
    differences = images.roll(-1, 1) - images.roll(-2, 1)  # g - b, b - r, r - g
    hue = differences.gather(1, largest) / chroma.clamp_min(torch.finfo(images.dtype).tiny)
    k = (hue.add_(largest, alpha=2) + sextants).remainder_(6)
    return torch.addcmul(value, shown, torch.minimum(k, 4 - k).clamp_(0, 1), value=-1)
