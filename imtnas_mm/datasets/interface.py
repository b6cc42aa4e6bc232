"""What the package takes of any dataset that it has built."""
from collections.abc import Mapping
from typing import Any, Protocol

# of mmengine: one metric, or several
EvaluatorConfig = dict[str, Any] | list[dict[str, Any]] | tuple[dict[str, Any], ...]


class BuiltDataset(Protocol):
    """A dataset of mmengine, mmdet or mmpretrain, or a wrapper of such datasets."""

    @property
    def metainfo(self) -> Mapping[str, Any]:
        ...

    def __len__(self) -> int:
        ...

    def __getitem__(self, index: int, /) -> Any:
        ...
