"""Records the operators and copies of a function on a device; ``meta`` tensors stand for a GPU's."""
from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def _devices(values):
    return [leaf.device.type for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]


class DeviceCalls(TorchDispatchMode):
    """The operators that compute on the device and those that bring it a tensor of the host, by name.

    An operator that would read from the device fails, because a meta tensor has no values; one that mixes tensors of
    the host with those of the device fails, too.

    Attributes:
        computed, copied (list[str]): names of operators.
        copies (Counter): by dtype the copies that the function asks for; as ``index``, those of indices that an
            operator on the device gets from the host.
    """

    def __init__(self):
        super().__init__()
        self.computed, self.copied, self.copies = [], [], Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        inputs, outputs = _devices((args, kwargs)), _devices(result)
        if 'cpu' in inputs and any(device != 'cpu' for device in outputs):
            self.copied.append(str(function))
        elif any(device != 'cpu' for device in inputs + outputs) and not function.is_view:
            self.computed.append(str(function))
        self._count_copies(function._schema.name.removeprefix('aten::'), args, result)
        return result

    def _count_copies(self, name, args, result):
        if name == '_to_copy' and args[0].device.type == 'cpu' and result.device.type != 'cpu':
            self.copies[result.dtype] += 1
        elif name == 'copy_' and args[1].device.type == 'cpu' and args[0].device.type != 'cpu':
            self.copies[args[0].dtype] += 1
        elif name == 'index' and args[0].device.type != 'cpu':
            self.copies['index'] += sum(i is not None and i.device.type == 'cpu' for i in args[1])
