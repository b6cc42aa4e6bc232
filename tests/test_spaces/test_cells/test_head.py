import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS as ROOT_MODELS
from mmpretrain.structures import DataSample
from torch import nn

from imtnas_mm.checkpoint import CheckpointError, check_checkpoint_file
from imtnas_mm.spaces import CellHead
from imtnas_mm.spaces.cells.head import AuxiliaryTower

SAMPLES = [DataSample().set_gt_label(i) for i in (2, 0)]
LABELS = torch.tensor([2, 0])
SMOOTH = dict(type='mmpretrain.LabelSmoothLoss', label_smooth_val=.1, num_classes=3, mode='original')


def maps(side=8):
    """What CellNet gives a head in training: the auxiliary map before the last."""
    return torch.randn(2, 6, side, side), torch.randn(2, 6, side, side)


def test_scores_by_hand():
    head = CellHead(3, 6).eval()
    feats = maps()
    expected = feats[1].mean((2, 3)) @ head.fc.weight.T + head.fc.bias
    torch.testing.assert_close(head(feats), expected)
    torch.testing.assert_close(head(feats[1:]), expected)


@pytest.mark.parametrize('stride, side', [(3, 8), (2, 7)])
def test_auxiliary_scores_by_hand(stride, side):
    tower = AuxiliaryTower(6, 3, stride).eval()
    for module in tower.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(.5, 2)
    x = torch.randn(2, 6, side, side)
    conv1, bn1, conv2, bn2 = (m for m in tower.features if isinstance(m, nn.Conv2d | nn.BatchNorm2d))

    def norm(bn, y):
        shape = (1, -1) + (1, ) * (y.ndim - 2)
        return (y - bn.running_mean.view(shape)) / (bn.running_var.view(shape) + bn.eps).sqrt()

    pooled = torch.stack([torch.stack([x.relu()[:, :, i:i + 5, j:j + 5].mean((2, 3)) for j in (0, stride)], 2)
                          for i in (0, stride)], 2)
    hidden = norm(bn1, torch.einsum('oc,ncij->noij', conv1.weight[:, :, 0, 0], pooled)).relu()
    hidden = norm(bn2, torch.einsum('ocij,ncij->no', conv2.weight, hidden)).relu()
    torch.testing.assert_close(tower(x), hidden @ tower.fc.weight.T + tower.fc.bias, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('smoothing', [0., .1])
def test_loss_by_hand(smoothing):
    options = dict(loss=SMOOTH) if smoothing else {}
    head = CellHead(3, 6, auxiliary=dict(stride=3), **options).train()
    feats = maps()

    def cross_entropy(scores):
        target = (1 - smoothing) * F.one_hot(LABELS, 3) + smoothing / 3
        return -(target * scores.log_softmax(1)).sum(1).mean()

    losses = head.loss(feats, SAMPLES)
    assert list(losses) == ['loss_cls', 'loss_auxiliary']
    torch.testing.assert_close(losses['loss_cls'], cross_entropy(head(feats)))
    torch.testing.assert_close(losses['loss_auxiliary'], .4 * cross_entropy(head.auxiliary(feats[0])))


def test_the_auxiliary_classifier_trains_only():
    head = CellHead(3, 6, auxiliary={}, cal_acc=True).train()
    feats = maps()
    assert list(head.loss(feats, SAMPLES)) == ['loss_cls', 'loss_auxiliary', 'accuracy_top-1']
    head.eval()
    assert list(head.loss(feats[1:], SAMPLES)) == ['loss', 'accuracy_top-1']
    assert list(CellHead(3, 6).train().loss(feats[1:], SAMPLES)) == ['loss']
    scores = [sample.pred_score for sample in head.predict(feats, SAMPLES)]
    torch.testing.assert_close(torch.stack(scores), head(feats[1:]).softmax(1))


def test_without_the_auxiliary_feature():
    head = CellHead(3, 6, auxiliary={}).train()
    for feats in (maps()[1:], (torch.randn(2, 3, 8, 8), maps()[1])):
        with pytest.raises(ValueError, match='model.head.auxiliary: .*6; set model.backbone.auxiliary=True'):
            head.loss(feats, SAMPLES)


@pytest.mark.parametrize('stride, side', [(3, 7), (2, 6)])
def test_too_small_a_map(stride, side):
    head = CellHead(3, 6, auxiliary=dict(stride=stride)).train()
    with pytest.raises(ValueError, match=f'at least {side + 1}x{side + 1}, not {side}x{side}.*model.head.auxiliary'):
        head.loss(maps(side), SAMPLES)


def model(auxiliary):
    return ROOT_MODELS.build(dict(
        type='ImageClassifier', _scope_='mmpretrain',
        backbone=dict(type='imtnas_mm.CellNet', architecture='darts_v2', channels=4, layers=3, auxiliary=True),
        head=dict(type='imtnas_mm.CellHead', num_classes=3, in_channels=64, auxiliary=auxiliary)))


def test_gradients_reach_all_of_it():
    trained = model({})
    losses = trained.loss(torch.randn(2, 3, 32, 32), SAMPLES)
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained.parameters())


def test_a_test_may_go_without_the_auxiliary_classifier(tmp_path):
    path = str(tmp_path / 'a.pth')
    torch.save(dict(state_dict=model({}).state_dict()), path)
    tested = model(None)
    assert not any('auxiliary' in name for name, _ in tested.named_modules())
    check_checkpoint_file(path, tested)
    check_checkpoint_file(path, model({}))
    torch.save(dict(state_dict=tested.state_dict()), path)
    with pytest.raises(CheckpointError, match=r"lacks 'head.auxiliary.features"):
        check_checkpoint_file(path, model({}))
