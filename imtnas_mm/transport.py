"""Tensors between the host and a device, many of them by one copy."""
import torch


def _joined(tensors):
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def _parted(joined, tensors):
    parts = joined.split([tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


def to_host(tensors):
    """Copies of Tensors of one type and device on the host, without a graph; those that are there come as they are.

    Args:
        tensors (dict[str, Tensor])

    Returns:
        dict[str, Tensor]
    """
    values = list(tensors.values())
    if not values or values[0].device.type == 'cpu':
        return {name: tensor.detach() for name, tensor in tensors.items()}
    return dict(zip(tensors, _parted(_joined(values).cpu(), values), strict=True))


def to_device(tensors, device):
    """Copies of Tensors of the host on a device, one copy per type; on a CPU they come as they are.

    Args:
        tensors (dict[str, Tensor])

    Returns:
        dict[str, Tensor]
    """
    if torch.device(device).type == 'cpu':
        return dict(tensors)
    found = dict(tensors)
    for dtype in {tensor.dtype for tensor in tensors.values()}:
        alike = {name: tensor for name, tensor in tensors.items() if tensor.dtype == dtype}
        values = list(alike.values())
        joined = _joined(values)
        if torch.device(device).type == 'cuda':
            joined = joined.pin_memory()
        found.update(zip(alike, _parted(joined.to(device, non_blocking=True), values), strict=True))
    return found
