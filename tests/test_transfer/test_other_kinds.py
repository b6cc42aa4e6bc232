"""The transfers that the paper compares with, against closed forms and plain loops."""
import math

import pytest
import torch

from helpers import small_search as small
from helpers.host_reads import no_host_reads
from helpers.whole_graph import whole_graph_gradient
from imtnas_mm.registry import MODELS
from imtnas_mm.transfer import Encoder, ExampleSimilarity, L2Embedding, L2Weights

KINDS = dict(
    weights=dict(type='L2Weights', weight=.3),
    embedding=dict(type='L2Embedding', num_examples=4, weight=5., image_size=16),
    similarity=dict(type='ExampleSimilarity', num_examples=4, weight=2., image_size=16))


def linear_encoder(weight):
    return Encoder(weight.reshape(-1), lambda images: images.flatten(1) @ weight)


def sides(transfer, teacher, student, images):
    views = transfer.views(images)
    return transfer.student_side(linear_encoder(student), views, transfer.teacher_side(linear_encoder(teacher), views))


def test_l2_weights(device):
    teacher = torch.tensor([[1., 2.], [3., 4.]], device=device)
    student = torch.tensor([[1., 0.], [0., 4.]], device=device, requires_grad=True)
    actual = sides(L2Weights(weight=.5), teacher, student, None)
    assert actual.loss.item() == .5 * 13 and actual.figures['distance'].item() == pytest.approx(13**.5)
    actual.loss.backward()
    assert student.grad.tolist() == [[0., -2.], [-3., 0.]]  # 2 weight (W - W~)


def test_l2_embedding(device):
    images = torch.rand(4, 3, 2, 2, dtype=torch.float64).to(device)
    teacher, student = (torch.randn(12, 5, dtype=torch.float64).to(device) for _ in range(2))
    actual = sides(L2Embedding(num_examples=4, weight=2.), teacher, student, images)
    mean = sum(sum((image.flatten() @ teacher[:, f] - image.flatten() @ student[:, f])**2 for f in range(5))
               for image in images) / 4
    assert actual.loss.item() == pytest.approx(2 * mean.item(), rel=1e-12)
    assert actual.figures['distance'].item() == pytest.approx(math.sqrt(mean), rel=1e-12)


def test_example_similarity(device):
    images = torch.randn(4, 3, 2, 2, dtype=torch.float64).to(device)
    teacher, student = (torch.randn(12, 5, dtype=torch.float64).to(device).requires_grad_() for _ in range(2))
    transfer = ExampleSimilarity(num_examples=4, threshold=.1, temperature=.2, weight=3.)
    actual = sides(transfer, teacher, student, images)

    def cosine(i, j, weight):
        a, b = images[i].flatten() @ weight, images[j].flatten() @ weight
        return ((a @ b) / (a.norm() * b.norm())).item()

    terms, labels, wrong = [], [], 0
    for i in range(4):
        for j in range(i + 1, 4):
            label = cosine(i, j, teacher) > .1
            p = 1 / (1 + math.exp(-(cosine(i, j, student) - .1) / .2))
            terms.append(-math.log(p if label else 1 - p))
            labels.append(label)
            wrong += (p > .5) != label
    assert {True, False} == set(labels)
    assert actual.loss.item() == pytest.approx(3 * sum(terms) / 6, rel=1e-9)
    assert actual.figures['different'].item() == pytest.approx(labels.count(False) / 6)
    assert actual.figures['active'].item() == pytest.approx(wrong / 6)
    actual.loss.backward()
    assert student.grad.any() and teacher.grad is None


@pytest.mark.parametrize('kind', KINDS)
def test_no_host_reads(kind):
    transfer = MODELS.build(dict(KINDS[kind], type=f'imtnas_mm.{KINDS[kind]["type"]}'))
    images, student = torch.randn(4, 3, 2, 2), torch.randn(12, 5, requires_grad=True)
    with no_host_reads():
        sides(transfer, torch.randn(12, 5), student, images).loss.backward()
    assert student.grad.isfinite().all()


@pytest.mark.parametrize('cls, options, message', [
    (L2Weights, dict(weight=0.), 'transfer.weight=0.0 must be positive; transfer=None'),
    (L2Embedding, dict(weight=-1.), 'transfer.weight=-1.0 must be positive'),
    (L2Embedding, dict(num_examples=3), 'transfer.num_examples=3 must be even'),
    (ExampleSimilarity, dict(num_examples=0), 'transfer.num_examples=0 must be even'),
    (ExampleSimilarity, dict(threshold=1.), 'transfer.threshold=1.0 must lie between -1 and 1'),
    (ExampleSimilarity, dict(temperature=0.), 'transfer.temperature=0.0 must be positive'),
])
def test_bad_options(cls, options, message):
    with pytest.raises(ValueError, match=message):
        cls(**options)


@pytest.mark.parametrize('kind, weights', [
    ('weights', 'HyperNetwork'), ('weights', 'StoredWeights'), ('embedding', 'HyperNetwork'),
    ('similarity', 'StoredWeights')])
def test_exact_gradient_through_each_kind(kind, weights, device):
    """The sweep against one graph of the whole chain; see test_hypergradient."""
    torch.manual_seed(0)
    model = small.build(order=('cls', 'det'), rounds=2, transfer=KINDS[kind], encoder_weights=dict(type=weights),
                        virtual_rates=dict(encoder=.05, head=.02), loss_normalization='none').to(device)
    if weights == 'StoredWeights':  # all start alike, where two of the kinds have no gradient
        with torch.no_grad():
            for vector in model.encoder_weights.weights:
                vector += .5 * model.first_task.layout.scale.to(vector) * torch.randn(len(vector)).to(vector)
    optim_wrapper = small.optimisers(model)
    batches, raw = small.stage_batches(model), small.val_batches(model)
    model.start_iteration(0)
    for stage, batch in zip(model.stages, batches, strict=True):
        figures = model.train_stage(stage, batch, optim_wrapper)
        if stage.index:
            assert figures[f'{stage.name}/transfer_loss'] > 0
    prepared = [(record.data, model.transfer_views(record) if record.stage.index else None) for record in model.records]
    val = {name: model.tasks[name].preprocess(batch, True) for name, batch in raw.items()}
    _, expected = whole_graph_gradient(model, prepared, val, (.05, .02))
    actual, _ = model.architecture_gradient([val])
    actual, expected = (torch.cat([g.flatten() for g in gradient.values()]) for gradient in (actual, expected))
    assert ((actual - expected).norm() / expected.norm()).item() < 1e-10


def test_embeddings_of_different_sizes_are_refused_where_they_are_compared(monkeypatch):
    shallow = dict(small.TASKS['cell'], backbone=dict(out_indices=(1, )))
    monkeypatch.setitem(small.TASKS, 'shallow', shallow)
    options = dict(order=('cell', 'shallow'), rounds=1, space=small.CELLS)
    with pytest.raises(ValueError, match=r"model.transfer.type='L2Embedding' compares the embeddings of two tasks, but "
                       r"their last features have {'cell': 64, 'shallow': 32} channels: let .*out_indices"):
        small.build(transfer=KINDS['embedding'], **options)
    for kind in ('weights', 'similarity'):
        small.build(transfer=KINDS[kind], **options)


def test_registered():
    for config in KINDS.values():
        assert MODELS.build(dict(config, type=f'imtnas_mm.{config["type"]}'))
