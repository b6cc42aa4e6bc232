"""Undocumented parts of the data code of mmengine, mmdet, mmpretrain and NumPy, and lines that they print."""
import contextlib
import io
from collections.abc import Iterator
from typing import Any

from mmengine.dataset import ConcatDataset
from numpy._core.multiarray import _reconstruct, scalar
from numpy._core.numeric import _frombuffer  # pyright: ignore[reportAttributeAccessIssue]

from .private import LIBRARIES, Private

NAMES = (
    Private(
        'mmengine.dataset.ConcatDataset._get_ori_dataset_idx', '',
        'the dataset that holds an index; __getitem__ would run the pipeline', seen=LIBRARIES),
    Private(
        'mmengine.dataset.BaseDataset._fully_initialized', '',
        'set by the synthetic datasets of a rehearsal, which have no annotations to load', seen=LIBRARIES),
    Private(
        'mmdet.datasets.CocoDataset.COCOAPI', '',
        'replaced on a dataset, so that it parses an index in memory instead of a file; making an index prints lines',
        seen=LIBRARIES),
    *(Private(f'numpy._core.{name}', '', 'named in pickled arrays; the unpickler of CIFAR files allows it',
              seen=('numpy 2.2.6', ))
      for name in ('multiarray._reconstruct', 'multiarray.scalar', 'numeric._frombuffer')),
    Private(
        'mmpretrain.datasets', '',
        'importing it prints a line for each missing optional package, which is no more than a debug message',
        seen=LIBRARIES),
)

# module and name in a pickle -> function, under NumPy's old and new names
ARRAY_MAKERS = {
    **{(f'numpy.{core}.multiarray', name): value
       for core in ('core', '_core') for name, value in (('_reconstruct', _reconstruct), ('scalar', scalar))},
    **{(f'numpy.{core}.numeric', '_frombuffer'): _frombuffer for core in ('core', '_core')},
}


def member_of(dataset: ConcatDataset, index: int) -> tuple[Any, int]:
    """The dataset in a ConcatDataset that holds an example, and the index there."""
    part, index = dataset._get_ori_dataset_idx(index)
    return dataset.datasets[part], index


def coco_index(kind: type, content: dict) -> Any:
    """The index that a CocoDataset makes of an annotation file.

    Args:
        kind (type): CocoDataset or a subclass.
        content (dict): of the file. mmdet changes its entries.
    """
    with without_notes_on_indices():
        index = kind.COCOAPI()
        index.dataset = content
        index.createIndex()
    index.img_ann_map, index.cat_img_map = index.imgToAnns, index.catToImgs  # mmdet's names, set when it was empty
    return index


def parse_from(dataset: Any, index: Any) -> list[dict]:
    """The list that a CocoDataset parses from an index (:func:`coco_index`); it becomes its ``data_list``."""
    dataset.COCOAPI = lambda path: index
    dataset.data_list = dataset.load_data_list()
    return dataset.data_list


def without_notes_on_imports() -> contextlib.AbstractContextManager[None]:
    """Drops mmpretrain's lines on missing optional packages."""
    return without_lines('Could not import OneDL')


def without_notes_on_indices() -> contextlib.AbstractContextManager[None]:
    """Drops pycocotools' lines on annotation files that it reads."""
    return without_lines('loading annotations into memory...', 'Done (t=', 'creating index...', 'index created!')


@contextlib.contextmanager
def without_lines(*parts: str) -> Iterator[None]:
    """Delays printed lines to the end, also to that by an error, and drops those that have one of the parts."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        for line in printed.getvalue().splitlines():
            if not any(part in line for part in parts):
                print(line)
