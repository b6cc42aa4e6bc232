"""The studentised statistic and its reading relative to the teacher, against plain loops and under "same"."""
import math

import pytest
import torch

from imtnas_mm.transfer import Encoder, MMDTransfer, two_sample_statistics
from imtnas_mm.transfer.statistic import FLOOR, reference

OPTIONS = dict(num_examples=6, num_augmentations=3, image_size=2)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loop_studentized(sets, scale):
    """The definition by sums over lists: Eq. 3 over its deviation under "same", at relative distances."""
    sets = sets.tolist()
    number, size = len(sets), len(sets[0])

    def distance(x, y):
        return sum((a - b)**2 for a, b in zip(x, y, strict=True))

    points = [point for members in sets for point in members]
    pairs = [distance(points[i], points[j]) for i in range(len(points)) for j in range(i)]
    mean = sum(pairs) / len(pairs)

    def kernel(x, y):
        return math.exp(-scale * distance(x, y) / mean)

    def centred(first, second):
        """Sum of squares of the kernel between two sets, centred in both."""
        block = [[kernel(x, y) for y in second] for x in first]
        rows = [sum(row) / size for row in block]
        columns = [sum(row[m] for row in block) / size for m in range(size)]
        overall = sum(rows) / size
        return sum((block[n][m] - rows[n] - columns[m] + overall)**2 for n in range(size) for m in range(size))

    variance = sum(centred(sets[i], sets[j]) for i in range(number) for j in range(i)) / (number * (number - 1) / 2)
    variance = (variance / (size - 1)**2 + 1e-10) * 4 * (1 / (size * (size - 1)) + 1 / size**2)

    def eq3(first, second):
        within = sum(kernel(s[n], s[m]) for s in (first, second) for n in range(size) for m in range(size) if m != n)
        across = sum(kernel(x, y) for x in first for y in second)
        return within / (size * (size - 1)) - 2 / size**2 * across

    return [[eq3(first, second) / variance**.5 for second in sets] for first in sets]


@pytest.mark.parametrize('sets, size, dim', [(2, 2, 1), (5, 4, 3), (4, 6, 8)])
def test_equals_the_plain_loop(sets, size, dim, device):
    z = normal(0, sets, size, dim)
    z[1] += 2
    actual = two_sample_statistics(z.to(device), .1).cpu()
    expected = torch.tensor(loop_studentized(z, .1), dtype=torch.float64)
    off = ~torch.eye(sets, dtype=torch.bool)
    torch.testing.assert_close(actual[off], expected[off], rtol=1e-9, atol=1e-9)


def test_neither_scale_nor_place_nor_rotation_of_embeddings_matters():
    z = normal(0, 4, 5, 6)
    rotation = torch.linalg.qr(normal(1, 6, 6)).Q
    expected = two_sample_statistics(z)
    for moved in (1e3 * z, 1e-3 * z, z + 7, z @ rotation):
        torch.testing.assert_close(two_sample_statistics(moved), expected, rtol=1e-7, atol=1e-9)
    assert not torch.allclose(two_sample_statistics(1e-1 * z, statistic='scaled'),
                              two_sample_statistics(z, statistic='scaled'), rtol=.1)


@pytest.mark.parametrize('size', [2, 3, 10, 40])
def test_mean_0_and_deviation_1_under_same(size):
    """Whatever C and the shape of the distribution are; more than 3 deviations are rare."""
    torch.manual_seed(0)
    scales = torch.linspace(2., .2, 16)
    upper = torch.triu(torch.ones(10, 10, dtype=torch.bool), 1)
    values = torch.cat([two_sample_statistics(torch.randn(10, size, 16) * scales)[upper] for _ in range(80)])
    assert abs(values.mean()) < .15 and .85 < values.std() < 1.15
    assert (values > FLOOR).double().mean() < .03


def test_the_statistic_of_unlike_sets_grows_with_their_number():
    torch.manual_seed(0)
    z = torch.randn(6, 40, 8, dtype=torch.float64)
    z[:3, :, 0] += 2.
    few, many = (two_sample_statistics(z[:, :size])[:3, 3:].mean().item() for size in (10, 40))
    assert many > 2.5 * few > 2.5


@pytest.mark.parametrize('statistic', ['studentized', 'relative'])
def test_first_and_second_derivatives(statistic):
    z = normal(0, 3, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: two_sample_statistics(x, 1., statistic)[0], z)
    assert torch.autograd.gradgradcheck(lambda x: two_sample_statistics(x, 1., statistic)[0], z)


EDGES = {
    'all embeddings alike': lambda: torch.ones(4, 3, 5),
    'zero': lambda: torch.zeros(4, 3, 5),
    'alike up to rounding': lambda: 100 + 1e-5 * torch.randn(4, 3, 5),
    'all views of an image alike': lambda: torch.randn(4, 1, 5).repeat(1, 3, 1),
    'one set apart': lambda: torch.cat([torch.zeros(3, 3, 5), torch.ones(1, 3, 5)]),
    'two sets alike': lambda: torch.randn(2, 3, 5).repeat(2, 1, 1),
    'tiny': lambda: 1e-6 * torch.randn(4, 3, 5),
    'huge': lambda: 1e6 * torch.randn(4, 3, 5),
}


