"""Counts the operations of an iteration on a device, the waits of the host, and copies between the two."""
import os
import sys
from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, 'tests'))
from helpers.host_reads import READS  # noqa: E402


class OperationCounter(TorchDispatchMode):
    """Counts the operators that PyTorch runs inside.

    ``operations`` compute or copy; views and empty tensors aren't counted. For
    ``reads`` a host must wait. ``to_host`` and ``to_device`` are copies between
    a GPU and the host, 0 without a GPU.
    """
    FREE = ('detach', 'alias', 'lift_fresh', '_reshape_alias', '_unsafe_view', 'empty', 'empty_like', 'empty_strided',
            'new_empty', 'new_empty_strided')

    def __init__(self):
        super().__init__()
        self.by_name, self.reads = Counter(), Counter()
        self.to_host = self.to_device = 0

    @property
    def operations(self):
        return sum(self.by_name.values())

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix('aten::')
        if name in READS:
            self.reads[name] += 1
        elif name in ('index', 'index_put', 'index_put_') and any(
                index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]):
            self.reads[f'{name} by a mask'] += 1
        result = func(*args, **kwargs)
        if name not in self.FREE and not func.is_view:
            self.by_name[name] += 1
        if name in ('_to_copy', 'copy_'):
            self._copied(args, result)
        return result

    def _copied(self, args, result):
        source = args[1] if len(args) > 1 and isinstance(args[1], torch.Tensor) else args[0]
        kinds = source.device.type, result.device.type
        self.to_host += kinds[0] != 'cpu' and kinds[1] == 'cpu'
        self.to_device += kinds[0] == 'cpu' and kinds[1] != 'cpu'
