import pytest
import torch
from mmcv.cnn import ConvModule
from torch import nn

from imtnas_mm.layers import TwiceDifferentiableReLU6
from imtnas_mm.layers.activation import twice_differentiable_act_cfg
from imtnas_mm.spaces import MBConvSupernet


def test_three_derivatives_are_those_of_relu6(device):
    values = [-1., 0., 1e-3, 2., 5.9, 6., 7., float('nan')]  # the kinks belong to the flat sides
    actual = []
    for act in (nn.ReLU6(), TwiceDifferentiableReLU6()):
        x = torch.tensor(values, dtype=torch.float64, device=device, requires_grad=True)
        y = act(x)
        first, = torch.autograd.grad((y**4).sum(), x, create_graph=True)
        second, = torch.autograd.grad((first**2).sum(), x, create_graph=True)
        actual.append([y, first, second, *torch.autograd.grad(second.sum(), x)])
    for a, b in zip(*actual, strict=True):
        torch.testing.assert_close(a, b, equal_nan=True)


def test_gradgradcheck(device):
    x = torch.tensor([-1., .5, 2., 5., 8.], dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(TwiceDifferentiableReLU6(), x)
    assert torch.autograd.gradgradcheck(TwiceDifferentiableReLU6(), x)


def kept(act):
    """Bytes that a graph keeps of the activation of a map that nothing else keeps."""
    x = torch.randn(4, 8, 6, 6, requires_grad=True)
    tensors = {}

    def note(tensor):
        tensors[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        y = act(x + 1)
    return sum(tensors.values()), y


def test_its_output_alone_is_kept():
    size, y = kept(TwiceDifferentiableReLU6(inplace=True))
    assert size == y.numel() * y.element_size()


def test_inplace_counts_without_gradients():
    x = torch.randn(3, 4)
    assert TwiceDifferentiableReLU6(inplace=True)(x) is x
    wanted = torch.randn(3, 4, requires_grad=True)
    with torch.no_grad():
        assert TwiceDifferentiableReLU6()(wanted) is not wanted
    assert not TwiceDifferentiableReLU6()(x).requires_grad


def test_autocast_and_layout(device):
    x = torch.randn(2, 4, 5, 5).to(device).contiguous(memory_format=torch.channels_last).requires_grad_()
    with torch.autocast(device.type, torch.bfloat16):
        y = TwiceDifferentiableReLU6(inplace=True)(x.bfloat16())
    y.float().square().sum().backward()
    assert y.dtype == torch.bfloat16 and x.grad.dtype == torch.float32
    assert all(t.is_contiguous(memory_format=torch.channels_last) for t in (y, x.grad))


@pytest.mark.parametrize('config', [None, dict(type='ReLU'), dict(type='SiLU')], ids=str)
def test_other_configs_stay(config):
    assert twice_differentiable_act_cfg(config) is config


def test_relu6_becomes_it():
    module = ConvModule(3, 4, 1, act_cfg=twice_differentiable_act_cfg(dict(type='ReLU6')))
    assert type(module.activate) is TwiceDifferentiableReLU6 and module.activate.inplace
    small = dict(width_mult=.25, stem_stride=1, strides=(1, 2, 1, 1, 2, 1))
    acts = {type(m) for m in MBConvSupernet(**small).modules() if isinstance(m, nn.ReLU6)}
    assert acts == {TwiceDifferentiableReLU6}
