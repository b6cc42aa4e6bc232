"""A guard that raises where the host would wait for a GPU's result; it works on CPU tensors, too."""
import sys
from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# the result is a number of the host, or the host must know it to shape the result
READS = ('_local_scalar_dense', 'nonzero', 'unique_dim', '_unique', '_unique2', 'unique_consecutive', 'masked_select',
         'bincount', 'equal', 'repeat_interleave')
WHOLE = (torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.__array__)  # they run no operator on a CPU


class HostRead(AssertionError):
    """The host read a value; the traceback shows where (in a backward pass, the call of that pass)."""


def _inside(allowed):
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name in allowed:
            return True
        frame = frame.f_back
    return False


def _one_hot(tensor, num_classes=-1):
    """As on a GPU: on a CPU PyTorch checks that the numbers are classes."""
    if num_classes < 0:
        raise HostRead('one_hot without num_classes')
    encoded = torch.zeros(*tensor.shape, num_classes, dtype=torch.long, device=tensor.device)
    return encoded.scatter_(-1, tensor[..., None], 1)


class _Functions(TorchFunctionMode):

    def __init__(self, allowed):
        super().__init__()
        self.allowed = allowed

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in WHOLE and args[0].numel() and not _inside(self.allowed):
            raise HostRead(func.__name__)
        if func is torch.nn.functional.one_hot:
            func = _one_hot
        return func(*args, **(kwargs or {}))


class _Operators(TorchDispatchMode):

    def __init__(self, allowed):
        super().__init__()
        self.allowed = allowed

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        read = self.read(func, args, kwargs or {})
        if read is not None and not _inside(self.allowed):
            raise HostRead(read)
        return func(*args, **(kwargs or {}))

    @staticmethod
    def read(func, args, kwargs):
        """What an operator reads, or ``None``."""
        name = func._schema.name.removeprefix('aten::')
        if name in READS:
            return name
        if name in ('index', 'index_put', 'index_put_', '_index_put_impl_') and any(
                index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]):
            if name == 'index' or args[2].numel() != 1:  # one value in a mask is filled in without a count
                return f'{name} by a mask'
        if name == '_to_copy' and args[0].device.type != 'cpu' and str(kwargs.get('device') or '') == 'cpu':
            return 'a copy to the host'
        if name == 'copy_' and args[0].device.type == 'cpu' and args[1].device.type != 'cpu':
            return 'a copy to the host'
        return None


@contextmanager
def no_host_reads(allowed=()):
    """Raises :class:`HostRead` at the first value that the host reads inside, forward or backward.

    On CPU tensors it can't tell what would lie on a GPU from what would not.

    Args:
        allowed (sequence of str): names of functions whose tensors are the
            host's own wherever the rest lies, such as ``stack_batch``.
    """
    with _Functions(allowed), _Operators(allowed):
        yield
