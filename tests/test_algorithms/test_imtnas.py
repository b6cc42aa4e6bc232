"""One iteration of IMTNAS changes W, V, H and A as the equations say, computed by hand."""
import copy
import math

import pytest
import torch

from helpers.small_search import (
    BATCH_NORM,
    CELLS,
    CLASSIFIER,
    TASKS,
    build,
    detection_batch,
    images,
    iterate,
    optimisers,
    stage_batches,
    val_batches,
)
from imtnas_mm.algorithms.architecture_step.loss_scale import LossScale
from imtnas_mm.algorithms.stages.stage import check_order, interleaved_stages
from imtnas_mm.genotype import genotype_from_dict
from imtnas_mm.progress import Progress
from imtnas_mm.registry import MODELS
from imtnas_mm.transfer import Encoder

STORED = dict(type='StoredWeights')


def snapshot(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def changed(model, before):
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


def part(names, prefix):
    return {name for name in names if name.startswith(prefix)}


# --- stages -----------------------------------------------------------------------------------------------------------


def test_stages_are_rounds_over_the_order():
    assert [s.name for s in interleaved_stages(('a', 'b'), 3)] == ['r1.a', 'r1.b', 'r2.a', 'r2.b', 'r3.a', 'r3.b']
    assert [s.index for s in interleaved_stages(('a', 'b'), 2)] == [0, 1, 2, 3]


@pytest.mark.parametrize('order, message', [
    (('cls', 'seg'), "unknown task 'seg'.*\\['cls', 'det'\\]"),
    (('cls', 'cls', 'det'), 'a task twice'),
    (('cls', ), r"leaves out \['det'\]"),
])
def test_order_errors_name_the_field(order, message):
    with pytest.raises(ValueError, match='train_cfg.order=.*' + message):
        check_order(order, dict(cls=0, det=0))


# --- the weight stages, by hand ---


def test_first_stage_and_transfer_stage_by_hand():
    """Plain SGD, stored weights: every W and H after an iteration from Eq. 27-29."""
    model = build(rounds=1, encoder_weights=STORED)
    optim_wrapper = optimisers(model, momentum=0)
    optim_wrapper['encoder'].param_groups[0]['weight_decay'] = 0.
    model.encoder_weights.weights[1].data += model.first_task.layout.scale * torch.randn_like(
        model.encoder_weights.weights[1])
    model.transfer.threshold = .05
    batches = stage_batches(model)
    w1, w2 = (w.detach().clone().requires_grad_() for w in model.encoder_weights.weights)
    h1, h2 = ({n: t.detach().clone().requires_grad_() for n, t in model.heads[n_][0].tensors().items()}
              for n_ in ('cls', 'det'))
    iterate(model, optim_wrapper, batches=batches, architecture=False)
    cls, det = model.stages
    gates = model.gates

    loss, _ = model.task_loss(cls, gates, w1, h1, model.records[0].data)
    step, *head_step = torch.autograd.grad(loss, [w1, *h1.values()])
    virtual = w1 - .05 * step
    torch.testing.assert_close(model.encoder_weights.weights[0], virtual)
    torch.testing.assert_close(model.records[0].virtual_encoder, virtual)
    for (name, value), gradient in zip(h1.items(), head_step, strict=True):
        torch.testing.assert_close(model.heads['cls'][0].tensors()[name], value - .02 * gradient)

    views = model.transfer_views(model.records[1])
    encoders = [Encoder(w, lambda x, w=w, t=t: model.tasks[t].embed(w, gates, x))
                for w, t in ((virtual.detach(), 'cls'), (w2, 'det'))]
    actual = model.transfer.student_side(encoders[1], views, model.transfer.teacher_side(encoders[0], views))
    assert actual.figures['active'] > 0
    step, = torch.autograd.grad(actual.loss, w2)
    torch.testing.assert_close(model.encoder_weights.weights[1], w2 - .05 * step)
    moved = (w2 - .05 * step).detach()
    loss, _ = model.task_loss(det, gates, moved, h2, model.records[1].data)
    for (name, value), gradient in zip(h2.items(), torch.autograd.grad(loss, list(h2.values())), strict=True):
        torch.testing.assert_close(model.heads['det'][0].tensors()[name], value - .02 * gradient)


def test_hypernetwork_steps_on_the_sum_of_pulled_back_gradients():
    """Reading 11."""
    model = build(rounds=2, encoder_weights=dict(type='HyperNetwork', stage_std=.5))
    model.transfer.threshold = .05
    optim_wrapper = optimisers(model, momentum=0)
    optim_wrapper['encoder'].param_groups[0]['weight_decay'] = 0.
    before = {n: p.detach().clone() for n, p in model.encoder_weights.named_parameters()}
    model.start_iteration(0)
    expected = {n: torch.zeros_like(p) for n, p in before.items()}
    for stage, batch in zip(model.stages, stage_batches(model), strict=True):
        model.train_stage(stage, batch, optim_wrapper)
        record = model.records[-1]
        inner = (model.encoder_before(record) - record.virtual_encoder) / .05  # the stage's gradient by W
        parameters = list(model.encoder_weights.parameters())
        pulled = torch.autograd.grad(
            model.encoder_weights.generate(stage.task_index, stage.round, model.importance), parameters, inner)
        for name, gradient in zip(expected, pulled, strict=True):
            expected[name] += gradient
    model.step_weights(optim_wrapper)
    assert any(r.active for r in model.records[1:])
    for name, parameter in model.encoder_weights.named_parameters():
        torch.testing.assert_close(parameter, before[name] - .05 * expected[name], rtol=1e-6, atol=1e-10)


def test_hypernetwork_step_a_stage_moves_v_between_stages():
    model = build(rounds=1, hypernetwork_step='stage')
    optim_wrapper = optimisers(model)
    model.start_iteration(0)
    before = snapshot(model)
    model.train_stage(model.stages[0], stage_batches(model)[0], optim_wrapper)
    assert part(changed(model, before), 'encoder_weights')
    torch.testing.assert_close(  # and the record still knows the V it was made with
        model.encoder_before(model.records[0]),
        torch.func.functional_call(
            model.encoder_weights, {n.removeprefix('encoder_weights.'): t for n, t in before.items()
                                    if n.startswith('encoder_weights.')}, (0, 0, model.importance)))


def test_literal_reading_gives_an_encoder_no_task_gradient():
    """Reading 2: without disagreement a later encoder stands still, with a share of the task loss it moves."""
    for weight in (0., .5):
        model = build(rounds=1, encoder_weights=STORED, encoder_task_weight=weight)
        model.transfer.threshold = 39.  # of 2 * 4 = 8: never exceeded
        optim_wrapper = optimisers(model, momentum=0)
        optim_wrapper['encoder'].param_groups[0]['weight_decay'] = 0.
        before = snapshot(model)
        iterate(model, optim_wrapper, architecture=False)
        moved = changed(model, before)
        assert 'encoder_weights.weights.0' in moved
        assert ('encoder_weights.weights.1' in moved) == bool(weight)
        assert part(moved, 'heads.det')


def test_teacher_changes_the_student_only_through_the_transfer():
    results = []
    torch.manual_seed(0)
    noise = torch.randn_like(build(rounds=1, encoder_weights=STORED).encoder_weights.weights[0])
    for scale in (.1, .3):
        model = build(rounds=1, encoder_weights=STORED)
        model.transfer.threshold = .05
        with torch.no_grad():  # another teacher; the student is the same
            model.encoder_weights.weights[0] += scale * noise
        torch.manual_seed(3)
        batches = stage_batches(model)
        model.start_iteration(0)
        optim_wrapper = optimisers(model)
        for stage, batch in zip(model.stages, batches, strict=True):
            model.train_stage(stage, batch, optim_wrapper)
        results.append(model.records[1])
    a, b = results
    assert a.figures['transfer_loss'] != b.figures['transfer_loss']
    assert torch.equal(a.examples, b.examples)
    for scale in (.1, .3):  # with transfer off the teacher has no say at all
        model = build(rounds=1, encoder_weights=STORED, transfer=None, encoder_task_weight=1.)
        with torch.no_grad():
            model.encoder_weights.weights[0] += scale * noise
        torch.manual_seed(3)
        iterate(model, optimisers(model), batches=stage_batches(model), architecture=False)
        results.append(model.records[1].virtual_encoder)
    assert torch.equal(results[-1], results[-2])


def test_teacher_gets_no_gradient_in_the_first_order_step():
    model = build(rounds=1, encoder_weights=STORED, hypergradient='first_order')
    model.transfer.threshold = .05
    optim_wrapper = optimisers(model)
    model.start_iteration(0)
    batches = stage_batches(model)
    model.train_stage(model.stages[0], batches[0], optim_wrapper)
    before = model.encoder_weights.weights[0].grad.clone()
    model.train_stage(model.stages[1], batches[1], optim_wrapper)
    model.update_architecture([val_batches(model)], optim_wrapper)
    assert torch.equal(model.encoder_weights.weights[0].grad, before)
    assert not model.records[0].virtual_encoder.requires_grad


# --- A apart from the weights ---


def test_a_is_in_checkpoints_and_in_no_weight_optimiser():
    model = build()
    optim_wrapper = optimisers(model)
    alphas = {id(a) for a in model.architecture.parameters()}
    assert part(model.state_dict(), 'architecture.alphas.') == {
        f'architecture.alphas.layer0{i}' for i in (1, 2, 3, 4)}
    held = {name: {id(p) for g in wrapper.param_groups for p in g['params']} for name, wrapper in optim_wrapper.items()}
    assert held['architecture'] == alphas
    assert not (held['encoder'] | held['head']) & alphas
    assert not held['encoder'] & held['head']
    assert set().union(*held.values()) == {id(p) for p in model.parameters()}


def test_a_moves_only_in_its_own_update():
    model = build()
    optim_wrapper = optimisers(model)
    before = snapshot(model)
    iterate(model, optim_wrapper, architecture=False)
    assert not part(changed(model, before), 'architecture')
    assert part(changed(model, before), 'heads') and part(changed(model, before), 'encoder_weights')
    before = snapshot(model)
    model.update_architecture([val_batches(model)], optim_wrapper)
    moved = changed(model, before)
    assert part(moved, 'architecture') and not part(moved, 'heads') and not part(moved, 'encoder_weights')


@pytest.mark.parametrize('mode', ['first_order', 'exact', 'finite_difference'])
def test_train_and_validation_gradients_never_mix(mode):
    """Weights end the same whatever A was judged on, and A's gradient is the same whatever .grad held."""
    ends, gradients = [], []
    for seed, noise in ((1, False), (2, False), (1, True)):
        model = build(hypergradient=mode, loss_normalization='none')
        optim_wrapper = optimisers(model)
        torch.manual_seed(0)
        batches = stage_batches(model)
        torch.manual_seed(seed)
        val = val_batches(model)
        model.start_iteration(0)
        for stage, batch in zip(model.stages, batches, strict=True):
            model.train_stage(stage, batch, optim_wrapper)
        held = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        if noise:
            for parameter in model.parameters():
                parameter.grad = torch.full_like(parameter, 100.)
        data = {name: model.tasks[name].preprocess(batch, True) for name, batch in val.items()}
        gradients.append(model.architecture_gradient([data])[0])
        if not noise:
            for name, parameter in model.named_parameters():
                assert parameter.grad is None or torch.equal(parameter.grad, held[name])
            model.update_architecture([val], optim_wrapper)
            model.step_weights(optim_wrapper)
            ends.append({n: t for n, t in model.state_dict().items() if n.startswith(('heads', 'encoder'))})
    assert all(torch.equal(a, b) for a, b in zip(ends[0].values(), ends[1].values(), strict=True))
    assert all(torch.equal(gradients[0][n], gradients[2][n]) for n in gradients[0])
    assert any(not torch.equal(gradients[0][n], gradients[1][n]) for n in gradients[0])


def test_under_amp_the_second_pass_sees_the_views_of_the_first(monkeypatch):
    torch.manual_seed(0)
    model, seen = build(amp=True, dtype=torch.float32), []
    plain = model.transfer.views

    def views(images):
        made = plain(images)
        seen.append((torch.is_autocast_enabled('cpu'), made))
        return made

    monkeypatch.setattr(model.transfer, 'views', views)
    iterate(model, optimisers(model))
    first = [made for autocast, made in seen if autocast]
    assert len(first) == 3
    for record, made in zip(model.records[1:], first, strict=True):
        assert torch.equal(model.transfer_views(record), made)


def test_copies_of_bmtas_are_refused():
    with pytest.raises(ValueError, match="model.encoder_weights.type='BranchedWeights' is for BMTAS"):
        build(rounds=1, encoder_weights=dict(type='BranchedWeights'))


def with_running_statistics():
    tasks = copy.deepcopy(TASKS)
    tasks['cls']['model']['head']['norm_cfg'] = dict(type='BN')
    return tasks


def test_modes_differ_in_a_alone(monkeypatch):
    """Weights, heads, statistics and the global random state after an iteration don't know how A was stepped."""
    monkeypatch.setitem(TASKS, 'cls', with_running_statistics()['cls'])
    ends = {}
    for mode in ('first_order', 'exact', 'finite_difference'):
        model = build(hypergradient=mode, arch_steps=2 if mode == 'exact' else 1)
        optim_wrapper = optimisers(model)
        torch.manual_seed(0)
        iterate(model, optim_wrapper, batches=stage_batches(model), val=val_batches(model))
        ends[mode] = ({n: t.clone() for n, t in model.state_dict().items()
                       if not n.startswith(('architecture', 'loss_scale', 'signal'))}, torch.get_rng_state(),
                      model.architecture.alphas['layer01'].detach().clone())
    reference = ends['first_order']
    assert reference[0]['heads.cls.0.head.conv.bn.num_batches_tracked'] == 1
    for mode in ('exact', 'finite_difference'):
        for name, tensor in reference[0].items():
            assert torch.equal(tensor, ends[mode][0][name]), (mode, name)
        assert torch.equal(reference[1], ends[mode][1])
        assert not torch.equal(reference[2], ends[mode][2])


def test_arch_steps_make_the_chain_again():
    """Two steps an iteration equal one, the chain made again by hand at the new A, and another."""
    def start(steps):
        model = build(arch_steps=steps, loss_normalization='none', architecture=dict(init_std=.5))
        optim_wrapper = optimisers(model)
        torch.manual_seed(0)
        batches, val = stage_batches(model), val_batches(model)
        model.start_iteration(0)
        for stage, batch in zip(model.stages, batches, strict=True):
            model.train_stage(stage, batch, optim_wrapper)
        model.update_architecture([val], optim_wrapper)
        return model, optim_wrapper, batches, val

    twice, *_ = start(2)
    once, optim_wrapper, batches, val = start(1)
    gradients = {n: None if p.grad is None else p.grad.clone() for n, p in once.named_parameters()}
    once.start_iteration(0)
    for stage, batch in zip(once.stages, batches, strict=True):
        once.train_stage(stage, batch, optim_wrapper)
    once.update_architecture([val], optim_wrapper)
    for name in once.architecture.alphas:
        torch.testing.assert_close(twice.architecture.alphas[name], once.architecture.alphas[name])
    # and the second chain left the weights' gradients alone
    for name, parameter in twice.named_parameters():
        if not name.startswith('architecture'):
            assert torch.equal(parameter.grad, gradients[name])


def test_two_path_correction_is_applied():
    model = build(space=dict(estimator='two_path'))
    before = {n: a.detach().clone() for n, a in model.architecture.named_alphas().items()}
    iterate(model, optimisers(model))
    for name, alpha in model.architecture.named_alphas().items():
        others = [i for i in range(len(alpha)) if i not in model.draw[name].tolist()]
        assert torch.equal(alpha[others], before[name][others])
        assert not torch.equal(alpha, before[name])


@pytest.mark.parametrize('amp', [False, True])
@pytest.mark.parametrize('space', [
    dict(type='DARTSSupernet'), dict(type='PDARTSSupernet', skip_dropout=.5), dict(type='PCDARTSSupernet', part=2),
    dict(type='PRDARTSSupernet'),
], ids=lambda space: space['type'])
def test_every_cell_space_takes_an_iteration(space, amp):
    """In single precision; everything moves, and what comes out is an architecture and predictions."""
    model = build(('cell', 'cell2'), 1, dtype=torch.float32, space=dict(CELLS, **space), amp=amp)
    model.set_progress(Progress(0, 4, 2, 0.))
    optim_wrapper = optimisers(model)
    before = snapshot(model)
    figures = iterate(model, optim_wrapper)
    assert all(value.isfinite() for value in figures.values())
    assert ('architecture/loss' in figures) is (space['type'] == 'PRDARTSSupernet')
    moved = changed(model, before)
    assert {f'architecture.alphas.{name}' for name in model.space.alpha_shapes()} <= moved
    assert part(moved, 'encoder_weights') and part(moved, 'heads.cell.') and part(moved, 'heads.cell2.')
    assert genotype_from_dict(model.derive().to_dict()).space == model.space.name
    model.eval()
    batch = stage_batches(model)[0]['train']
    first, second = (model.search_network('cell2')(copy.deepcopy(batch)) for _ in range(2))
    for a, b in zip(first, second, strict=True):  # nothing is drawn
        assert torch.equal(a.pred_score, b.pred_score)


# --- what an iteration sees ---


def test_an_iteration_is_a_function_of_its_number():
    torch.manual_seed(0)
    model = build(space=dict(estimator='two_path'))
    batches, val = stage_batches(model), val_batches(model)
    figures = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # what the global state is must not matter
        other = build(space=dict(estimator='two_path'))
        other.load_state_dict(model.state_dict())
        actual = iterate(other, optimisers(other), 7, batches, val)
        figures.append({n: v.item() for n, v in actual.items()})
    assert figures[0] == figures[1]
    other = build(space=dict(estimator='two_path'))
    other.load_state_dict(model.state_dict())
    actual = iterate(other, optimisers(other), 8, batches, val)
    assert {n: v.item() for n, v in actual.items()} != figures[0]


def test_amp_is_for_the_weight_stages_alone(monkeypatch):
    seen, said = [], []
    monkeypatch.setattr('imtnas_mm.algorithms.weight_stages.print_log', lambda text, **_: said.append(text))
    model = build(dtype=torch.float32, amp=True)
    assert "A's step and the chain of its gradient stay in full precision" in said[0]
    task = model.tasks['cls']
    original = task.loss

    def spy(*args):
        seen.append(torch.is_autocast_enabled('cpu'))
        return original(*args)

    object.__setattr__(task, 'loss', spy)
    optim_wrapper = optimisers(model)
    model.start_iteration(0)
    for stage, batch in zip(model.stages, stage_batches(model), strict=True):
        model.train_stage(stage, batch, optim_wrapper)
    assert seen and all(seen)
    seen.clear()
    model.update_architecture([val_batches(model)], optim_wrapper)
    assert seen and not any(seen)


def test_search_network_predicts_with_the_rounds_own_weights():
    model = build(rounds=2, encoder_weights=STORED, dtype=torch.float32).eval()
    batch = detection_batch()
    with torch.no_grad():
        model.encoder_weights.weights[3] += .2 * torch.randn_like(model.encoder_weights.weights[3])
    first, last = (model.search_network('det', m)(copy.deepcopy(batch)) for m in (0, 1))
    assert first[0].pred_instances.scores.tolist() != last[0].pred_instances.scores.tolist()
    again = model.search_network('det')(copy.deepcopy(batch))
    assert again[0].pred_instances.scores.tolist() == last[0].pred_instances.scores.tolist()


# --- figures ---


def test_transfer_figures_are_means_over_the_stages():
    model = build(rounds=2, encoder_weights=dict(type='HyperNetwork', stage_std=.5))
    model.transfer.threshold = .05
    iterate(model, optimisers(model))
    actual = model.transfer_figures()
    for name in ('active', 'different'):
        values = [r.figures[f'transfer_{name}'].item() for r in model.records[1:]]
        assert actual[f'transfer/{name}'].item() == pytest.approx(sum(values) / 3)
        assert 0 < actual[f'transfer/{name}'] < 1
    assert model.architecture_figures()['architecture/entropy'].item() == pytest.approx(
        (3 * math.log(3) + math.log(4)) / 4, rel=.05)


def test_plain_statistic_passes_no_knowledge():
    model = build(transfer=dict(type='MMDTransfer', num_examples=4, num_augmentations=4, image_size=16,
                                statistic='plain', threshold=5.))
    iterate(model, optimisers(model))
    assert model.transfer_figures() == {'transfer/active': 0, 'transfer/different': 0}
    assert not any(r.active for r in model.records[1:])


def test_loss_scales_by_hand():
    scale = LossScale(('a', 'b'), 'running_mean', momentum=.1)
    for value in (4., 2.):
        scale.update('a', torch.tensor(value))
    assert scale.means[0].item() == pytest.approx(3.8)
    x = torch.tensor(2., requires_grad=True)
    loss = scale('a', 3 * x)
    loss.backward()
    assert loss.item() == pytest.approx(6 / 3.8) and x.grad.item() == pytest.approx(3 / 3.8)
    first = LossScale(('a', ), 'first_value')
    for value in (4., 2.):
        first.update('a', torch.tensor(value))
    assert first('a', torch.tensor(2.)).item() == .5
    assert LossScale(('a', ), 'none')('a', torch.tensor(2.)).item() == 2
    assert 'means' in scale.state_dict()


@pytest.mark.parametrize('options, message', [
    (dict(hypergradient='second_order'), "model.hypergradient='second_order'.*exact"),
    (dict(hypernetwork_step='epoch'), "model.hypernetwork_step='epoch'"),
    (dict(unroll_batch='test'), "model.unroll_batch='test'"),
    (dict(encoder_task_weight=-1), 'model.encoder_task_weight=-1'),
    (dict(arch_steps=0), 'model.arch_steps=0'),
    (dict(virtual_rates=dict(w=1)), r"model.virtual_rates has \['w'\]"),
    (dict(virtual_step=dict(momentum=True)), "StoredWeights.*or model.step_space='hypernetwork'"),
    (dict(virtual_step=dict(clip_grad=True), encoder_weights=STORED), "clip_grad=True needs .*'hypernetwork'"),
    (dict(step_space='V'), "model.step_space='V' is not one of"),
    (dict(step_space='hypernetwork', encoder_weights=STORED), "type='StoredWeights', whose parameters are W"),
    (dict(step_space='hypernetwork', hypernetwork_step='stage', virtual_rates=dict(encoder=.1)),
     'model.virtual_rates.encoder=0.1 .*leave virtual_rates.encoder out'),
    (dict(virtual_step=dict(nesterov=True)), 'nesterov'),
    (dict(virtual_step=dict(momentum=True), hypernetwork_step='stage', encoder_weights=STORED), "use.*'iteration'"),
    (dict(loss_normalization='max'), "'max'"),
    (dict(rounds=0), 'train_cfg.rounds=0'),
])
def test_bad_options_name_the_field(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


SGD, ADAMW = dict(type='SGD', lr=.1, momentum=.9, weight_decay=1e-3), dict(type='AdamW', lr=.1)
SAME_STEP = dict(step_space='hypernetwork', hypernetwork_step='stage')


@pytest.mark.parametrize('options, wrappers, message', [
    (dict(encoder_weights=STORED, virtual_step=dict(momentum=True)), dict(encoder=dict(optimizer=ADAMW)),
     "model.virtual_step.momentum=True with optim_wrapper.encoder.optimizer.type='AdamW'.*Use SGD there, or"),
    (dict(step_space='hypernetwork', virtual_step=dict(momentum=True)), dict(head=dict(optimizer=ADAMW)),
     "optim_wrapper.head.optimizer.type='AdamW'"),
    (dict(step_space='hypernetwork', virtual_step=dict(weight_decay=True)),
     dict(head=dict(optimizer=dict(type='Adam', lr=.1))), "weight_decay=True .*type='Adam'.*of SGD and AdamW alone"),
    (dict(encoder_weights=STORED, virtual_step=dict(momentum=True)),
     dict(encoder=dict(optimizer=dict(SGD, maximize=True))), 'optim_wrapper.encoder.optimizer.maximize=True'),
    (SAME_STEP, dict(encoder=dict(optimizer=ADAMW)), "knows those of SGD, not of .*type='AdamW'.*'iteration'"),
    (SAME_STEP, dict(encoder=dict(optimizer=SGD, clip_grad=dict(max_norm=5.))),
     'encoder has momentum and weight_decay and clip_grad. Set .*momentum=True, weight_decay=True, clip_grad=True'),
    ({}, dict(encoder=dict(optimizer=SGD, paramwise_cfg=dict(custom_keys=dict(third=dict(lr_mult=.5))))),
     r"encoder.paramwise_cfg gives the parameters the rates \[0.05, 0.1\].*step_space='hypernetwork'"),
], ids=str)
def test_steps_that_the_chain_does_not_know_are_refused(options, wrappers, message):
    model = build(('cls', ), 1, **options)
    model.start_iteration(0)
    with pytest.raises(ValueError, match=message):
        model.train_stage(model.stages[0], stage_batches(model)[0], optimisers(model, **wrappers))


def test_rates_per_parameter_of_stored_weights():
    """And ``virtual_rates`` is for all parameters."""
    encoder = dict(optimizer=SGD, paramwise_cfg=dict(custom_keys={'weights.1': dict(lr_mult=.5)}))
    for options, expected in (({}, [.1, .05]), (dict(virtual_rates=dict(encoder=.3)), [.3, .3])):
        model = build(rounds=1, encoder_weights=STORED, **options)
        model.start_iteration(0)
        optim_wrapper = optimisers(model, encoder=encoder)
        for stage, batch in zip(model.stages, stage_batches(model), strict=True):
            model.train_stage(stage, batch, optim_wrapper)
        assert [record.encoder_rate for record in model.records] == expected


def test_a_task_must_share_the_weights(monkeypatch):
    monkeypatch.setitem(TASKS, 'det', dict(TASKS['det'], backbone=dict(width_mult=2.)))
    with pytest.raises(ValueError, match='model.tasks.det.backbone changes the weights'):
        build()


def test_forward_says_what_to_call():
    with pytest.raises(NotImplementedError, match='train_stage'):
        build()(torch.rand(1, 3, 8, 8))


def test_a_head_with_frozen_parameters_learns_the_rest():
    model = build(rounds=1, hypergradient='exact')
    model.heads['det'][0].bbox_head.retina_reg.requires_grad_(False)
    before = snapshot(model)
    iterate(model, optimisers(model))
    moved = part(changed(model, before), 'heads.det')
    assert 'heads.det.0.bbox_head.retina_reg.weight' not in moved and 'heads.det.0.bbox_head.retina_cls.weight' in moved


def test_examples_of_unlike_sizes_meet_in_one_batch():
    model = build(rounds=1)
    first, second = model.stages
    model.start_iteration(0)
    examples = model.transfer_examples(second, first, (images(2, 31), images(2, 9)))
    assert examples.shape == (4, 3, 16, 16)
    assert MODELS.get('imtnas_mm.IMTNAS') is type(model)
    assert BATCH_NORM == CLASSIFIER['head']['norm_cfg']
