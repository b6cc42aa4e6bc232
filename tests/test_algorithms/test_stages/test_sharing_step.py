"""The implicit step of MTL-SWS and MI: against a linear system, autograd and SGD, and on a quadratic at gamma = 100."""
import pytest
import torch
from torch import nn

from helpers.small_search import build_method as build
from helpers.small_search import iterate, optimisers, stage_batches
from imtnas_mm.algorithms.stages.sharing_step import SharingStep, factors_in_turn, factors_together, weighted_sum

TYPES = ['MTLSWS', 'MinibatchInterleaving']


@pytest.mark.parametrize('strengths', [(.3, .3), (10., 0., .2), (2.5,) * 4])
def test_factors_solve_the_implicit_equations(strengths):
    k = len(strengths)
    a = torch.tensor(strengths, dtype=torch.float64)
    system = torch.eye(k) + torch.diag(k * a) - a[:, None]  # W_k + a_k sum_j (W_k - W_j)
    factors = torch.tensor(factors_together(strengths), dtype=torch.float64)
    torch.testing.assert_close(factors, torch.linalg.inv(system))
    assert (factors >= 0).all()
    own, other = factors_in_turn(strengths[0], k - 1)
    step, others = 1.7, [-.4 * j for j in range(k - 1)]
    solution = own * step + other * sum(others)
    assert solution + sum(strengths[0] * (solution - x) for x in others) == pytest.approx(step)


@pytest.mark.parametrize('options', [
    dict(), dict(momentum=.9), dict(momentum=.9, dampening=.3), dict(momentum=.9, nesterov=True, weight_decay=.1)],
    ids=str)
def test_the_steps_are_those_of_sgd_on_the_sum_of_both_gradients(options):
    """A plain loop of SGD, in which the sharing term's gradient is that at the stepped weights."""
    torch.manual_seed(0)
    gamma, rate, start = 3., .1, torch.randn(2, 5, dtype=torch.float64)
    weights = [nn.Parameter(row.clone()) for row in start]
    optimizer = torch.optim.SGD(weights, lr=rate, **options)
    twins = [nn.Parameter(row.clone()) for row in start]
    other = torch.optim.SGD(twins, lr=rate, **options)
    for _ in range(4):
        gradients = torch.randn(2, 5, dtype=torch.float64)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient.clone()
        sharing = [SharingStep(optimizer, weight) for weight in weights]
        optimizer.step()
        factors = factors_together([2 * gamma * part.rate for part in sharing])
        stepped = [weighted_sum(row, [weight.detach().clone() for weight in weights]) for row in factors]
        pulls = [2 * gamma * (stepped[0] - stepped[1]), 2 * gamma * (stepped[1] - stepped[0])]
        for part, value, pull in zip(sharing, stepped, pulls, strict=True):
            part.finish(value, pull)
        for twin, gradient, pull in zip(twins, gradients, pulls, strict=True):
            twin.grad = gradient + pull
        other.step()
        for weight, twin in zip(weights, twins, strict=True):
            torch.testing.assert_close(weight, twin, rtol=1e-12, atol=1e-12)
            if 'momentum' in options:
                torch.testing.assert_close(optimizer.state[weight]['momentum_buffer'],
                                           other.state[twin]['momentum_buffer'], rtol=1e-12, atol=1e-12)


class Quadratic:
    """Puts ``sum_k <curvature, (W - goal_k)^2> / 2`` in the place of the tasks' losses of a search."""

    def __init__(self, model, monkeypatch):
        torch.manual_seed(3)
        size = model.first_task.layout.size
        self.goals = [torch.randn(size, dtype=torch.float64) for _ in model.order]
        self.curvature = .5 + torch.rand(size, dtype=torch.float64)
        monkeypatch.setattr(model, 'task_loss', self.loss)

    def loss(self, stage, gates, encoder, head, data, purpose=None):
        square = self.curvature * (encoder - self.goals[stage.task_index])**2
        return square.sum() / 2 + sum((value**2).sum() for value in head.values()), {}

    def optimum(self, gamma):
        """Of the sum with the sharing term, for two tasks: ``c (W_k - g_k) + 2 gamma (W_k - W_j) = 0``."""
        c = self.curvature
        half = c * (self.goals[0] - self.goals[1]) / (c + 4 * gamma) / 2
        mean = (self.goals[0] + self.goals[1]) / 2
        return [mean + half, mean - half]


def descend(method, monkeypatch, iterations, momentum=.9, rate=.025, **options):
    model = build(method, hypergradient='first_order', sharing_weight=100., **options)
    quadratic = Quadratic(model, monkeypatch)
    wrapper = optimisers(model, momentum=momentum)
    wrapper['encoder'].param_groups[0].update(lr=rate, weight_decay=0.)
    batches = stage_batches(model)
    with torch.no_grad():
        for weights, goal in zip(model.encoder_weights.weights, quadratic.goals, strict=True):
            weights.copy_(goal + 1)
    for i in range(iterations):
        iterate(model, wrapper, i, batches, architecture=False)
    weights = [weights.detach() for weights in model.encoder_weights.weights]
    optimum = quadratic.optimum(100.)
    return max((value - best).abs().max().item() for value, best in zip(weights, optimum, strict=True))


