"""MTLNAS against independent networks and against whole-graph gradients."""
import pytest
import torch
from mmengine.config import Config

from helpers.small_search import (
    CELLS,
    SPACE,
    build_method,
    classification_batch,
    iterate,
    optimisers,
    stage_batches,
    val_batches,
)
from imtnas_mm.algorithms.shared_choices.fusion import FUSION
from imtnas_mm.analysis.derive import searched_choices
from imtnas_mm.progress import Progress
from imtnas_mm.random_state import Purpose
from imtnas_mm.registry import MODELS, scoped
from imtnas_mm.spaces.fused_supernet import edge_name

RATES = (.05, .02)  # of small_search.optimisers


def build(order=('cls', 'det'), fraction=.3, **options):
    """Of networks that differ, somewhere within a search."""
    torch.manual_seed(0)
    model = build_method('MTLNAS', order, **dict(dict(loss_normalization='none'), **options))
    with torch.no_grad():
        weights, = model.encoder_weights.weights
        weights += .05 * torch.randn_like(weights)
        logits = model.architecture.alphas[FUSION]
        logits += torch.randn_like(logits)
    model.set_progress(Progress(3, 10, 2, fraction))
    return model


def named_weights(model):
    weights, = model.encoder_weights.weights
    return model.first_task.layout.named(weights)


def after_stages(model):
    torch.manual_seed(3)
    wrapper = optimisers(model)
    model.start_iteration(0)
    for stage, batch in zip(model.stages, stage_batches(model), strict=True):
        model.train_stage(stage, batch, wrapper)
    return {name: model.preprocess(name, batch, Purpose.VALIDATION, i)
            for i, (name, batch) in enumerate(val_batches(model).items())}


def whole_graph(model, val, chain):
    """A's gradient by one graph; without ``chain`` the inner gradients are constants."""
    alphas = {n: a.detach().clone().requires_grad_() for n, a in model.architecture.named_alphas().items()}
    gates = model.space.gate_tensors(alphas, model.draw)
    encoder = model.encoder_weights.weights[0].detach().clone().requires_grad_()
    heads = [model.head(stage) for stage in model.stages]
    copies = [{n: p.detach().clone().requires_grad_() for n, p in head.trained().items()} for head in heads]
    fixed = [model.head_constants(head) for head in heads]
    loss = sum(model.task_loss(record.stage, gates, encoder, {**trained, **constants}, record.data)[0]
               for record, trained, constants in zip(model.records, copies, fixed, strict=True))
    inner = [encoder, *(p for trained in copies for p in trained.values())]
    steps = torch.autograd.grad(loss, inner, create_graph=True)
    steps = iter(steps if chain else [step.detach() for step in steps])
    virtual = encoder - RATES[0] * next(steps)
    total = model.space.architecture_loss(alphas)
    for stage, trained, constants in zip(model.stages, copies, fixed, strict=True):
        head = {n: p - RATES[1] * next(steps) for n, p in trained.items()}
        total = total + model.task_loss(stage, gates, virtual, {**head, **constants}, val[stage.task],
                                        Purpose.VALIDATION)[0]
    return dict(zip(alphas, torch.autograd.grad(total, list(alphas.values())), strict=True))


@pytest.mark.parametrize('hypergradient', ['exact', 'finite_difference', 'first_order'])
@pytest.mark.parametrize('order, space', [(('cls', 'det'), SPACE), (('cell', 'cell2'), CELLS)])
def test_the_gradient_is_the_whole_graphs(hypergradient, order, space):
    model = build(order, space=space, hypergradient=hypergradient)
    val = after_stages(model)
    expected = whole_graph(model, val, chain=hypergradient != 'first_order')
    actual, figures = model.architecture_gradient([val])
    without = whole_graph(model, val, chain=False)
    assert expected[FUSION].abs().min() > 1e-9 and figures['architecture/loss'] > 0
    if hypergradient == 'exact':
        assert not torch.allclose(expected[FUSION], without[FUSION], rtol=1e-3)
    close = dict(rtol=1e-4, atol=1e-7) if hypergradient == 'finite_difference' else dict(rtol=1e-8, atol=1e-11)
    for name, gradient in expected.items():
        torch.testing.assert_close(actual[name], gradient, **close)


