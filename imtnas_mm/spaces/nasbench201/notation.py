"""Architectures of NAS-Bench-201 as text, ``|nor_conv_3x3~0|+|skip_connect~0|none~1|+|...|``.

The text has a group per state after the first, ``|operation~source|...|``; a plus
sign joins the groups (Dong and Yang, 2020, and the tables that followed it).
"""
from .layout import CELL, OPERATIONS, STATES

EXAMPLE = '|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|avg_pool_3x3~2|'


def to_string(architecture: dict) -> str:
    """``{'cell': [[['nor_conv_3x3', 0]], ...]}`` -> ``'|nor_conv_3x3~0|+...'``"""
    states = (''.join(f'{operation}~{source}|' for operation, source in state) for state in architecture[CELL])
    return '+'.join(f'|{state}' for state in states)


def from_string(text: str) -> dict | None:
    """The architecture of a text in this notation; None if the text does not start as one does, with ``|``.

    Raises:
        ValueError: with the part of the text that is wrong.
    """
    if not text.startswith('|'):
        return None
    groups = text.split('+')
    if len(groups) != STATES - 1:
        raise ValueError(f'it has {len(groups)} groups joined by +; a cell of NAS-Bench-201 has {STATES - 1}, as in '
                         f'{EXAMPLE}')
    return {CELL: [_read_state(group, number + 1) for number, group in enumerate(groups)]}


def _read_state(group, state):
    parts = group.split('|')
    if len(parts) < 3 or parts[0] or parts[-1]:
        raise ValueError(f'the group {group!r} must start and end with |')
    inputs = parts[1:-1]
    if len(inputs) != state:
        raise ValueError(f'the group {group!r} has {len(inputs)} edges; state {state} has {state}, one from each '
                         'state before it')
    return [_read_edge(part, source) for source, part in enumerate(inputs)]


def _read_edge(part, source):
    operation, separator, number = part.partition('~')
    if operation not in OPERATIONS:
        raise ValueError(f'{part!r}: {operation!r} is not an operation; known are {", ".join(OPERATIONS)}')
    if not separator or number != str(source):
        raise ValueError(f'{part!r} must end with ~{source}: the edges of a state come in the order of their sources')
    return [operation, source]