@pytest.mark.parametrize('method, momentum', [('MTLSWS', 0.), ('MTLSWS', .9), ('MinibatchInterleaving', .9)])
def test_the_implicit_step_converges_at_gamma_100_where_the_explicit_one_diverges(monkeypatch, method, momentum):
    few, many = (descend(method, monkeypatch, number, momentum) for number in (20, 300))
    assert many < .25 * few < 1
    assert descend(method, monkeypatch, 20, momentum, sharing_step='explicit') > 1e6


@pytest.mark.parametrize('method', TYPES)
def test_both_steps_agree_to_first_order_for_small_rates(method):
    differences = []
    for rate in (1e-4, 1e-5):
        ends, virtual = [], []
        for sharing_step in ('implicit', 'explicit'):
            torch.manual_seed(1)
            model = build(method, sharing_weight=5., sharing_step=sharing_step, virtual_rates=dict(encoder=rate))
            with torch.no_grad():
                for weights in model.encoder_weights.parameters():
                    weights += .1 * torch.randn_like(weights)
            wrapper = optimisers(model)
            wrapper['encoder'].param_groups[0]['lr'] = rate
            start = torch.cat([w.detach() for w in model.encoder_weights.weights])
            for i in range(2):
                torch.manual_seed(i)
                iterate(model, wrapper, i)
            virtual.append(torch.cat([record.virtual_encoder for record in model.records]))
            ends.append(torch.cat([w.detach() for w in model.encoder_weights.weights]))
        assert (ends[0] - start).norm() > 0
        differences.append([(one - other).norm() / (other - start).norm() for one, other in (ends, virtual)])
    for large, small in zip(*differences, strict=True):
        assert small < .2 * large < .01  # relative to the step the difference falls with the rate


@pytest.mark.parametrize('method', TYPES)
def test_the_one_step_update_is_the_optimisers(method):
    """Without momentum, decay and clipping, W~ of each task is what its weights become."""
    torch.manual_seed(0)
    model = build(method, order=('cls', 'cls2', 'cls3'), sharing_weight=100.)
    with torch.no_grad():
        for weights in model.encoder_weights.parameters():
            weights += .1 * torch.randn_like(weights)
    wrapper = optimisers(model, momentum=0.)
    wrapper['encoder'].param_groups[0]['weight_decay'] = 0.
    iterate(model, wrapper)
    for record, weights in zip(model.records, model.encoder_weights.weights, strict=True):
        torch.testing.assert_close(record.virtual_encoder, weights.detach(), rtol=1e-12, atol=1e-14)


def test_the_one_step_update_with_momentum_is_the_optimisers():
    model = build('MTLSWS', sharing_weight=100., virtual_step=dict(momentum=True, weight_decay=True))
    wrapper = optimisers(model)
    for i in range(2):
        iterate(model, wrapper, i)
    for record, weights in zip(model.records, model.encoder_weights.weights, strict=True):
        torch.testing.assert_close(record.virtual_encoder, weights.detach(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize('method', TYPES)
def test_clipping_sees_the_gradients_of_the_tasks_alone(method):
    """Weights far apart: with gamma = 100 the term's gradient would be all that clipping leaves."""
    norms = {}
    for weight in (0., 100.):
        torch.manual_seed(0)
        model = build(method, sharing_weight=weight)
        with torch.no_grad():
            model.encoder_weights.weights[1] += 1
        wrapper, clipped = optimisers(model), []
        optimizer = wrapper['encoder']
        optimizer.clip_grad_kwargs, optimizer.clip_func, optimizer.grad_name = dict(max_norm=5.), 'norm', 'norm'

        def clip(optimizer=optimizer, clipped=clipped):
            clipped.extend(p.grad.norm().item() for p in optimizer.optimizer.param_groups[0]['params']
                           if p.grad is not None)

        optimizer._clip_grad = clip
        iterate(model, wrapper)
        norms[weight] = clipped
    assert len(norms[0.]) == len(norms[100.]) == 2
    assert norms[100.] == pytest.approx(norms[0.], rel=1e-9)


def test_an_optimiser_whose_step_is_not_known_is_refused():
    adamw = dict(optimizer=dict(type='AdamW', lr=.01))
    model, explicit = build('MTLSWS'), build('MTLSWS', sharing_step='explicit')
    with pytest.raises(ValueError, match="sharing_step='implicit' with optim_wrapper.encoder.optimizer=AdamW"):
        iterate(model, optimisers(model, encoder=adamw))
    iterate(explicit, optimisers(explicit, encoder=adamw))


@pytest.mark.parametrize('method, tasks, rate, factor', [
    ('MTLSWS', 2, .025, '-9'), ('MTLSWS', 3, .01, '-5'), ('MinibatchInterleaving', 2, .025, '-4'),
    ('MTLSWS', 2, .004, None), ('MinibatchInterleaving', 3, .004, None)])
def test_an_explicit_step_that_cannot_be_stable_is_told(monkeypatch, method, tasks, rate, factor):
    said = []
    monkeypatch.setattr('imtnas_mm.algorithms.soft_sharing.print_log', lambda text, *_: said.append(text))
    model = build(method, ('cls', 'cls2', 'cls3')[:tasks], sharing_weight=100., sharing_step='explicit',
                  hypergradient='first_order')
    wrapper = optimisers(model)
    wrapper['encoder'].param_groups[0]['lr'] = rate
    for _ in range(2):
        model.check_rate(rate)
    assert [f'by {factor},' in text for text in said] == [True] * (factor is not None)
    quiet = build(method, sharing_weight=100.)
    quiet.check_rate(rate)
    assert len(said) == (factor is not None)
