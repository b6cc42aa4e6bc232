"""Architectures of an MBConv layout as digits, one per layer, as NAS-Bench-Macro writes them (Su et al., 2021).

0 is the identity, or the projection in its place; i is the i-th candidate of the layout.
"""
from .layout import IDENTITY, PROJECTION, Layout, searched_layers


def to_digits(layout: Layout, architecture: dict) -> str:
    """``{'layers': ['mbconv_3x3_e3', 'identity', ...]}`` -> ``'10...'``"""
    blocks = [candidate.name for candidate in layout.candidates]
    return ''.join('0' if choice in (IDENTITY, PROJECTION) else str(1 + blocks.index(choice))
                   for choice in architecture['layers'])


def from_digits(layout: Layout, text: str) -> dict | None:
    """The architecture of a text of as many digits as the layout has layers; None for another text.

    Raises:
        ValueError: with the digit that stands for no choice of its layer.
    """
    layers = searched_layers(layout)
    if len(text) != len(layers) or not (text.isascii() and text.isdigit()):
        return None
    blocks = tuple(candidate.name for candidate in layout.candidates)
    choices = []
    for digit, layer in zip(text, layers, strict=True):
        identities = [choice for choice in layer.choices if choice not in blocks]
        legal = dict(enumerate(blocks, 1)) | dict.fromkeys([0] if identities else [], *identities)
        if int(digit) not in legal:
            raise ValueError(f'digit {digit!r} of {layer.name}; {layout.name} takes one of '
                             f'{", ".join(map(str, sorted(legal)))} there')
        choices.append(legal[int(digit)])
    return dict(layers=choices)
