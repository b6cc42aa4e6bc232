import copy
import itertools

import pytest
import torch
from mmengine.config import Config

from helpers.small_search import CELLS, SPACE, TASKS, classification_batch, iterate, optimisers, raw_batch, val_batches
from imtnas_mm.algorithms.shared_choices.branching import BRANCHING, block_macs, expected_copies
from imtnas_mm.analysis.complexity import count_macs, count_parameters
from imtnas_mm.analysis.derive import searched_choices
from imtnas_mm.architecture import flat_importance
from imtnas_mm.progress import Progress
from imtnas_mm.random_state import Purpose
from imtnas_mm.registry import MODELS

RATES = (.05, .02)  # of small_search.optimisers


def build(order=('cls', 'det'), space=SPACE, dtype=torch.float64, branching=None, **options):
    tasks = {name: copy.deepcopy(TASKS[name.rstrip('0123456789')]) for name in order}
    options = dict(dict(loss_normalization='none', resource_size=16), **options)
    torch.manual_seed(0)
    model = MODELS.build(dict(type='imtnas_mm.BMTAS', search_space=dict(space), tasks=tasks, rounds=1, order=order,
                              branching=branching, **options)).to(dtype)
    with torch.no_grad():  # copies that differ, as after the warm-up
        generator = torch.Generator().manual_seed(1)
        for weights in model.encoder_weights.weights:
            weights += .05 * torch.randn(weights.shape, generator=generator)
    model.set_progress(Progress(3, 10, 2, .3))
    return model


def batches_of(model):
    return [dict(train=raw_batch(stage.task)) for stage in model.stages]


def after_stages(model, seed=3):
    torch.manual_seed(seed)
    wrapper = optimisers(model)
    model.start_iteration(0)
    prepared = []
    for stage, batch in zip(model.stages, batches_of(model), strict=True):
        model.train_stage(stage, batch, wrapper)
        prepared.append(model.records[-1].data)
    val = {name: model.preprocess(name, batch, Purpose.VALIDATION, i)
           for i, (name, batch) in enumerate(val_batches(model).items())}
    return prepared, val


def whole_graph(model, prepared, val, chain):
    """A's gradient by one graph; without ``chain`` the inner gradients are constants."""
    alphas = {n: a.detach().clone().requires_grad_() for n, a in model.architecture.named_alphas().items()}
    gates = model.space.gate_tensors(alphas, model.draw)
    importance = flat_importance(model.space.importance(alphas))
    total = 0
    for stage, data in zip(model.stages, prepared, strict=True):
        head = model.head(stage)
        own = {n: p.detach().requires_grad_() for n, p in head.trained().items()}
        fixed = model.head_constants(head)
        encoder = model.encoder_weights.generate(stage.task_index, 0, importance)
        loss, _ = model.task_loss(stage, gates, encoder, {**own, **fixed}, data)
        steps = torch.autograd.grad(loss, [encoder, *own.values()], create_graph=True)
        if not chain:
            steps = [step.detach() for step in steps]
        virtual = {n: p - RATES[1] * s for (n, p), s in zip(own.items(), steps[1:], strict=True)}
        total = total + model.task_loss(stage, gates, encoder - RATES[0] * steps[0], {**virtual, **fixed},
                                        val[stage.task], Purpose.VALIDATION)[0]
    total = total + model.space.architecture_loss(alphas)
    return dict(zip(alphas, torch.autograd.grad(total, list(alphas.values())), strict=True))


@pytest.mark.parametrize('hypergradient', ['exact', 'first_order'])
@pytest.mark.parametrize('order, space, hard', [
    (('cls', 'det'), SPACE, False),
    (('cls', 'cls2', 'cls3'), SPACE, True),
    (('cell', 'cell2'), CELLS, False),
])
def test_the_gradient_is_the_whole_graphs(hypergradient, order, space, hard):
    model = build(order, space, hypergradient=hypergradient, branching=dict(hard=hard))
    prepared, val = after_stages(model)
    expected = whole_graph(model, prepared, val, chain=hypergradient == 'exact')
    actual, _ = model.architecture_gradient([val])
    assert expected[BRANCHING].abs().max() > 1e-4
    for name, gradient in expected.items():
        torch.testing.assert_close(actual[name], gradient, rtol=1e-8, atol=1e-11)


def test_leaving_out_the_path_through_the_mixed_weights_is_seen(monkeypatch):
    model = build(hypergradient='first_order')
    prepared, val = after_stages(model)
    expected = whole_graph(model, prepared, val, chain=False)[BRANCHING]
    monkeypatch.setattr(model.encoder_weights, 'mixed_by_architecture', False)
    actual, _ = model.architecture_gradient([val])
    assert not torch.allclose(actual[BRANCHING], expected, rtol=1e-3, atol=1e-6)


