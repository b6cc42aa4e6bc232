"""What a function does on a device, seen without one: tensors of the ``meta`` device stand for a GPU's."""
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class DeviceCalls(TorchDispatchMode):
    """The operators that compute on the device, by name, and the copies to it.

    An operator that would read from the device fails, because a meta tensor has no values; one that mixes tensors of
    the host with those of the device fails, too.
    """

    def __init__(self):
        super().__init__()
        self.computed, self.copied = [], []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        inputs = [leaf.device.type for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        outputs = [leaf.device.type for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        if 'meta' in outputs and 'cpu' in inputs:
            self.copied.append(str(function))
        elif 'meta' in inputs + outputs and not function.is_view:
            self.computed.append(str(function))
        return result
