"""Computes each operator of a GPU again on the CPU and notes how far the two are apart."""
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

# draw, copy between devices, or leave their result undefined
NOT_COMPARED = ('empty', 'rand', 'bernoulli', 'uniform', 'normal', 'exponential', 'dropout', 'multinomial', 'copy_',
                '_to_copy', 'set_', 'record_stream', '_local_scalar_dense', 'is_pinned', '_pin_memory')


class EachOperator(TorchDispatchMode):
    """Compares the operators that run inside, of forward and backward passes, with those of a CPU on the same numbers.

    Attributes:
        errors (dict): (operator, whether with float32) -> (largest relative error of a result, its arguments).
        compared (int): operators that were compared.
        left (dict): operator -> why a CPU could not compute it.
    """

    def __init__(self, device='cuda'):
        super().__init__()
        self.device = device
        self.errors, self.compared, self.left = {}, 0, {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = func._schema.name.removeprefix('aten::')
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if (not any(x.device.type == self.device for x in tensors) or func.is_view or
                any(part in name for part in NOT_COMPARED)):
            return func(*args, **kwargs)
        host, host_kwargs = tree_map_only(torch.Tensor, lambda x: x.detach().cpu().contiguous().clone(), (args, kwargs))
        if host_kwargs.get('device') is not None:
            host_kwargs['device'] = torch.device('cpu')
        result = func(*args, **kwargs)
        try:
            expected = func(*host, **host_kwargs)
        except (RuntimeError, NotImplementedError) as error:
            self.left[name] = (str(error).splitlines() or [type(error).__name__])[0]
            return result
        self.compared += 1
        floats = [x for x in tree_leaves((host, host_kwargs)) if isinstance(x, torch.Tensor) and x.is_floating_point()]
        # a sum of many numbers may be zero but for rounding
        least = max((1e-3 * x.double().nan_to_num(0., 0., 0.).norm().item() for x in floats), default=0.)
        asked = args[-1] if args and isinstance(args[-1], list) and args[-1] and isinstance(args[-1][0], bool) else None
        results = list(zip(tree_leaves(result), tree_leaves(expected), strict=True))
        for i, (one, other) in enumerate(results):
            if isinstance(one, torch.Tensor) and one.numel() and (asked is None or asked[i]):  # others are undefined
                self.note(str(func), error_of(one.detach().cpu(), other, least), tensors)
        return result

    def note(self, name, error, tensors):
        single = any(x.dtype == torch.float32 for x in tensors)
        known, _ = self.errors.get((name, single), (0., None))
        if known == known and not error <= known:  # a NaN stays
            self.errors[name, single] = error, [(tuple(x.shape), x.stride(), str(x.dtype)) for x in tensors]

    def beyond(self, tolerance, of_single=1e-5):
        """list[str]: one line for each operator that is further apart, the furthest first.

        ``of_single`` is the tolerance of operators with an argument in float32.
        """
        found = [(error, name, shapes) for (name, single), (error, shapes) in self.errors.items()
                 if not error <= (of_single if single else tolerance)]
        return [f'{name}: {error:.3g} {shapes}' for error, name, shapes in
                sorted(found, key=lambda line: -line[0] if line[0] == line[0] else float('-inf'))]


def error_of(actual, expected, least=0.):
    """Euclidean, over the norm of ``expected``, which is ``least`` or larger; 0 or 1 for integers."""
    if not expected.is_floating_point():
        return float(not torch.equal(actual, expected))
    actual, expected = actual.double(), expected.double()
    finite = expected.isfinite()
    if not torch.equal(actual[~finite].nan_to_num(), expected[~finite].nan_to_num()):
        return float('nan')
    difference, scale = (actual - expected)[finite].norm().item(), max(expected[finite].norm().item(), least)
    return difference / scale if scale else difference
