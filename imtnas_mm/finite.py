"""Numbers that are not finite: found by one reduction, and named."""
import torch


class NonFiniteError(FloatingPointError):
    """A loss, gradient or weight is NaN or infinite; the message says which, of what, and when."""


def all_finite(tensors):
    """Whether no number of the tensors (floating-point, on one device) is NaN or infinite.

    They are read once, all together, and a GPU is waited for once.
    """
    tensors = [tensor.detach() for tensor in tensors if tensor.numel()]
    if not tensors:
        return True
    norms = torch._foreach_norm(tensors)  # the one reduction that is fast everywhere
    if bool(torch.stack([norm.to(norms[0].dtype) for norm in norms]).isfinite().all()):
        return True
    return all(bool(tensor.isfinite().all()) for tensor in tensors)  # a norm of finite numbers can overflow


def check_finite(where, quantities):
    """Raises :class:`NonFiniteError` unless all of ``quantities`` are finite.

    Args:
        where (str): for the message: the iteration, the stage.
        quantities (dict[str, list[Tensor]]): by what they are.
    """
    if all_finite([tensor for tensors in quantities.values() for tensor in tensors]):
        return
    for name, tensors in quantities.items():
        numbers = torch.cat([tensor.detach().flatten() for tensor in tensors]) if tensors else torch.empty(0)
        bad = numbers[~numbers.isfinite()]
        if len(bad):
            share = '' if len(numbers) == 1 else f' in {len(bad)} of {len(numbers)} numbers'
            raise NonFiniteError(f'{where}: {name} is {bad[0].item()}{share}')
