"""A pretended CUDA device: its tensors lie on the CPU, and a mark on their memory tells them apart.

Numbers are a CPU's, so that whole searches run forward, backward and twice backward. What a GPU does differently is
modelled: operators that mix devices raise, numpy and generators of the CPU refuse its tensors, outputs that its
operators leave undefined are undefined here, too, and those that they get wrong are NaN (PyTorch's own fake tensors
have no backward pass without a GPU, and define all outputs), and what the host reads or copies to it is counted.
"""
from collections import Counter
from contextlib import contextmanager

import torch
from torch._prims_common import suggest_memory_format
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from imtnas_mm import transport
from imtnas_mm.layers import normalization

from .host_reads import READS

CUDA, CPU = torch.device('cuda', 0), torch.device('cpu')
MIXING = ('copy_', '_to_copy', 'record_stream')  # of both devices by nature
INDEXING = ('index', 'index_put', 'index_put_', '_index_put_impl_')  # indices of the CPU are copied
NO_SCALARS = ('cat', 'stack', 'bmm', 'mm', 'addmm', 'convolution')  # refuse even single numbers of the CPU
FACTORIES = ('empty', 'empty_strided', 'zeros', 'ones', 'full', 'eye', 'arange', 'linspace', 'logspace', 'rand',
             'randn', 'randint', 'randperm', 'tril_indices', 'triu_indices', 'zeros_like', 'ones_like', 'full_like',
             'empty_like', 'rand_like', 'randn_like', 'randint_like')  # of torch
NEW = ('new_empty', 'new_zeros', 'new_ones', 'new_full', 'new_empty_strided')  # of tensors


class DeviceError(RuntimeError):
    """What a GPU refuses, too."""


def on_cuda(tensor):
    """Whether a tensor lies on the pretended device.

    ``None`` for a tensor that an operator or the autograd engine made inside:
    it goes to the device of the tensors beside it, whose mark they don't see.
    """
    return getattr(tensor.untyped_storage(), 'pretended', False)


def _put(tensor, cuda):
    tensor.untyped_storage().pretended = cuda
    return tensor


class _Move(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, cuda):
        ctx.origin = on_cuda(x)
        return _put(x.clone(), cuda)

    @staticmethod
    def backward(ctx, gradient):
        return _Move.apply(gradient, ctx.origin), None


