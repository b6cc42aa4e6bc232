"""Undocumented parts of mmengine's image preprocessors."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .private import LIBRARIES, Private

NAMES = (
    Private(
        'mmengine.model.ImgDataPreprocessor._channel_conversion', '',
        'whether a preprocessor reverses the colours; it is off for images whose colours a task has reversed: mmengine '
        'reverses them by a list of indices, for which a GPU waits', seen=LIBRARIES),
    Private(
        'mmengine.model.ImgDataPreprocessor._enable_normalize', '',
        "whether a preprocessor normalises; mmpretrain's ClsDataPreprocessor has it, too", seen=LIBRARIES),
)


def reverses_colours(preprocessor: Any) -> bool:
    """Whether a preprocessor of mmengine or mmpretrain (``to_rgb``) reverses the colours."""
    return bool(getattr(preprocessor, 'to_rgb', False) or getattr(preprocessor, '_channel_conversion', False))


def normalizes(preprocessor: Any) -> bool:
    return preprocessor._enable_normalize


@contextmanager
def colours_kept(preprocessor: Any) -> Iterator[None]:
    """Inside, a preprocessor of mmengine doesn't reverse the colours, as it does otherwise."""
    preprocessor._channel_conversion = False
    try:
        yield
    finally:
        preprocessor._channel_conversion = True
