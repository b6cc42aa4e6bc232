"""Checks that all processes of a search hold the same architecture A, weights and heads."""
import zlib

import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor, nn


class ReplicaError(RuntimeError):
    """The processes of a search hold different values; the message names the entry, the ranks and the iteration."""


def fingerprint(tensor: Tensor) -> int:
    """A checksum of a tensor's bits, by which a NaN equals itself."""
    array = tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy()
    return zlib.crc32(array)  # pyright: ignore[reportArgumentType]  # its type declares no buffer before Python 3.12


def check_replicas(model: nn.Module, iteration: int) -> None:
    """Raises :class:`ReplicaError` on every rank unless all have the same bits in ``model.state_dict()``.

    Each rank sends 8 bytes per entry. All ranks must call it.

    Args:
        model (nn.Module): not wrapped.
        iteration (int): number of iterations done, for the message.
    """
    if get_world_size() == 1:
        return
    state = model.state_dict()
    device = next(model.parameters()).device
    fingerprints = torch.tensor([fingerprint(tensor) for tensor in state.values()], device=device)
    every = torch.stack(all_gather(fingerprints)).cpu()  # [ranks, entries]
    unlike = every != every[0]
    if not unlike.any():
        return
    names = [name for name, differs in zip(state, unlike.any(0).tolist(), strict=True) if differs]
    name = min(names, key=lambda name: not name.startswith('architecture.'))  # an entry of A if any differs
    ranks = unlike[:, list(state).index(name)].nonzero().flatten().tolist()
    more = f' (and {len(names) - 1} more entries differ)' if len(names) > 1 else ''
    raise ReplicaError(f'after iteration {iteration}, {name} of rank {", ".join(map(str, ranks))} differs from that of '
                       f'rank 0{more}: the processes no longer search one architecture. No checkpoint is written; '
                       'earlier ones are kept')