class PretendedCuda(TorchDispatchMode):
    """
    Attributes:
        reads (Counter): what the host waited for, by operator.
        uploads (Counter): copies from the host, by operator.
        waits (Counter): those of them for which the host waits, since they aren't asked to be ``non_blocking``.
        operations (Counter): what computed on the device, by operator; views and empty tensors left out.
    """
    FREE = ('detach', 'alias', 'lift_fresh', '_reshape_alias', '_unsafe_view', 'empty', 'empty_like', 'empty_strided',
            'new_empty', 'new_empty_strided')

    def __init__(self):
        super().__init__()
        self.reads, self.uploads, self.waits, self.operations = Counter(), Counter(), Counter(), Counter()
        self.asked = 0  # whether the test or the package asks for a tensor, not an operator inside

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = func._schema.name.removeprefix('aten::')
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        there = [on_cuda(x) for x in inputs]
        non_blocking = name == 'copy_' and (True in args[2:] or kwargs.get('non_blocking'))
        self._refuse_mixtures(name, inputs, there, not non_blocking)
        device = kwargs.get('device')
        if device is None:
            cuda = any(there) or (None if None in there else False)
        else:
            cuda = torch.device(device).type == 'cuda' or (False if self.asked else None)
            kwargs['device'] = CPU
        if kwargs.get('pin_memory'):
            kwargs['pin_memory'] = False
            if cuda:
                raise DeviceError(f'{name}: only memory of the CPU can be pinned')
        generator = kwargs.get('generator')
        if cuda and generator is not None:
            raise DeviceError(f"{name}: expected a 'cuda' device type for generator but found 'cpu'")
        if any(there):
            self._count_reads(name, args)
        result = func(*args, **kwargs)
        held = {x.untyped_storage()._cdata for x in inputs}

        def mark(x):
            known = x.untyped_storage()._cdata in held and on_cuda(x) is not None
            return x if known else _put(x, cuda)

        result = tree_map_only(torch.Tensor, mark, result)
        if cuda and name not in self.FREE and not func.is_view:
            self.operations[name] += 1
        return self._undefined(name, args, result) if cuda else result

    def _refuse_mixtures(self, name, inputs, there, blocks):
        if not (any(there) and False in there) or name in MIXING:
            if name == 'copy_' and None not in there and there[0] != there[1]:
                (self.uploads if there[0] else self.reads)[name] += 1
                self.waits[name] += there[0] and blocks
            return
        if name in INDEXING and there[0] is not False:
            self.uploads[name] += 1
            self.waits[name] += 1
            return
        for x, cuda in zip(inputs, there, strict=True):
            if cuda is False and (x.dim() or name in NO_SCALARS):
                raise DeviceError(f'{name}: expected all tensors to be on the same device, but found at least two, '
                                  f'cuda:0 and cpu; of the CPU is one of shape {tuple(x.shape)}')

    def _count_reads(self, name, args):
        masked = name in INDEXING and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])
        if name in READS or masked and (name == 'index' or args[2].numel() != 1):
            self.reads[name] += 1

    @staticmethod
    def _undefined(name, args, result):
        if name == 'native_batch_norm_backward' and args[2] is None and any(args[-1][1:]):
            if not args[1].is_contiguous(memory_format=torch.channels_last):
                raise DeviceError(f'{name}: tensor does not have a device')
            return result[0], None, None
        if name == 'avg_pool2d_backward' and any(args[4]) and suggest_memory_format(args[1]) == torch.channels_last:
            return result.fill_(float('nan'))  # pytorch/pytorch#188344: wrong values
        return result


def _moved(tensor, device):
    cuda = torch.device(device).type == 'cuda'
    return tensor if cuda == on_cuda(tensor) else _Move.apply(tensor, cuda)


def _to(plain, mode):

    def to(tensor, *args, **kwargs):
        names = ['dtype', 'non_blocking', 'copy']
        if args and isinstance(args[0], torch.Tensor):
            args = args[0].device, args[0].dtype, *args[1:]
        if args and not isinstance(args[0], torch.dtype):
            names.insert(0, 'device')
        options = {**dict(zip(names, args, strict=False)), **kwargs}
        device = options.pop('device', None)
        options = {name: value for name, value in options.items() if value is not None}
        result = plain(tensor, **options) if options.keys() - {'non_blocking'} else tensor
        return result if device is None else mode.move(result, device, options.get('non_blocking', False))

    return to


def _from_data(plain, mode):

    def make(*args, device=None, requires_grad=False, **kwargs):
        result = plain(*args, **kwargs)
        if device is None and args and isinstance(args[0], torch.Tensor) and plain.__name__ == 'new_tensor':
            device = args[0].device
        result = result if device is None else mode.move(result, device)
        return result.requires_grad_() if requires_grad else result

    return make


def _factory(plain, mode):

    def make(*args, **kwargs):
        mode.asked += 1
        try:
            return plain(*args, **kwargs)
        finally:
            mode.asked -= 1

    return make


class _Autocast(torch.autocast):

    def __init__(self, device_type, *args, **kwargs):
        super().__init__('cpu', *args, **kwargs)


def _one_hot(plain):
    """Given the number of classes, a GPU's reads nothing."""

    def one_hot(tensor, num_classes=-1):
        if not on_cuda(tensor) or num_classes < 0:
            return plain(tensor, num_classes)
        return torch.zeros(*tensor.shape, num_classes, dtype=torch.long, device=CUDA).scatter_(-1, tensor[..., None], 1)

    return one_hot


