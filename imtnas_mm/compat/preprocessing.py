"""What mmengine's image preprocessors keep to themselves."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .private import LIBRARIES, Private

NAMES = (
    Private(
        'mmengine.model.ImgDataPreprocessor._channel_conversion', '',
        'whether a preprocessor reverses the colours; it is off while a task hands it images whose colours it has '
        'reversed already: the library reverses them by a list of indices, which a GPU waits for', seen=LIBRARIES),
    Private(
        'mmengine.model.ImgDataPreprocessor._enable_normalize', '',
        "whether it normalises; mmpretrain's ClsDataPreprocessor has it, too", seen=LIBRARIES),
)


def reverses_colours(preprocessor: Any) -> bool:
    """Of a preprocessor of mmengine or mmpretrain; mmpretrain's says so by ``to_rgb``."""
    return bool(getattr(preprocessor, 'to_rgb', False) or getattr(preprocessor, '_channel_conversion', False))


def normalizes(preprocessor: Any) -> bool:
    return preprocessor._enable_normalize


@contextmanager
def colours_kept(preprocessor: Any) -> Iterator[None]:
    """Inside, a preprocessor of mmengine that reverses the colours leaves their order as it is."""
    preprocessor._channel_conversion = False
    try:
        yield
    finally:
        preprocessor._channel_conversion = True
