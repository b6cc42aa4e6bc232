"""What is written down of each undocumented name that the package uses."""
from typing import NamedTuple

TORCH = ('torch 2.14.1', )
LIBRARIES = ('onedl-mmengine 0.10.12', 'onedl-mmdetection 3.5.1', 'onedl-mmpretrain 1.3.6')


class Private(NamedTuple):
    """An undocumented name.

    Args:
        name (str): where it is found.
        signature (str): of an operator, the names of its arguments and the number of its outputs.
        reason (str): why nothing documented serves.
        undefined (str): which outputs hold nothing, when, and where; empty if all are always there.
        seen (tuple[str]): the versions whose behaviour was looked at.
    """
    name: str
    signature: str
    reason: str
    undefined: str = ''
    seen: tuple = ('torch 2.11.0', 'torch 2.14.1')
