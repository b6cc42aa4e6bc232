"""Lets mmpretrain's browse_dataset draw by matplotlib 3.11, which wants the renderer as an argument."""
import functools
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib import _tight_bbox

from .private import Private

NAMES = (
    Private(
        'matplotlib._tight_bbox.adjust_bbox', '',
        "replaced, while a tool of mmpretrain runs, by a function that takes the figure's renderer where none is "
        'passed: browse_dataset of mmpretrain 1.3.6 calls it as matplotlib 3.10 and before have it',
        seen=('matplotlib 3.11.2', 'onedl-mmpretrain 1.3.6')),
)


@contextmanager
def bbox_without_renderer() -> Iterator[None]:
    """Inside, ``adjust_bbox(figure, bbox)`` works."""
    adjust: Any = _tight_bbox.adjust_bbox
    if 'renderer' not in inspect.signature(adjust).parameters:
        yield
        return

    @functools.wraps(adjust)
    def with_renderer(figure: Any, bbox: Any, renderer: Any = None, *args: Any, **options: Any) -> Any:
        return adjust(figure, bbox, renderer or figure.canvas.get_renderer(), *args, **options)

    _tight_bbox.adjust_bbox = with_renderer
    try:
        yield
    finally:
        _tight_bbox.adjust_bbox = adjust
