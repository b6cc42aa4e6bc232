"""Interleaving multi-task neural architecture search on the OpenMMLab stack."""
import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import derive, load_architecture, search

__version__ = '0.1.0'  # the only place: pyproject.toml, checkpoints and records of comparisons read it here
__all__ = ['__version__', 'derive', 'load_architecture', 'search']

# of mmdet, in each process that imports it: of an optional metric, which COCO AP doesn't need
warnings.filterwarnings('ignore', 'faster_coco_eval is not installed', UserWarning)


def __getattr__(name: str) -> Any:
    """The functions of :mod:`imtnas_mm.api`, which imports PyTorch and mmdet when the first of them is asked for."""
    if name in ('derive', 'load_architecture', 'search'):
        return getattr(importlib.import_module('.api', __name__), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
