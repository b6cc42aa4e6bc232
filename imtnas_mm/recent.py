"""A memory of the few entries that were used last."""
from collections import OrderedDict


class Recent:
    """The ``size`` entries that were used last; a copy of it begins empty."""

    def __init__(self, size):
        self.size = size
        self.entries = OrderedDict()

    def __getstate__(self):
        return dict(size=self.size, entries=OrderedDict())

    def __len__(self):
        return len(self.entries)

    def get_or_make(self, key, make):
        if key in self.entries:
            self.entries.move_to_end(key)
        else:
            self.entries[key] = make()
            if len(self) > self.size:
                self.entries.popitem(last=False)
        return self.entries[key]
