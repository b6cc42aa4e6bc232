"""The two-sample statistics between sets of embeddings (paper Eq. 3 and Appendix D)."""
import math

import torch
from torch import Tensor

STATISTICS = ('relative', 'studentized', 'scaled', 'plain')
FLOOR = 3.  # standard deviations of "same" that two sets differ by at least before they count as different
SMALLEST_VARIANCE = 1e-10  # of the kernel, which lies in (0, 1]: float32 resolves no smaller one


def check_statistic(statistic: str) -> None:
    if statistic not in STATISTICS:
        raise ValueError(f'statistic={statistic!r} is not one of {STATISTICS}')


def is_studentized(statistic: str) -> bool:
    """Whether a statistic is in units that all sets of a batch determine together."""
    return statistic in ('relative', 'studentized')


def largest_statistic(num_augmentations: int, statistic: str = 'relative') -> float:
    """An upper bound for all pairs of sets: a kernel value lies in (0, 1], so Eq. 3 stays below 2.

    Over its standard deviation it has no bound.
    """
    check_statistic(statistic)
    if is_studentized(statistic):
        return math.inf
    return 2. * (num_augmentations if statistic == 'scaled' else 1)


def squared_distances(points: Tensor) -> Tensor:
    """[N, F] -> [N, N] of ||x_i - x_j||^2 from one Gram matrix; the diagonal is 0."""
    points = points - points.mean(0)  # leaves distances as they are, and reduces cancellation
    gram = points @ points.T
    norms = gram.diagonal()
    return torch.sub(norms[:, None] + norms, gram, alpha=2).clamp_min(0)


def relative_distances(points: Tensor) -> Tensor:
    """:func:`squared_distances` over their mean over all pairs of points; 0 if all points are alike."""
    distances = squared_distances(points)
    number, info = len(points), torch.finfo(points.dtype)
    rounding = points.detach().square().sum(1).mean() * info.eps**2  # below it, distances are those of rounding
    return distances / (distances.sum() / (number * (number - 1))).clamp_min(rounding.clamp_min(info.tiny))


def variance_within(kernel: Tensor, num_sets: int) -> Tensor:
    """E k~(x, y)^2, the second moment of the kernel centred within sets, for x and y of different sets.

    Under "same" it determines the variance of Eq. 3 (Gretton et al., 2012). From
    blocks of different sets it has no bias, whatever the size of the sets: the
    deviations in one set are independent of those in another. Sets of another
    mean don't count as scattered.

    Args:
        kernel (Tensor): [S C, S C], up to a constant.
    """
    size = len(kernel) // num_sets
    blocks = kernel.view(num_sets, size, num_sets, size)
    blocks = blocks - blocks.mean(1, keepdim=True)
    blocks = blocks - blocks.mean(3, keepdim=True)
    squares = blocks.square().sum((1, 3)) / (size - 1)**2
    return (squares.sum() - squares.diagonal().sum()) / (num_sets * (num_sets - 1))


def two_sample_statistics(embeddings: Tensor, kernel_scale: float = .1, statistic: str = 'studentized') -> Tensor:
    """The statistic of all pairs of sets at once.

    Eq. 3 with the radial basis function kernel ``f(x, y) = exp(-kernel_scale
    ||x - y||^2)`` is the unbiased estimate of MMD^2 (Gretton et al., 2012,
    Eq. 3).

    ``plain`` is Eq. 3. ``scaled`` multiplies it by C, as the test of Gretton et
    al. does. ``studentized`` divides it by its standard deviation for sets of
    one distribution, with variance ``4 (1 / (C (C - 1)) + 1 / C^2)`` times
    :func:`variance_within`, and takes distances relative to their mean: it has
    mean 0 and deviation 1 for such sets, whatever the scale of the embeddings
    and C are. ``relative`` is the same here; :class:`MMDTransfer` divides it by
    a statistic of the teacher.

    Args:
        embeddings (Tensor): [S, C, F], S sets of C embeddings.
        kernel_scale (float): the paper's .1.
        statistic (str): as above.

    Returns:
        Tensor: [S, S], symmetric. Its diagonal has no meaning.

    Raises:
        ValueError: for sets of fewer than two embeddings, or fewer than two
            sets for a studentised statistic.
    """
    check_statistic(statistic)
    num_sets, size, _ = embeddings.shape
    if size < 2:
        raise ValueError(f'sets of {size}: Eq. 3 divides by C(C-1) and needs C >= 2')
    studentized = is_studentized(statistic)
    points = embeddings.flatten(0, 1)
    if studentized and num_sets == 1:
        raise ValueError(f'statistic={statistic!r} of 1 set: the variance is that between sets and needs two')
    if studentized and num_sets == 0:
        return points.sum() * points.new_zeros(0, 0)
    distances = relative_distances(points) if studentized else squared_distances(points)
    kernel = (-kernel_scale * distances).expm1()  # Eq. 3 is the same for f - 1, whose rounding is finer
    sums = kernel.view(num_sets, size, num_sets, size).sum((1, 3))
    within = sums.diagonal() / (size * (size - 1))
    result = within[:, None] + within - 2 / size**2 * sums
    if studentized:
        variance = 4 * (1 / (size * (size - 1)) + 1 / size**2) * (variance_within(kernel, num_sets) + SMALLEST_VARIANCE)
        return result / variance.sqrt()
    return size * result if statistic == 'scaled' else result


def reference(teacher: Tensor) -> Tensor:
    """The studentised statistic at which "different" begins: the median over a teacher's pairs, at least ``FLOOR``.

    The floor keeps sets of one image from being told apart by chance.

    Args:
        teacher (Tensor): studentised statistics of pairs, [P]; none give ``FLOOR``.
    """
    if not len(teacher):
        return teacher.new_tensor(FLOOR)
    return teacher.sort().values[(len(teacher) - 1) // 2].clamp_min(FLOOR)
