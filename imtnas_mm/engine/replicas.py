"""Whether the processes of a search still hold the same A, weights and heads."""
import zlib

import torch
from mmengine.dist import all_gather, get_world_size


class ReplicaError(RuntimeError):
    """The processes of a search have come apart; the message names the entry, the ranks and the iteration."""


def fingerprint(tensor):
    """A number for the bits of a tensor, so that NaNs are like themselves."""
    return zlib.crc32(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())


def check_replicas(model, iteration):
    """Raises :class:`ReplicaError`, on every rank, unless all have the same bits in ``model.state_dict()``.

    A rank sends 8 bytes an entry. All ranks must call it.

    Args:
        model (nn.Module): not wrapped.
        iteration (int): number of iterations done, for the message.
    """
    if get_world_size() == 1:
        return
    state = model.state_dict()
    device = next(model.parameters()).device
    own = torch.tensor([fingerprint(tensor) for tensor in state.values()], device=device)
    every = torch.stack(all_gather(own)).cpu()  # [ranks, entries]
    unlike = every != every[0]
    if not unlike.any():
        return
    names = [name for name, found in zip(state, unlike.any(0).tolist(), strict=True) if found]
    name = min(names, key=lambda name: not name.startswith('architecture.'))  # A's if it is among them
    ranks = unlike[:, list(state).index(name)].nonzero().flatten().tolist()
    more = f' (and {len(names) - 1} more entries differ)' if len(names) > 1 else ''
    raise ReplicaError(f'after iteration {iteration}, {name} of rank {", ".join(map(str, ranks))} differs from that of '
                       f'rank 0{more}: the processes no longer search one architecture. No checkpoint is written; '
                       'those before it are kept')
