"""Searches a space of one's own and uses the network: python examples/search_kernels.py, after make_demo_data.py."""
from pathlib import Path

import torch

from imtnas_mm import search

CONFIG = Path(__file__).with_name('kernel_search.py')


def main(work_dir='work_dirs/kernels', **options):
    found = search(CONFIG, work_dir, **options)
    backbone = found.network(out_indices=(0, 1))
    features = backbone(torch.zeros(1, 3, 64, 64))
    print(f'found: {found.genotype.summary()}')
    print(f'features: {[tuple(feature.shape) for feature in features]}')
    return backbone


if __name__ == '__main__':
    main()
