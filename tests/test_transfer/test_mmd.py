import logging

import pytest
import torch

from helpers.device_calls import DeviceCalls
from helpers.host_reads import no_host_reads
from imtnas_mm.transfer import Encoder, MMDTransfer
from imtnas_mm.transfer.mmd import hinge

LINEAR = dict(num_examples=4, num_augmentations=3, image_size=8)
SCALED = dict(LINEAR, statistic='scaled', threshold=.5)


def linear_encoder(weight):
    return Encoder(weight.reshape(-1), lambda images: images.flatten(1) @ weight)


def test_hinge_by_hand():
    teacher = torch.tensor([8., 8., 2., 2., 5.])
    student = torch.tensor([7., 3., 9., 4., 9.])
    # agree, disagree: -(3)(-2), disagree: -(-3)(4), agree, teacher on the threshold
    assert hinge(teacher, student, 5.).tolist() == [0, 6, 12, 0, 0]


def test_loss_and_figures_by_a_plain_loop(device):
    transfer = MMDTransfer(**SCALED).to(device)
    views = torch.rand(12, 3, 4, 4).to(device)
    views[:6] *= .5
    teacher, student = (linear_encoder(scale * torch.randn(48, 6).to(device)) for scale in (1., .2))
    teaching = transfer.teacher_side(teacher, views)
    result = transfer.student_side(student, views, teaching)
    loss, figures = result.loss, result.figures
    taught, learnt = teaching.tolist(), transfer.statistics(student, views).tolist()
    terms = [max(0, -(a - .5) * (b - .5)) for a, b in zip(taught, learnt, strict=True)]
    assert len(terms) == 6
    assert loss.item() == pytest.approx(sum(terms), rel=1e-5)
    assert figures['active'].item() == pytest.approx(sum(t > 0 for t in terms) / 6)
    assert figures['different'].item() == pytest.approx(sum(a > .5 for a in taught) / 6)
    assert 0 < sum(t > 0 for t in terms)
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    sets = {s for pair, term in zip(pairs, terms, strict=True) if term > 0 for s in pair}
    assert result.needed.dtype == torch.bool
    assert result.needed.tolist() == [view // 3 in sets for view in range(12)]


@pytest.mark.parametrize('statistic', ['relative', 'scaled'])
def test_no_views_at_all(statistic):
    """As of a rank that needs none for its second pass while another does."""
    transfer, views = MMDTransfer(**LINEAR, statistic=statistic), torch.rand(0, 3, 4, 4)
    weight = torch.randn(48, 6, requires_grad=True)
    actual = transfer.student_side(linear_encoder(weight), views, transfer.teacher_side(linear_encoder(weight), views))
    gradient, = torch.autograd.grad(actual.loss, weight)
    assert actual.loss == 0 and not gradient.any()
    assert actual.needed is None if statistic == 'relative' else actual.needed.shape == (0, )


def test_teacher_matters_through_t_alone_and_gets_no_gradient_here(device):
    transfer = MMDTransfer(**SCALED).to(device)
    views = torch.rand(12, 3, 4, 4).to(device)
    weight = (.3 * torch.randn(48, 6)).to(device).requires_grad_()
    teachers = [torch.randn(48, 6).to(device).requires_grad_(), torch.randn(48, 6).to(device) * 1e-3]
    losses = []
    for teacher in teachers:
        with torch.no_grad():
            teaching = transfer.teacher_side(linear_encoder(teacher), views)
        losses.append(transfer.student_side(linear_encoder(weight), views, teaching).loss)
    assert losses[0].item() != losses[1].item()
    losses[0].backward()
    assert weight.grad.any() and teachers[0].grad is None


@pytest.mark.parametrize('statistic, most', [('relative', (40, 56)), ('scaled', (16, 30))])
@pytest.mark.parametrize('sets', [4, 20])
def test_both_sides_on_a_device(sets, statistic, most):
    """No read from it, no copy to it, and few operations whatever the number of sets."""
    transfer = MMDTransfer(num_examples=sets, num_augmentations=3, statistic=statistic)
    views = torch.empty(3 * sets, 3, 4, 4, device='meta')
    encoder = Encoder(None, lambda images: images.flatten(1))
    actual = transfer.student_side(encoder, views, transfer.teacher_side(encoder, views))
    if statistic == 'scaled':
        assert actual.needed.shape == (3 * sets, ) and actual.needed.dtype == torch.bool
    assert all(isinstance(figure, torch.Tensor) for figure in actual.figures.values())
    with DeviceCalls() as of_teacher:
        teaching = transfer.teacher_side(encoder, views)
    with DeviceCalls() as of_student:
        transfer.student_side(encoder, views, teaching)
    assert not of_teacher.copied and not of_student.copied
    assert len(of_teacher.computed) <= most[0], of_teacher.computed
    assert len(of_student.computed) <= most[1], of_student.computed


@pytest.mark.parametrize('options', [LINEAR, SCALED])
def test_no_host_reads_in_either_side_nor_their_derivatives(options):
    transfer = MMDTransfer(**options)
    views, weight = torch.rand(12, 3, 4, 4), torch.randn(48, 6, requires_grad=True)
    with no_host_reads():
        teaching = transfer.teacher_side(linear_encoder(torch.randn(48, 6)), views)
        loss = transfer.student_side(linear_encoder(weight), views, teaching).loss
        gradient, = torch.autograd.grad(loss, weight, create_graph=True)
        gradient.square().sum().backward()
    assert weight.grad.isfinite().all()


def test_statistics_stay_in_full_precision_under_autocast(device):
    transfer = MMDTransfer(**LINEAR).to(device)
    views = torch.rand(12, 3, 4, 4).to(device)
    encoder = Encoder(None, lambda images: images.flatten(1))
    expected = transfer.statistics(encoder, views)
    with torch.autocast(device.type, torch.bfloat16):
        actual = transfer.statistics(encoder, views)
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual, expected)