def test_the_copies_gradients_are_those_of_the_mixed_losses():
    model = build()
    prepared, _ = after_stages(model)
    total = sum(
        model.task_loss(stage, model.gates, model.encoder(stage, model.importance),
                        {**model.head(stage).trained(), **model.head_constants(model.head(stage))}, data)[0]
        for stage, data in zip(model.stages, prepared, strict=True))
    expected = torch.autograd.grad(total, list(model.encoder_weights.weights))
    for weights, gradient in zip(model.encoder_weights.weights, expected, strict=True):
        torch.testing.assert_close(weights.grad, gradient)


def test_one_hot_mixing_is_one_copy_a_block():
    model = build(('cls', 'cls2'))
    shape = model.architecture.named_alphas()[BRANCHING].shape
    chosen = torch.randint(0, 2, shape[:2], generator=torch.Generator().manual_seed(0))
    mixing = torch.nn.functional.one_hot(chosen, 2).double()
    blocks = list(model.space.blocks().values())
    copies = [model.encoder_weights.layout.named(w.detach()) for w in model.encoder_weights.weights]
    for task in range(2):
        named = model.encoder_weights.layout.named(model.encoder_weights.generate(task, 0, mixing.reshape(-1)))
        for name, value in named.items():
            block, = [i for i, paths in enumerate(blocks) if any(name.startswith(f'{path}.') for path in paths)]
            assert torch.equal(value, copies[chosen[block, task]][name])


def test_a_task_uses_its_own_copy_in_the_warm_up():
    model = build()
    model.set_progress(Progress(1, 10, 2, .1))
    model.start_iteration(0)
    for stage in model.stages:
        torch.testing.assert_close(model.encoder(stage, model.importance).detach(),
                                   model.encoder_weights.weights[stage.task_index].detach(), rtol=0, atol=0)
    model.set_progress(Progress(2, 10, 2, .2))
    model.start_iteration(0)
    assert not torch.equal(model.encoder(model.stages[0], model.importance), model.encoder_weights.weights[0])


def test_expected_copies_by_enumeration():
    probabilities = torch.rand(5, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).softmax(-1)
    expected = torch.zeros(5, dtype=torch.float64)
    for copies in itertools.product(range(3), repeat=3):
        chance = torch.stack([probabilities[:, t, c] for t, c in enumerate(copies)]).prod(0)
        expected += chance * len(set(copies))
    torch.testing.assert_close(expected_copies(probabilities), expected)


@pytest.mark.parametrize('space', [SPACE, CELLS])
def test_blocks_are_the_whole_supernet(space):
    space = MODELS.build(dict(space, type=f"imtnas_mm.{space['type']}"))
    assert sum(block_macs(space, 16).values()) == count_macs(space, (3, 16, 16)) > 0
    assert min(block_macs(space, 16).values()) > 0
    paths = [path for paths in space.blocks().values() for path in paths]
    assert sum(count_parameters(space.get_submodule(path)) for path in paths) == count_parameters(space)


def test_an_iteration_moves_copies_and_branching_and_the_result_says_the_likeliest():
    model = build(('cell', 'cell2'), CELLS, torch.float32, hypergradient='first_order')
    wrapper = optimisers(model)
    before = model.architecture.named_alphas()[BRANCHING].detach().clone()
    weights = [w.detach().clone() for w in model.encoder_weights.weights]
    torch.manual_seed(0)
    figures = iterate(model, wrapper, batches=batches_of(model))
    assert figures['architecture/loss'] > 0
    logits = model.architecture.named_alphas()[BRANCHING].detach()
    assert not torch.equal(before, logits)
    assert all(not torch.equal(a, b) for a, b in zip(weights, model.encoder_weights.weights, strict=True))
    sharing = model.derive().sharing
    assert sharing['tasks'] == ['cell', 'cell2']
    assert list(sharing['blocks'].values()) == logits.argmax(-1).tolist()
    assert 1 <= model.architecture_figures()['architecture/expected_networks'] <= 2
    predictions = model.search_network('cell2')(classification_batch())
    assert len(predictions) == 4


def test_a_checkpoints_choices_are_the_searches():
    model = build()
    cfg = Config(dict(model=dict(type='imtnas_mm.BMTAS', branching=dict(hard=True)),
                      train_cfg=dict(order=('cls', 'det'))))
    choices = searched_choices(cfg, MODELS.build(dict(SPACE, type='imtnas_mm.MBConvSupernet')))
    assert choices.alpha_shapes() == model.space.alpha_shapes()


def test_refusals():
    with pytest.raises(ValueError, match='rounds=2'):
        MODELS.build(dict(type='imtnas_mm.BMTAS', search_space=SPACE, tasks={}, rounds=2, order=()))
    with pytest.raises(ValueError, match='BranchedWeights'):
        build(encoder_weights=dict(type='HyperNetwork'))
    with pytest.raises(ValueError, match=r'temperature=\(0, 1\)'):
        build(branching=dict(temperature=(0, 1)))
