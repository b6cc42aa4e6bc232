"""A cache of the most recently used entries."""
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

V = TypeVar('V')  # an entry


class Recent(Generic[V]):
    """Keeps the ``size`` most recently used entries; a copy of it starts empty."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.entries: OrderedDict[Hashable, V] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return dict(size=self.size, entries=OrderedDict())

    def __len__(self) -> int:
        return len(self.entries)

    def get_or_make(self, key: Hashable, make: Callable[[], V]) -> V:
        if key in self.entries:
            self.entries.move_to_end(key)
        else:
            self.entries[key] = make()
            if len(self) > self.size:
                self.entries.popitem(last=False)
        return self.entries[key]