@pytest.mark.parametrize('name', EDGES)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_derivatives_are_finite_where_a_variance_is_0(name, dtype):
    torch.manual_seed(0)
    transfer = MMDTransfer(**dict(OPTIONS, num_examples=4))
    z = EDGES[name]().to(dtype).flatten(0, 1)
    encoder = Encoder(None, lambda images: images)
    student, teacher = z.clone().requires_grad_(), torch.randn_like(z).requires_grad_()
    for first, second in ((teacher, student), (student, teacher)):
        loss = transfer.student_side(encoder, second, transfer.teacher_side(encoder, first)).loss
        gradients = torch.autograd.grad(loss, [first, second], create_graph=True)
        assert loss.isfinite() and all(gradient.isfinite().all() for gradient in gradients)
        again = torch.autograd.grad(sum(gradient.square().sum() for gradient in gradients) / 1e12, [first, second])
        assert all(gradient.isfinite().all() for gradient in again)


def test_alike_sets_are_not_told_apart():
    assert two_sample_statistics(torch.ones(3, 4, 5)).abs().max() == 0


def test_reference_by_hand():
    assert reference(torch.tensor([9., 4., 100., 5., -2.])).item() == 5
    assert reference(torch.tensor([9., 4., 100., 5., -2., 7.])).item() == 5  # the lower one of two
    assert reference(torch.tensor([.5, -1., 2., 40.])).item() == FLOOR
    assert reference(torch.tensor([])).item() == FLOOR


def loop_loss(taught, learned, tau=5.):
    """The mean of Eq. 4 with d = tau z / r over tau^2, and the shares of active pairs and of pairs told apart."""
    cut = max(sorted(taught)[(len(taught) - 1) // 2], 3.)
    teacher, student = ([tau * z / cut for z in values] for values in (taught, learned))
    terms = [max(0., -(a - tau) * (b - tau)) for a, b in zip(teacher, student, strict=True)]
    shares = [sum(term > 1e-12 for term in terms) / len(terms), sum(z > cut for z in taught) / len(taught)]
    return sum(terms) / len(terms) / tau**2, *shares


def test_loss_and_figures_by_a_plain_loop(device):
    transfer = MMDTransfer(**OPTIONS).to(device)
    views = normal(0, 6, 1, 12).repeat(1, 3, 1).flatten(0, 1) + .4 * normal(1, 18, 12)
    weights = [normal(seed, 12, 5) for seed in (2, 3)]
    encoders = [Encoder(weight.flatten(), lambda images, weight=weight: images @ weight.to(images.device))
                for weight in weights]
    teaching = transfer.teacher_side(encoders[0], views.to(device))
    actual = transfer.student_side(encoders[1], views.to(device), teaching)
    matrices = [loop_studentized((views @ weight).view(6, 3, 5), .1) for weight in weights]
    taught, learned = ([z[i][j] for i in range(6) for j in range(i + 1, 6)] for z in matrices)
    loss, active, different = loop_loss(taught, learned)
    assert 0 < active < 1 and 0 < different < 1
    assert actual.loss.item() == pytest.approx(loss, rel=1e-6)
    assert actual.figures['active'].item() == pytest.approx(active)
    assert actual.figures['different'].item() == pytest.approx(different)
    assert actual.needed is None


def test_tau_is_the_unit_alone():
    views, results = normal(0, 18, 12), []
    encoders = [Encoder(None, lambda images, seed=seed: images @ normal(seed, 12, 5)) for seed in (1, 2)]
    for threshold in (.1, 1., 5., 25., 100.):
        transfer = MMDTransfer(**OPTIONS, threshold=threshold)
        result = transfer.student_side(encoders[1], views, transfer.teacher_side(encoders[0], views))
        results.append((result.loss.item(), result.figures['active'].item(), result.figures['different'].item()))
    assert results[0][0] > 0 and len(set(results)) == 1


def test_the_number_of_pairs_is_no_weight():
    losses = torch.tensor([0., 2., 0., 6.])
    transfer = MMDTransfer(**OPTIONS)
    assert transfer.total(losses, torch.tensor(4.)) == transfer.total(losses.repeat(9), torch.tensor(4.)) == 2 / 16
    assert MMDTransfer(**OPTIONS, statistic='studentized').total(losses, 5.) == 8  # Eq. 4 to the letter


def test_loss_differentiates_the_teacher_and_its_reference():
    transfer = MMDTransfer(**OPTIONS)
    views = normal(0, 6, 1, 12).repeat(1, 3, 1).flatten(0, 1) + .2 * normal(1, 18, 12)

    def loss(teacher, student):
        encoders = [Encoder(weight.flatten(), lambda images, weight=weight: images @ weight)
                    for weight in (teacher, student)]
        return transfer.student_side(encoders[1], views, transfer.teacher_side(encoders[0], views)).loss

    weights = [normal(seed, 12, 3).requires_grad_() for seed in (2, 3)]
    assert loss(*weights) > 0
    assert reference(transfer.teacher_side(Encoder(None, lambda images: images @ weights[0]), views)) > FLOOR
    assert torch.autograd.gradcheck(loss, weights)
    assert torch.autograd.gradgradcheck(loss, weights)


def test_a_batch_of_one_image_is_not_told_apart():
    """The median of "same" is about 0: then the floor decides."""
    torch.manual_seed(0)
    transfer = MMDTransfer(num_examples=10, num_augmentations=10, image_size=2)
    encoder = Encoder(None, lambda images: images)
    shares = []
    for _ in range(20):
        views = torch.randn(100, 8)
        shares.append(transfer.student_side(encoder, views, transfer.teacher_side(encoder, views)).figures['different'])
    assert torch.stack(shares).mean() < .03


def test_one_set_has_no_variance():
    with pytest.raises(ValueError, match='of 1 set'):
        two_sample_statistics(torch.rand(1, 3, 2))