def test_augmentations_are_not_in_checkpoints():
    assert not MMDTransfer(**LINEAR).state_dict()


def test_views_are_sets_of_unlike_views_of_one_image(device):
    transfer = MMDTransfer(**dict(LINEAR, num_augmentations=5)).to(device)
    images = torch.zeros(2, 3, 20, 20, device=device)
    images[0, 0] = torch.rand(20, 20).to(device)  # red
    images[1, 2] = torch.rand(20, 20).to(device)  # blue
    views = transfer.views(images).view(2, 5, 3, 8, 8)
    assert views.shape == (2, 5, 3, 8, 8) and 0 <= views.min() and views.max() <= 1
    assert (views[0, :, 0].mean((1, 2)) > views[0, :, 2].mean((1, 2))).all()
    assert (views[1, :, 2].mean((1, 2)) > views[1, :, 0].mean((1, 2))).all()
    for own in views:
        for i in range(5):
            for j in range(i):
                assert (own[i] - own[j]).abs().max() > .01


@pytest.mark.parametrize('options, warned', [
    (dict(), False),
    (dict(statistic='plain'), True),
    (dict(statistic='plain', threshold=1.5), False),
    (dict(statistic='scaled'), False),
    (dict(statistic='scaled', threshold=40.), True),
    (dict(statistic='scaled', num_augmentations=2), True),
    (dict(statistic='studentized', threshold=1e3, num_augmentations=2), False),
])
def test_warning_for_a_threshold_out_of_reach(monkeypatch, options, warned):
    actual = []
    monkeypatch.setattr('imtnas_mm.transfer.mmd.print_log', lambda text, level, **_: actual.append((level, text)))
    MMDTransfer(**options)
    assert bool(actual) == warned
    if warned:
        (level, text), = actual
        assert level == logging.WARNING and 'no knowledge passes' in text and 'transfer.threshold=' in text


def test_warning_for_a_threshold_without_effect(monkeypatch):
    texts = []
    monkeypatch.setattr('imtnas_mm.transfer.mmd.print_log', lambda text, level, **_: texts.append(text))
    MMDTransfer(threshold=1.)
    text, = texts
    assert "transfer.threshold=1.0 has no effect: transfer.statistic='relative'" in text
    MMDTransfer(threshold=1., statistic='studentized')
    assert len(texts) == 1


def test_plain_statistic_with_the_papers_threshold_is_never_active():
    transfer = MMDTransfer(**dict(LINEAR, num_augmentations=4), statistic='plain', threshold=5.)
    for scale in (1e-3, 1., 1e3):
        views = torch.rand(16, 3, 4, 4)
        teaching = transfer.teacher_side(linear_encoder(scale * torch.randn(48, 6)), views)
        actual = transfer.student_side(linear_encoder(torch.randn(48, 6)), views, teaching)
        assert actual.loss == 0 and actual.figures == {'active': 0, 'different': 0} and not actual.needed.any()


@pytest.mark.parametrize('options, message', [
    (dict(num_examples=5), 'num_examples=5'),
    (dict(num_augmentations=1), 'num_augmentations=1'),
    (dict(num_augmentations=0), 'num_augmentations=0 must be at least 2.*; transfer=None switches transfer off'),
    (dict(augmentations=[dict(type='RandomSpin')]), r'augmentations\[0\].*RandomSpin'),
])
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        MMDTransfer(**options)
