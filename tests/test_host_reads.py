"""The guard against host reads sees them."""
import pytest
import torch
from torch.nn import functional as F

from helpers.host_reads import HostRead, no_host_reads

ROWS = torch.arange(6.).reshape(3, 2)
READS = dict(
    item=lambda x: x.sum().item(),
    condition=lambda x: bool((x > 0).any()),
    number=lambda x: float(x[0, 0]),
    nonzero=lambda x: x.nonzero(),
    where=lambda x: torch.where(x > 0),
    mask=lambda x: x[x > 0],
    assignment=lambda x: x.clone().__setitem__(x > 2, torch.ones(3)),
    masked_select=lambda x: x.masked_select(x > 0),
    unique=lambda x: x.unique(),
    equal=lambda x: torch.equal(x, x),
    bincount=lambda x: x.long().flatten().bincount(),
    repeat_interleave=lambda x: x.repeat_interleave(torch.tensor([1, 2, 0]), 0),
    tolist=lambda x: x.tolist(),
    numpy=lambda x: x.numpy(),
    one_hot=lambda x: F.one_hot(x.long()),
    backward=lambda x: _Reading.apply(x.clone().requires_grad_()).sum().backward())


class _Reading(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * gradient.sum().item()


@pytest.mark.parametrize('name', READS)
def test_a_read_is_seen(name):
    READS[name](ROWS)
    with pytest.raises(HostRead), no_host_reads():
        READS[name](ROWS)


def test_what_a_gpu_does_by_itself_passes():
    with no_host_reads():
        x = ROWS.clone().requires_grad_()
        (x[:, [1, 0]] * torch.where(x > 2, x, 1.)).sum().backward()
        x.detach()[x > 2] = 1.
        hot = F.one_hot(torch.tensor([2, 0]), 3)
    assert hot.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_a_function_of_host_tensors_may_read():

    def shapes(x):
        return x.sum().item()

    with no_host_reads(allowed=('shapes', )):
        shapes(ROWS)
        with pytest.raises(HostRead):
            ROWS.sum().item()
