import pytest
import torch
from mmpretrain.structures import DataSample

from imtnas_mm.analysis.complexity import count_parameters
from imtnas_mm.networks import ImageNetHead


def test_parameters():
    assert count_parameters(ImageNetHead(1000)) == 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    head = ImageNetHead(7, in_channels=24, hidden_channels=64)
    assert count_parameters(head) == 24 * 64 + 2 * 64 + 64 * 7 + 7


def test_scores_by_hand():
    head = ImageNetHead(3, in_channels=2, hidden_channels=4).eval()
    head.conv.bn.running_mean.normal_()
    head.conv.bn.running_var.uniform_(.5, 2)
    x = 5 * torch.randn(2, 2, 3, 5)
    bn = head.conv.bn
    hidden = torch.einsum('oi,nihw->nohw', head.conv.conv.weight[:, :, 0, 0], x)
    hidden = (hidden - bn.running_mean[:, None, None]) / (bn.running_var[:, None, None] + bn.eps).sqrt()
    pooled = hidden.clamp(0, 6).mean((2, 3))
    torch.testing.assert_close(head((torch.zeros(1), x)), pooled @ head.fc.weight.T + head.fc.bias)


def test_dropout_only_while_training():
    head = ImageNetHead(3, in_channels=2, hidden_channels=2000, dropout=.2)
    x = torch.randn(4, 2, 3, 3)
    zeros = (head.train().pre_logits((x, )) == 0).float().mean().item()
    assert zeros == pytest.approx(.2, abs=.03)
    assert (head.eval().pre_logits((x, )) == 0).float().mean().item() < .1


def test_loss_is_cross_entropy():
    head = ImageNetHead(3, in_channels=2, hidden_channels=4, cal_acc=True, topk=(1, )).eval()
    x = torch.randn(2, 2, 3, 3)
    losses = head.loss((x, ), [DataSample().set_gt_label(i) for i in (2, 0)])
    expected = -head((x, )).log_softmax(1)[[0, 1], [2, 0]].mean()
    torch.testing.assert_close(losses['loss'], expected)
    assert 'accuracy_top-1' in losses
