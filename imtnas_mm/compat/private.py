"""An undocumented name of a library: why the package uses it, and the versions it was checked with."""
from typing import NamedTuple

TORCH = ('torch 2.14.1', )
LIBRARIES = ('onedl-mmengine 0.10.12', 'onedl-mmdetection 3.5.1', 'onedl-mmpretrain 1.3.6')


class Private(NamedTuple):
    """An undocumented name.

    Args:
        name (str): its import path.
        signature (str): for an operator, the names of its arguments and the number of its outputs.
        reason (str): why the package needs it.
        undefined (str): which outputs are undefined, and when; empty if none is.
        seen (tuple[str]): the versions whose behaviour was checked.
    """
    name: str
    signature: str
    reason: str
    undefined: str = ''
    seen: tuple = ('torch 2.11.0', 'torch 2.14.1')
