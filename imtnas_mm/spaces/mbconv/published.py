"""Published architectures of FairNAS-19: those of the paper, and the smallest and the largest of the space."""
from .layout import Candidate

# kernel/expansion of the 19 layers; Chu et al., 2019 (FairNAS). The last two are the extremes without identities.
_FAIRNAS = {
    'fairnas_a': '7/3 3/3  7/3 3/6 7/6 3/3  3/3 7/6 7/6 5/3  3/6 5/3 5/3 3/6  3/6 7/6 3/6 7/6  5/6',
    'fairnas_b': '5/3 3/3  5/3 3/3 3/6 5/3  7/3 3/3 3/6 5/3  3/3 3/6 7/3 3/3  7/6 5/6 7/6 3/6  5/6',
    'fairnas_c': '5/3 3/3  7/3 3/3 3/3 3/3  3/3 3/3 3/3 3/6  3/3 3/3 3/3 3/3  7/6 7/6 3/6 3/6  5/6',
    'fairnas_smallest': ' '.join(['3/3'] * 19),
    'fairnas_largest': ' '.join(['7/6'] * 19),
}


def _read_layers(text: str) -> dict[str, list[str]]:
    pairs = [map(int, pair.split('/')) for pair in text.split()]
    return dict(layers=[Candidate(kernel, expansion).name for kernel, expansion in pairs])


FAIRNAS = {name: _read_layers(text) for name, text in _FAIRNAS.items()}