def _numpy(plain):

    def numpy(tensor, *args, **kwargs):
        if on_cuda(tensor):
            raise DeviceError("can't convert cuda:0 device type tensor to numpy")
        return plain(tensor, *args, **kwargs)

    return numpy


def _clip_grad_norm_(parameters, max_norm, norm_type=2.):
    """PyTorch's own groups gradients by device in C++, which sees the CPU."""
    gradients = [parameter.grad for parameter in parameters]
    norm = torch.linalg.vector_norm(
        torch.stack([torch.linalg.vector_norm(gradient, norm_type) for gradient in gradients]), norm_type)
    for gradient in gradients:
        gradient.mul_((max_norm / (norm + 1e-6)).clamp(max=1.))
    return norm


def _pin_memory(tensor, device=None):
    if on_cuda(tensor):
        raise DeviceError('cannot pin: only memory of the CPU can be pinned')
    return tensor.clone()


def _forget_constants():
    normalization._constants.clear()
    transport._indices.clear()


@contextmanager
def pretended_cuda():
    """Inside, the device ``cuda`` is there; yields the :class:`PretendedCuda` that counts."""
    if torch.cuda.is_available():
        raise RuntimeError('a CUDA device is there: use it')
    mode = PretendedCuda()

    def move(tensor, device, non_blocking=False):
        result = _moved(tensor, device)
        if result is not tensor:
            (mode.uploads if on_cuda(result) else mode.reads)['to'] += 1
            mode.waits['to'] += bool(on_cuda(result)) and not non_blocking
        return result

    def tolist(tensor):
        mode.reads['tolist'] += bool(on_cuda(tensor))
        return plain_tolist(tensor)

    mode.move = move
    base, plain_tolist, is_autocast_enabled = torch.Tensor, torch.Tensor.tolist, torch.is_autocast_enabled
    patches = [
        (base, 'device', property(lambda x: CUDA if on_cuda(x) else real_device(x))),
        (base, 'is_cuda', property(on_cuda)),
        (base, 'to', _to(base.to, mode)),
        (base, 'cpu', lambda x, *args, **kwargs: move(x, CPU)),
        (base, 'cuda', lambda x, *args, **kwargs: move(x, CUDA)),
        (base, 'numpy', _numpy(base.numpy)),
        (base, '__array__', _numpy(base.__array__)),
        (base, 'tolist', tolist),
        (base, 'pin_memory', _pin_memory),
        (base, 'new_tensor', _from_data(base.new_tensor, mode)),
        (torch, 'tensor', _from_data(torch.tensor, mode)),
        (torch, 'as_tensor', _from_data(torch.as_tensor, mode)),
        (functional, 'one_hot', _one_hot(functional.one_hot)),
        (torch.nn.utils, 'clip_grad_norm_', _clip_grad_norm_),
        (torch, 'autocast', _Autocast),
        (torch, 'is_autocast_enabled', lambda device='cpu': is_autocast_enabled('cpu')),
        (torch.cuda, '_lazy_init', lambda: None),
        (torch.cuda, 'get_rng_state', lambda device='cuda': torch.get_rng_state()),  # its numbers are a CPU's
        (torch.cuda, 'set_rng_state', lambda state, device='cuda': torch.set_rng_state(state)),
        *((torch, name, _factory(getattr(torch, name), mode)) for name in FACTORIES),
        *((base, name, _factory(getattr(base, name), mode)) for name in NEW),
    ]
    real_device = base.device.__get__
    originals = [(owner, name, name in vars(owner), getattr(owner, name)) for owner, name, _ in patches]
    _forget_constants()
    try:
        for owner, name, value in patches:
            setattr(owner, name, value)
        with mode:
            yield mode
    finally:
        for owner, name, there, value in originals:
            setattr(owner, name, value) if there else delattr(owner, name)
        _forget_constants()
