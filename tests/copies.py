"""Counts the copies of tensors from the host to a device; meta tensors stand in for those of a GPU."""
from collections import Counter

from torch.utils._python_dispatch import TorchDispatchMode


class CopyCounter(TorchDispatchMode):
    """``copies`` by dtype: those asked for, and those of indices that an operator on a device is given by the host."""

    def __init__(self):
        super().__init__()
        self.copies = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix('aten::')
        if name == '_to_copy' and args[0].device.type == 'cpu' and found.device.type != 'cpu':
            self.copies[found.dtype] += 1
        elif name == 'copy_' and args[1].device.type == 'cpu' and args[0].device.type != 'cpu':
            self.copies[args[0].dtype] += 1
        elif name == 'index' and args[0].device.type != 'cpu':
            self.copies['index'] += sum(i is not None and i.device.type == 'cpu' for i in args[1])
        return found
