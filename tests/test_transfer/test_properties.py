"""Properties of a transfer between any encoders, for any number of examples, views and embedding dimensions."""
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imtnas_mm.transfer import Encoder, ExampleSimilarity, L2Embedding, L2Weights, MMDTransfer, two_sample_statistics
from imtnas_mm.transfer.statistic import largest_statistic

seeds = st.integers(0, 2**31)
statistics = st.sampled_from(['scaled', 'plain'])  # of the others: test_studentized.py
scales = st.sampled_from([0., 1e-3, 1., 30.])


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loop_statistic(first, second, scale, statistic):
    """Eq. 3 by its sums."""
    def kernel(x, y):
        return math.exp(-scale * sum((a - b)**2 for a, b in zip(x, y, strict=True)))

    c = len(first)
    within = sum(kernel(s[n], s[m]) for s in (first, second) for n in range(c) for m in range(c) if m != n)
    across = sum(kernel(first[n], second[m]) for n in range(c) for m in range(c))
    actual = within / (c * (c - 1)) - 2 / c**2 * across
    return c * actual if statistic == 'scaled' else actual


@given(seed=seeds, sets=st.integers(1, 4), size=st.integers(2, 5), dim=st.integers(1, 6), spread=scales,
       kernel_scale=st.floats(1e-3, 10), statistic=statistics)
@settings(max_examples=40)
def test_statistic(seed, sets, size, dim, spread, kernel_scale, statistic):
    z = spread * normal(seed, sets, size, dim)
    actual = two_sample_statistics(z, kernel_scale, statistic)
    assert actual.shape == (sets, sets)
    torch.testing.assert_close(actual, actual.T, rtol=0, atol=1e-13)
    assert actual.max().item() < largest_statistic(size, statistic) + 1e-12
    for i in range(sets):
        for j in range(i):
            expected = loop_statistic(z[i].tolist(), z[j].tolist(), kernel_scale, statistic)
            assert actual[i, j].item() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    # neither the order of sets, nor that in a set, nor where the origin lies matters
    order, within = torch.randperm(sets), torch.randperm(size)
    moved = two_sample_statistics(z[order][:, within] + 3, kernel_scale, statistic)
    torch.testing.assert_close(moved, actual[order][:, order], rtol=1e-7, atol=1e-9)


@given(seed=seeds, size=st.integers(2, 6), dim=st.integers(1, 6), sets=st.integers(2, 4), statistic=statistics)
@settings(max_examples=25)
def test_sets_of_one_point_do_not_differ(seed, size, dim, sets, statistic):
    z = normal(seed, dim).expand(sets, size, dim)
    assert two_sample_statistics(z, .1, statistic).abs().max() < 1e-12


def linear(weight):
    return Encoder(weight.reshape(-1), lambda images: images.flatten(1) @ weight)


KINDS = {
    'mmd': lambda examples, views: MMDTransfer(examples, views, threshold=.3, statistic='scaled', image_size=4),
    'relative': lambda examples, views: MMDTransfer(examples, views, image_size=4),
    'weights': lambda examples, views: L2Weights(.7),
    'embedding': lambda examples, views: L2Embedding(examples, .7, image_size=4),
    'similarity': lambda examples, views: ExampleSimilarity(examples, image_size=4),
}


@given(kind=st.sampled_from(list(KINDS)), half=st.integers(1, 4), size=st.integers(2, 5), dim=st.integers(1, 9),
       seed=seeds, spread=st.sampled_from([1e-3, .1, 1.]))
@settings(max_examples=60)
def test_any_transfer(kind, half, size, dim, seed, spread):
    """Shapes of views, of T and its gradient; T >= 0; its second pass needs the views it says, and no other."""
    transfer = KINDS[kind](2 * half, size).double()
    images = normal(seed, 2 * half, 3, 6, 6).sigmoid()
    views = transfer.views(torch.nn.functional.interpolate(images, (4, 4)) if transfer.num_examples else None)
    if kind == 'mmd':
        assert views.shape == (2 * half * size, 3, 4, 4)
    teacher, student = (spread * normal(seed + i, 48, dim) for i in (1, 2))
    student.requires_grad_()
    teaching = transfer.teacher_side(linear(teacher), views)
    actual = transfer.student_side(linear(student), views, teaching)
    assert actual.loss.shape == () and actual.loss.item() >= 0 and actual.loss.isfinite()
    gradient, = torch.autograd.grad(actual.loss, student)
    assert gradient.shape == student.shape and gradient.isfinite().all()
    for name in ('active', 'different'):
        assert 0 <= actual.figures.get(name, torch.zeros(())).item() <= 1
    if kind == 'mmd':
        assert teaching.shape == (half * (2 * half - 1), ) and (actual.loss > 0) == (actual.figures['active'] > 0)
        of_sets = actual.needed.view(-1, size)
        assert torch.equal(of_sets.all(1), of_sets.any(1)) and actual.needed.any() == (actual.loss > 0)
        used = views.clone().requires_grad_()
        loss = transfer.student_side(linear(student.detach()), used, teaching).loss
        gradient = torch.autograd.grad(loss, used)[0].flatten(1).abs().amax(1)
        touched = gradient > 1e-9 * gradient.max()  # the mean that distances are taken from leaves rounding everywhere
        assert not (touched & ~actual.needed).any()


@given(half=st.integers(1, 3), size=st.integers(2, 5), dim=st.integers(1, 9), seed=seeds, threshold=st.floats(-3, 12),
       statistic=statistics)
@settings(max_examples=40)
def test_where_both_encoders_agree_nothing_is_transferred(half, size, dim, seed, threshold, statistic):
    views, weight = normal(seed, 2 * half * size, 3, 2, 2), normal(seed + 1, 12, dim)
    student = weight.clone().requires_grad_()
    mmd = MMDTransfer(2 * half, size, threshold=threshold, statistic=statistic, image_size=2)
    for transfer in (mmd, L2Weights(), L2Embedding(2 * half)):
        actual = transfer.student_side(linear(student), views, transfer.teacher_side(linear(weight), views))
        gradient, = torch.autograd.grad(actual.loss, student)
        assert actual.loss.item() == 0 and not gradient.any()
    # beyond the largest statistic every pair counts as the same, whatever the encoders are
    mmd = MMDTransfer(2 * half, size, threshold=largest_statistic(size, statistic), statistic=statistic, image_size=2)
    other = linear(normal(seed + 2, 12, dim))
    assert mmd.student_side(other, views, mmd.teacher_side(linear(weight), views)).loss.item() == 0
