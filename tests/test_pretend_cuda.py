"""The pretended CUDA device refuses and leaves out what a real one does."""
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers.pretend_cuda import DeviceError, on_cuda, pretended_cuda
from imtnas_mm.compat import native_batch_norm, native_batch_norm_backward

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU is there, and the tests with a device use it')


@pytest.fixture
def cuda():
    with pretended_cuda() as mode:
        yield mode


def made(*shape):
    return torch.ones(*shape, device='cuda')


def test_where_tensors_are(cuda):
    x = torch.randn(2, 3, device='cuda')
    there = [x, x.relu(), x.view(6), x[0], nn.Parameter(x), torch.zeros_like(x), x.new_zeros(4), x.double(),
             torch.tensor([1.], device=x.device), torch.ones(2).to('cuda'), torch.ones(2).cuda(), torch.ones(2).to(x),
             F.one_hot(torch.tensor([1, 0], device='cuda'), 2)]
    assert {t.device for t in there} == {torch.device('cuda', 0)} and all(t.is_cuda for t in there)
    here = [torch.ones(2), torch.ones(2) + 1, x.cpu(), x.to('cpu'), x.new_zeros(4, device='cpu'), torch.tensor(1.),
            torch.from_numpy(torch.ones(2).numpy())]
    assert {t.device for t in here} == {torch.device('cpu')} and not any(t.is_cuda for t in here)


def test_modules_and_gradients_move(cuda):
    layer = nn.Linear(3, 2)
    assert layer.to('cuda') is layer and layer.weight.device.type == 'cuda'
    x = torch.ones(4, 3, requires_grad=True)
    (layer(x.to('cuda')).cpu() * torch.ones(2)).sum().backward()
    assert (x.grad.device.type, layer.weight.grad.device.type) == ('cpu', 'cuda')
    torch.testing.assert_close(x.grad[0], layer.weight.detach().sum(0).cpu())


@pytest.mark.parametrize('mixture', [
    lambda x: x + torch.ones(3),
    lambda x: torch.cat([x, torch.ones(2, 3)]),
    lambda x: torch.stack([x.sum(), torch.tensor(1.)]),
    lambda x: torch.ones(3) * x.sum(),
    lambda x: F.linear(x, torch.ones(2, 3)),
    lambda x: x.gather(0, torch.zeros(1, 3, dtype=torch.long)),
    lambda x: torch.where(torch.ones(2, 3) > 0, x, x),
    lambda x: torch.ones(5)[x.long()],
    lambda x: torch.randn(2, generator=torch.Generator(), device='cuda'),
    lambda x: x.numpy(),
    lambda x: x.pin_memory(),
], ids=['sum', 'cat', 'stack', 'scalar', 'linear', 'gather', 'where', 'index', 'generator', 'numpy', 'pin'])
def test_what_a_gpu_refuses(cuda, mixture):
    with pytest.raises(DeviceError):
        mixture(made(2, 3))


def test_mixtures_in_a_backward_pass_are_seen(cuda):

    class Mixing(torch.autograd.Function):

        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            return gradient * torch.full(gradient.shape, 2.)

    with pytest.raises(DeviceError, match='mul'):
        Mixing.apply(made(3).requires_grad_()).sum().backward()


def test_what_a_gpu_takes(cuda):
    x = made(4, 3).requires_grad_()
    first, second = (x * torch.tensor(2.)).split(2)  # the engine makes zeros for the second
    first[[1, 0]].sum().backward()
    assert on_cuda(x.grad) and x.grad[:2].eq(2).all() and x.grad[2:].eq(0).all()


def test_reads_and_uploads_are_counted(cuda):
    x = made(4)
    x[torch.tensor([1, 2])]
    x.copy_(torch.arange(4.))
    assert cuda.uploads == cuda.waits == dict(index=1, copy_=1) and not cuda.reads
    x.copy_(torch.arange(4.), non_blocking=True), torch.arange(4.).to(x.device, non_blocking=True)
    assert cuda.uploads == dict(index=1, copy_=2, to=1) and +cuda.waits == dict(index=1, copy_=1)
    bool((x > 0).any()), x.tolist(), x.nonzero(), x[x > 1], x.cpu()
    assert cuda.reads == dict(_local_scalar_dense=1, tolist=1, nonzero=1, index=1, to=1)
    F.one_hot(x.long(), 4)
    torch.ones(3).nonzero(), torch.ones(3).sum().item(), torch.ones(3).tolist()
    assert cuda.reads.total() == 5


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last], ids=str)
def test_sums_of_a_norm_without_a_weight_are_undefined(cuda, layout):
    """As was seen on an H100: in one layout it raises, in the other it gives nothing."""
    x = torch.randn(2, 3, 4, 4, device='cuda').contiguous(memory_format=layout)
    y, mean, invstd = native_batch_norm(x, None, None, None, None, True, 0., 1e-5)
    options = None, None, mean, invstd, True, 0.
    if layout is torch.contiguous_format:
        with pytest.raises(DeviceError, match='does not have a device'):
            native_batch_norm_backward(y, x, None, *options, [True] * 3)
    else:
        assert native_batch_norm_backward(y, x, None, *options, [True] * 3)[1:] == (None, None)
    assert native_batch_norm_backward(y, x, None, *options, [True, False, False])[0].shape == x.shape
    assert None not in native_batch_norm_backward(y, x, torch.ones_like(mean), *options, [True] * 3)


def test_nothing_of_it_stays():
    before = torch.Tensor.device, torch.Tensor.to, torch.tensor, torch.zeros, torch.Tensor.new_zeros
    with pytest.raises(KeyError), pretended_cuda():
        raise KeyError
    assert before == (torch.Tensor.device, torch.Tensor.to, torch.tensor, torch.zeros, torch.Tensor.new_zeros)
    assert 'device' not in vars(torch.Tensor)
