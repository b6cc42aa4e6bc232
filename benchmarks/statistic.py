"""Times the two-sample statistic of all pairs from one Gram matrix against a plain loop over the sums of Eq. 3.

python benchmarks/statistic.py [--out FILE]
loop_over_gram: time of the loop over time of the Gram matrix, 20 sets of 20 embeddings of dimension 320, one thread.
"""
import time

import torch
from figures import arguments, report

from imtnas_mm.transfer.statistic import two_sample_statistics

SETS, SIZE, DIMENSION, SCALE = 20, 20, 320, .1


def loop(sets):
    """Eq. 3 for every pair of sets, sum by sum."""
    statistics = torch.zeros(len(sets), len(sets), dtype=sets.dtype)

    def kernel(x, y):
        return torch.exp(-SCALE * ((x - y)**2).sum())

    for i in range(len(sets)):
        for j in range(i):
            first, second = sets[i], sets[j]
            c = len(first)
            total = 0.
            for n in range(c):
                for m in range(c):
                    if m != n:
                        total += (kernel(first[n], first[m]) + kernel(second[n], second[m])) / (c * (c - 1))
                    total -= 2 / c**2 * kernel(first[n], second[m])
            statistics[i, j] = statistics[j, i] = total
    return statistics


def main():
    args = arguments(__doc__).parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sets = torch.randn(SETS, SIZE, DIMENSION, dtype=torch.float64) * .1
    start = time.perf_counter()
    expected = loop(sets)
    slow = time.perf_counter() - start
    times = []
    for _ in range(20):
        start = time.perf_counter()
        statistics = two_sample_statistics(sets, SCALE, 'plain')
        times.append(time.perf_counter() - start)
    off = ~torch.eye(SETS, dtype=torch.bool)
    difference = (statistics - expected)[off].abs().max().item()
    if difference > 1e-12:
        raise SystemExit(f'the two differ by {difference}')
    report(dict(loop_over_gram=slow / sorted(times)[len(times) // 2]), args.out)


if __name__ == '__main__':
    main()