@pytest.mark.parametrize('logit', [-1e4, -600.])  # z = 0, which is left out; and 1e-261, which is computed
def test_without_edges_it_is_independent_networks(logit):
    """Three iterations: losses, and what the gradients of weights, heads and operations move."""
    torch.manual_seed(0)
    order, options = ('cls', 'det'), dict(architecture=dict(init_std=.1))
    alone = build_method('MTLSAO', order, **options)
    fused = build_method('MTLNAS', order, **options)
    with torch.no_grad():
        fused.architecture.alphas[FUSION].fill_(logit)
        for name, alpha in alone.architecture.alphas.items():
            fused.architecture.alphas[name].copy_(alpha)
        weights = named_weights(fused)
        for i, vector in enumerate(alone.encoder_weights.weights):
            vector += .01 * torch.randn_like(vector)
            for name, value in alone.first_task.layout.named(vector).items():
                weights[f'encoders.{i}.{name}'].copy_(value)
    fused.heads.load_state_dict(alone.heads.state_dict())
    wrappers = optimisers(alone), optimisers(fused)
    start = {name: value.clone() for name, value in named_weights(fused).items()}
    for i in range(3):
        torch.manual_seed(i)
        batches, val = stage_batches(alone), val_batches(alone)
        figures = []
        for model, wrapper in zip((alone, fused), wrappers, strict=True):
            model.set_progress(Progress(i, 3, 0, i / 2))
            figures.append(iterate(model, wrapper, i, batches, val))
        for name, value in figures[0].items():
            torch.testing.assert_close(figures[1][name], value, rtol=1e-10, atol=0)
        # the tasks' parts of A's gradient are summed in another order, which Adam scales
        close = dict(rtol=1e-10, atol=1e-13) if i else dict(rtol=1e-14, atol=1e-16)
        weights = named_weights(fused)
        for k, vector in enumerate(alone.encoder_weights.weights):
            for name, value in alone.first_task.layout.named(vector).items():
                torch.testing.assert_close(weights[f'encoders.{k}.{name}'], value, **close)
                assert not torch.equal(value, start[f'encoders.{k}.{name}'])
        torch.testing.assert_close(fused.heads.state_dict(), alone.heads.state_dict(), **close)
    for name, alpha in alone.architecture.alphas.items():
        torch.testing.assert_close(fused.architecture.alphas[name], alpha, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize('factor', [1., 25.])
def test_learning_rate_factor(factor):
    """A plain step of SGD moves the fusion's weights by factor times rate times their gradient, and decays as usual."""
    model = build_method('MTLNAS', ('cls', 'cls2'), fusion=dict(learning_rate_factor=factor))
    scale = factor**.5
    with torch.no_grad():
        weights, = model.encoder_weights.weights
        generator = torch.Generator().manual_seed(0)
        before = {name: .1 * torch.randn(value.shape, generator=generator, dtype=torch.float64)
                  for name, value in named_weights(model).items()}
        for name, value in named_weights(model).items():
            value.copy_(before[name] / (scale if name.startswith('fusion.') else 1))
    wrapper = optimisers(model, momentum=0.)
    torch.manual_seed(1)
    batches = stage_batches(model)
    model.start_iteration(0)
    for stage, batch in zip(model.stages, batches, strict=True):
        model.train_stage(stage, batch, wrapper)
    # the gradient of the weights themselves, by a network that has them as they are
    plain = build_method('MTLNAS', ('cls', 'cls2'))
    encoder = torch.cat([before[name].flatten() for name in plain.first_task.layout.names]).requires_grad_()
    loss = sum(plain.task_loss(record.stage, model.gates, encoder,
                               {**model.head(record.stage).trained(), **model.head(record.stage).constants()},
                               record.data)[0] for record in model.records)
    gradient, = torch.autograd.grad(loss, encoder)
    model.step_weights(wrapper)
    for name, part in plain.first_task.layout.named(gradient).items():
        fusing = name.startswith('fusion.')
        after = named_weights(model)[name] * (scale if fusing else 1)
        expected = before[name] - RATES[0] * ((factor if fusing else 1) * part + 3e-4 * before[name])
        torch.testing.assert_close(after, expected, rtol=1e-9, atol=1e-13)
        assert not fusing or part.abs().max() > 1e-6


def test_start():
    model = build_method('MTLNAS', ('cls', 'cls2', 'cls3'), fusion=dict(init=.6))
    weights = named_weights(model)
    for name, value in weights.items():
        if name.startswith('encoders.'):
            assert torch.equal(value, weights['encoders.0.' + name.split('.', 2)[2]])
    convolutions = [value for name, value in weights.items() if name.endswith('.weight') and value.dim() == 4]
    assert all(value.std() > 0 for value in convolutions)
    supernet = model.first_task.space
    for edge in supernet.edges:
        weight = weights[f'fusion.{edge_name(edge)}'][:, :, 0, 0]
        torch.testing.assert_close(weight, .6 / (2 * edge.stage + 2) * torch.eye(*weight.shape).double())


def test_while_the_architecture_is_frozen_each_network_learns_its_own_task():
    model = build(('cls', 'cls2'))
    model.set_progress(Progress(1, 10, 2, .1))
    model.start_iteration(0)
    wrapper = optimisers(model)
    model.train_stage(model.stages[1], stage_batches(model)[1], wrapper)
    gradient = model.first_task.layout.named(model.encoder_weights.weights[0].grad)
    moved = {name.rsplit('.', 1)[0].split('.')[0] + name.split('.')[1] for name, g in gradient.items() if g.any()}
    assert moved == {'encoders1'}
    model.set_progress(Progress(2, 10, 2, .2))
    model.start_iteration(0)
    model.train_stage(model.stages[1], stage_batches(model)[1], wrapper)
    gradient = model.first_task.layout.named(model.encoder_weights.weights[0].grad)
    assert all(any(g.any() for name, g in gradient.items() if name.startswith(prefix))
               for prefix in ('encoders.0', 'encoders.1', 'fusion'))


def test_a_task_runs_all_networks_with_its_own_options():
    model = build_method('MTLNAS', ('cell', 'cell2'), space=CELLS)
    assert [task.space.network for task in model.tasks.values()] == [0, 1]
    det = build_method('MTLNAS', ('cls', 'det')).tasks['det'].space
    assert det.out_indices == (1, 2) and [space.out_indices for space in det.encoders] == [(1, 2)] * 2


def test_an_iteration_moves_everything_and_the_result_says_the_edges():
    model = build(('cell', 'cell2'), space=CELLS, dtype=torch.float32, hypergradient='first_order')
    wrapper = optimisers(model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    torch.manual_seed(0)
    iterate(model, wrapper)
    assert all(not torch.equal(before[name], p) for name, p in model.named_parameters())
    logits = model.architecture.alphas[FUSION].detach()
    edges = model.derive().sharing['edges']
    figures = model.architecture_figures()
    assert len(edges) == figures['architecture/fusion_edges'] == (logits > 0).sum() > 0
    assert figures['architecture/fusion_entropy'] == pytest.approx(
        torch.distributions.Bernoulli(logits=logits).entropy().mean().item())
    assert len(model.search_network('cell2')(classification_batch())) == 4


def test_the_search_network_is_judged_with_the_derived_edges(monkeypatch):
    model = build(('cls', 'cls2'))
    seen = []
    task = model.tasks['cls']
    monkeypatch.setattr(task, 'predict', lambda encoder, gates, *_: seen.append(gates['gates.fusion']))
    model.search_network('cls')(classification_batch())
    assert torch.equal(seen[0], (model.architecture.alphas[FUSION] > 0).double())


@pytest.mark.parametrize('method', ['MTLNAS', 'BMTAS'])
def test_a_checkpoints_choices_are_the_searches(method):
    space = dict(CELLS, type='PRDARTSSupernet')  # its importance depends on the progress
    model = build_method(method, ('cell', 'cell2'), space=space, dtype=torch.float32)
    progress = Progress(3, 10, 0, .3)
    model.set_progress(progress)
    cfg = Config(dict(model=dict(type=f'imtnas_mm.{method}'), train_cfg=dict(order=('cell', 'cell2'))))
    choices = searched_choices(cfg, MODELS.build(scoped(space)))
    choices.set_progress(progress)
    assert choices.alpha_shapes() == model.space.alpha_shapes()
    alphas = {name: alpha.detach() for name, alpha in model.architecture.named_alphas().items()}
    assert choices.derive(alphas) == model.derive()


def test_refusals():
    with pytest.raises(ValueError, match=r"MTLNAS: train_cfg\.order=\('cls',\) must name two tasks or more"):
        build_method('MTLNAS', ('cls', ))
    with pytest.raises(ValueError, match=r'model\.fusion\.init=-1 must'):
        build_method('MTLNAS', fusion=dict(init=-1))
    with pytest.raises(ValueError, match="names the unknown task 'seg'"):
        MODELS.build(dict(type='imtnas_mm.MTLNAS', search_space=SPACE, tasks={}, order=('seg', 'cls')))
