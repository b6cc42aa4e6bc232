"""The two-sample statistic between sets of embeddings (paper Eq. 3 and Appendix D)."""
import torch
from torch import Tensor

STATISTICS = ('scaled', 'plain')


def check_statistic(statistic: str) -> None:
    if statistic not in STATISTICS:
        raise ValueError(f'statistic={statistic!r} is not one of {STATISTICS}')


def largest_statistic(num_augmentations: int, statistic: str = 'scaled') -> float:
    """An upper bound for all pairs of sets: a kernel value lies in (0, 1], so Eq. 3 stays below 2."""
    check_statistic(statistic)
    return 2. * (num_augmentations if statistic == 'scaled' else 1)


def squared_distances(points: Tensor) -> Tensor:
    """[N, F] -> [N, N] of ||x_i - x_j||^2 from one Gram matrix; the diagonal is 0."""
    points = points - points.mean(0)  # leaves distances as they are, and reduces cancellation
    gram = points @ points.T
    norms = gram.diagonal()
    return torch.sub(norms[:, None] + norms, gram, alpha=2).clamp_min(0)


def two_sample_statistics(embeddings: Tensor, kernel_scale: float = .1, statistic: str = 'scaled') -> Tensor:
    """The statistic of all pairs of sets at once.

    Eq. 3 with the radial basis function kernel ``f(x, y) = exp(-kernel_scale
    ||x - y||^2)`` is the unbiased estimate of MMD^2 (Gretton et al., 2012,
    Eq. 3). ``statistic='scaled'`` multiplies it by C, as the test of Gretton et
    al. does (reading 1).

    Args:
        embeddings (Tensor): [S, C, F], S sets of C embeddings.
        kernel_scale (float): the paper's .1.
        statistic (str): ``scaled`` or ``plain`` (Eq. 3 to the letter).

    Returns:
        Tensor: [S, S], symmetric. Its diagonal has no meaning.

    Raises:
        ValueError: for sets of fewer than two embeddings.
    """
    check_statistic(statistic)
    num_sets, size, _ = embeddings.shape
    if size < 2:
        raise ValueError(f'sets of {size}: Eq. 3 divides by C(C-1) and needs C >= 2')
    kernel = (-kernel_scale * squared_distances(embeddings.flatten(0, 1))).exp()
    sums = kernel.view(num_sets, size, num_sets, size).sum((1, 3))
    within = (sums.diagonal() - size) / (size * (size - 1))  # without the kernel's diagonal, f(x, x) = 1
    result = within[:, None] + within - 2 / size**2 * sums
    return size * result if statistic == 'scaled' else result
