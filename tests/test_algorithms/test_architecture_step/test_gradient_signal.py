"""A's gradient: the mean over several batches, and the figures that tell how much it says."""
import pytest
import torch

from helpers import small_search
from helpers.small_search import CELLS, TRANSFER, build, iterate, optimisers, raw_batch, stage_batches, val_batches
from imtnas_mm.algorithms.architecture_step.gradient_signal import GradientSignal, flat
from imtnas_mm.random_state import Purpose

ON_CELLS = dict(order=('cell', 'cell2'), rounds=1, space=CELLS, architecture=dict(init_std=.5),
                transfer=dict(TRANSFER, num_augmentations=2, image_size=12, threshold=.05))


def after_stages(**options):
    torch.manual_seed(1)
    model = build(**{**ON_CELLS, **options})
    wrapper = optimisers(model)
    model.start_iteration(0)
    for stage, batch in zip(model.stages, stage_batches(model), strict=True):
        model.train_stage(stage, batch, wrapper)
    return model, [
        {name: model.preprocess(name, batch, Purpose.VALIDATION, 0) for name, batch in val_batches(model).items()}
        for _ in range(2)]


@pytest.mark.parametrize('mode', ['exact', 'first_order'])
def test_the_gradient_is_the_mean_over_the_batches(mode):
    model, data = after_stages(loss_normalization='none', hypergradient=mode)
    alone = [model.architecture_gradient([batches]) for batches in data]
    together, figures = model.architecture_gradient(data)
    expected = sum(flat(gradient) for gradient, _ in alone) / 2
    torch.testing.assert_close(flat(together), expected, rtol=1e-10, atol=1e-14)
    assert not torch.allclose(expected, flat(alone[0][0]), rtol=1e-2)
    for name in ('cell/val_loss', 'cell2/val_loss'):
        torch.testing.assert_close(figures[name], sum(of[name] for _, of in alone) / 2)


def test_the_scale_of_the_losses_moves_once_per_step_by_their_mean():
    model, data = after_stages(loss_normalization='first_value')
    _, figures = model.architecture_gradient(data)
    expected = torch.stack([figures[f'{name}/val_loss'] for name in model.order])
    torch.testing.assert_close(model.loss_scale.means, expected)


def test_each_batch_draws_its_random_numbers():
    """One batch several times: the head's dropout differs."""
    torch.manual_seed(0)
    model = build(('cls', ), 1, transfer=None)
    model.start_iteration(0)
    stage, head = model.stages[0], model.head(model.stages[0])
    data = model.preprocess('cls', raw_batch('cls'), Purpose.VALIDATION, 0)
    encoder = model.encoder(stage, model.importance).detach()
    losses = [model.task_loss(stage, model.gates, encoder, head.tensors(), data, Purpose.VALIDATION, number)[0].item()
              for number in (0, 1, 2, 0)]
    assert len(set(losses)) == 3 and losses[0] == losses[3]


def test_a_search_with_several_batches_moves_a_alone_differently():
    ends = []
    for number in (1, 2):
        torch.manual_seed(0)
        model = build(**ON_CELLS, architecture_batches=number)
        wrapper, batches = optimisers(model), stage_batches(model)
        val = [val_batches(model) for _ in range(2)]
        model.start_iteration(0)
        for stage, batch in zip(model.stages, batches, strict=True):
            model.train_stage(stage, batch, wrapper)
        model.update_architecture(val[:number], wrapper)
        model.step_weights(wrapper)
        ends.append(model.state_dict())
    differing = {name.split('.')[0] for name in ends[0] if not torch.equal(ends[0][name], ends[1][name])}
    assert differing == {'architecture', 'loss_scale', 'signal'}


def test_the_share_of_the_chain_is_what_first_order_leaves_out():
    model, data = after_stages()
    whole, figures = model.architecture_gradient(data[:1])
    model.hypergradient = 'first_order'
    direct, without = model.architecture_gradient(data[:1])
    expected = (flat(whole) - flat(direct)).norm() / flat(whole).norm()
    torch.testing.assert_close(figures['architecture/chain_share'], expected, rtol=1e-9, atol=0)
    assert expected > 1e-3 and 'architecture/chain_share' not in without


