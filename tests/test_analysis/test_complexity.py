import pytest
import torch
from torch import nn

from imtnas_mm.analysis.complexity import count_macs, count_parameters


@pytest.mark.parametrize('module, shape, expected', [
    (nn.Conv2d(3, 8, 3, padding=1), (3, 10, 12), 10 * 12 * 8 * 3 * 9),
    (nn.Conv2d(3, 8, 3, stride=2, padding=1), (3, 11, 12), 6 * 6 * 8 * 3 * 9),
    (nn.Conv2d(8, 12, 5, groups=4), (8, 9, 9), 5 * 5 * 12 * 2 * 25),
    (nn.Conv2d(8, 8, 7, stride=2, padding=3, groups=8, bias=False), (8, 14, 14), 7 * 7 * 8 * 49),
    (nn.Conv2d(4, 4, 3, dilation=2), (4, 9, 9), 5 * 5 * 4 * 4 * 9),
    (nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Linear(5, 7, bias=False)), (3, 2, 2), 12 * 5 + 5 * 7),
    (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU6(), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)), (3, 8, 8), 0),
])
def test_macs_by_hand(module, shape, expected):
    assert count_macs(module, shape) == expected


def test_parameters_by_hand():
    module = nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6), nn.Linear(5, 2))
    module[0].requires_grad_(False)
    assert count_parameters(module) == (6 * 2 * 9 + 6) + 12 + (10 + 2)


def test_module_is_left_as_it_was():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout())
    module[1].eval()
    mean = module[1].running_mean.clone()
    count_macs(module, (3, 8, 8))
    assert module.training and module[2].training and not module[1].training
    assert torch.equal(module[1].running_mean, mean)


@pytest.mark.parametrize('shape', [(224, 224), (3, 0, 224), (1, 3, 224, 224)])
def test_bad_shape(shape):
    with pytest.raises(ValueError, match='input_shape'):
        count_macs(nn.Conv2d(3, 4, 1), shape)
