"""The focal loss that can be differentiated twice is mmdet's."""
import pytest
import torch
from torch import nn

from imtnas_mm.compat.focal_loss import plain_focal_loss


@pytest.mark.parametrize('one_hot', [True, False])
def test_plain_focal_loss_is_mmdets(one_hot):
    from mmdet.models.losses import FocalLoss
    from mmdet.models.losses import focal_loss as mmdet_module
    pred = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 3, 3, 1])
    target = nn.functional.one_hot(labels, 4)[:, :3] if one_hot else labels
    weight = torch.rand(6, dtype=torch.float64)
    expected = FocalLoss()(pred, labels, weight, avg_factor=2.)
    compiled = mmdet_module.sigmoid_focal_loss
    with plain_focal_loss():
        assert mmdet_module.sigmoid_focal_loss is not compiled
        actual = mmdet_module.sigmoid_focal_loss(pred, target, weight, reduction='mean', avg_factor=2.)
    assert mmdet_module.sigmoid_focal_loss is compiled
    torch.testing.assert_close(actual, expected)