def test_norm_and_cosine_to_the_mean_of_the_gradients_before():
    signal, mean = GradientSignal(3).double(), torch.zeros(3, dtype=torch.float64)
    for i, values in enumerate(([3., 4., 0.], [0., 0., 2.], [-1., 1., 5.])):
        vector = torch.tensor(values, dtype=torch.float64)
        figures = signal.update(dict(a=vector[:2], b=vector[2:]), dict(a=vector[:2] / 2, b=vector[2:] / 2))
        torch.testing.assert_close(figures['architecture/gradient_norm'], vector.norm())
        expected = torch.cosine_similarity(vector, mean, dim=0) if i else torch.zeros((), dtype=torch.float64)
        torch.testing.assert_close(figures['architecture/gradient_cosine'], expected)
        assert figures['architecture/chain_share'] == .5
        mean = mean + .1 * (vector - mean)
    torch.testing.assert_close(signal.mean, mean)
    zero = signal.update(dict(a=torch.zeros(3)), None)
    assert zero['architecture/gradient_norm'] == zero['architecture/gradient_cosine'] == 0


def test_the_figures_of_a_search_are_logged_and_tell_of_a_lasting_gradient():
    torch.manual_seed(0)
    model = build(**ON_CELLS)
    wrapper = optimisers(model, architecture=dict(type='SGD', lr=0.))
    wrapper['encoder'].param_groups[0]['lr'] = wrapper['head'].param_groups[0]['lr'] = 0.
    batches, val = stage_batches(model), val_batches(model)
    figures = [iterate(model, wrapper, 0, batches, val) for _ in range(3)]  # everything stays: one gradient
    cosines = [some['architecture/gradient_cosine'].item() for some in figures]
    assert cosines == pytest.approx([0., 1., 1.], abs=1e-6)
    assert all(0 < some['architecture/chain_share'] < 10 or some['architecture/chain_share'] == 0 for some in figures)


@pytest.mark.parametrize('value', [0, -2])
def test_less_than_one_batch_is_refused(value):
    with pytest.raises(ValueError, match=f'model.architecture_batches={value} must be at least 1'):
        build(('cell', ), 1, space=CELLS, transfer=None, architecture_batches=value)


def test_settings_without_an_effect_are_told(monkeypatch):
    said = []
    monkeypatch.setattr('imtnas_mm.algorithms.unused.print_log', lambda text, *_: said.append(text))
    method = small_search.build_method
    for text, make in (
        ("RandomSearch has no use for model.architecture.init_std=0.001, model.hypergradient='first_order'",
         lambda: method('RandomSearch', architecture=dict(init_std=1e-3), hypergradient='first_order')),
        ("MTLSAO has no use for model.recompute='views': no images", lambda: method('MTLSAO', recompute='views')),
        ("IMTNAS has no use for model.recompute='views': no images",
         lambda: build(recompute='views', transfer=dict(type='L2Weights'))),
        ("IMTNAS has no use for model.transfer.type='MMDTransfer', model.encoder_task_weight=1.0",
         lambda: build(('cls', ), 1, encoder_task_weight=1.)),
        ('MTLSWS has no use for model.sharing_weight=100.0', lambda: method('MTLSWS', ('cls', ), sharing_weight=100.)),
        ('SingleTask has no use for model.virtual_step.momentum=True: with',
         lambda: method('SingleTask', ('cls', ), hypergradient='first_order', virtual_step=dict(momentum=True))),
        ("MTLSAO has no use for model.keep_graphs=True: it is for model.hypergradient='exact'",
         lambda: method('MTLSAO', keep_graphs=True, hypergradient='first_order')),
    ):
        said.clear()
        make()
        assert len(said) == 1 and said[0].startswith(text), said
    said.clear()
    model = build(**{**ON_CELLS, 'transfer': None}, replay=True)
    for i in range(2):
        iterate(model, optimisers(model), i)
    assert said == [f"task '{name}' has no use for model.replay=True: its tensors are on cpu, not on cuda"
                    for name in ('cell', 'cell2')]
    for make in (lambda: build(), lambda: build(recompute='views'), lambda: method('SingleTask', ('cls', )),
                 lambda: method('RandomSearch')):
        said.clear()
        make()
        assert said == []


def test_a_random_search_takes_the_seed_of_the_architecture():
    one, same, other = (small_search.build_method('RandomSearch', architecture=dict(seed=seed)) for seed in (5, 5, 6))
    alphas = [torch.cat([a.flatten() for a in model.architecture.parameters()]) for model in (one, same, other)]
    assert torch.equal(alphas[0], alphas[1]) and not torch.equal(alphas[0], alphas[2])
