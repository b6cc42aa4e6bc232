import pytest
import torch
from scipy import special, stats

from helpers.small_search import SPACE
from imtnas_mm.algorithms.shared_choices.fusion import FUSION, Fusion, FusionOptions, bernoulli_entropy
from imtnas_mm.layers.noise import logistic
from imtnas_mm.progress import Progress
from imtnas_mm.registry import MODELS, scoped

TASKS = ('a', 'b', 'c')


def fusion(fraction=None, epoch=5, **options):
    actual = Fusion(MODELS.build(scoped(SPACE)), TASKS, FusionOptions.of(options))
    if fraction is not None:
        actual.set_progress(Progress(epoch, 10, 2, fraction))
    return actual


def alphas_of(choices, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator, dtype=torch.float64)
            for name, shape in choices.alpha_shapes().items()}


@pytest.mark.parametrize('temperature', [1., .3])
def test_relaxed_bernoulli_is_torchs(monkeypatch, temperature):
    uniform = torch.rand(3, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    logits = torch.randn(3, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(torch, 'rand', lambda *_, **__: uniform)
    expected = torch.distributions.RelaxedBernoulli(logits.new_tensor(temperature), logits=logits).rsample()
    choices = fusion(1 - temperature**.5)
    assert choices.temperature == pytest.approx(temperature)
    actual = choices.edge_gates(logits, logistic(logits, None))
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)


def test_its_distribution():
    """P(z <= x) = sigmoid(T logit(x) - logit)."""
    logit, choices = .7, fusion(.5)
    noise = logistic(torch.empty(20_000, dtype=torch.float64), torch.Generator().manual_seed(0))
    actual = choices.edge_gates(torch.tensor(logit), noise)
    test = stats.kstest(actual, lambda x: stats.logistic.cdf(.25 * special.logit(x) - logit))
    assert test.pvalue > .01


def test_temperature():
    assert fusion().temperature == 1
    actual = [fusion(fraction).temperature for fraction in (0., .5, .75, .9, 1.)]
    assert actual == pytest.approx([1, .25, .0625, .01, .01])
    options = dict(temperature_power=1., min_temperature=.2)
    assert [fusion(f, **options).temperature for f in (.25, .9)] == pytest.approx([.75, .2])


def test_entropy_is_torchs_and_has_a_gradient_at_any_logit():
    logits = torch.linspace(-30, 30, 61, dtype=torch.float64, requires_grad=True)
    expected = torch.distributions.Bernoulli(logits=logits).entropy()
    torch.testing.assert_close(bernoulli_entropy(logits), expected)
    far = torch.tensor([-1000., 0., 1000.], requires_grad=True)
    gradient, = torch.autograd.grad(bernoulli_entropy(far).sum(), far)
    assert gradient.tolist() == [0., 0., 0.]


def test_regularizers():
    choices = fusion(.5)
    alphas = alphas_of(choices)
    logits = alphas[FUSION]
    networks = [torch.distributions.Bernoulli(logits=row).entropy().mean() for row in logits]
    torch.testing.assert_close(choices.architecture_loss(alphas), 10 * .5 * sum(networks) / 3)
    for fraction, weight in ((0., 0.), (.2, 2.), (1., 10.)):
        torch.testing.assert_close(fusion(fraction).architecture_loss(alphas), weight * sum(networks) / 3)
    actual = fusion(.4, regularizer='l1').architecture_loss(alphas)
    torch.testing.assert_close(actual, 5 * .4 * logits.sigmoid().mean())
    actual = fusion(.4, regularizer='l1', regularizer_weight=2).architecture_loss(alphas)
    torch.testing.assert_close(actual, .8 * logits.sigmoid().mean())
    assert fusion(.4, regularizer_weight=0.).architecture_loss(alphas) is None


def test_gates():
    choices = fusion(.3)
    alphas = alphas_of(choices)
    draw = choices.draw(alphas, torch.Generator().manual_seed(3))
    gates = choices.gate_tensors(alphas, draw)
    for name, gate in choices.space.gate_tensors(choices.operations(alphas), draw).items():
        for i in range(3):
            assert torch.equal(gates[f'encoders.{i}.{name}'], gate)
    assert len(gates) == 3 * 4 + 1
    expected = ((alphas[FUSION] + draw[FUSION]) / .49).sigmoid()
    torch.testing.assert_close(gates['gates.fusion'], expected)
    judged = choices.evaluation_gates(alphas)['gates.fusion']
    assert judged.tolist() == (alphas[FUSION] > 0).double().tolist() and 0 < judged.mean() < 1
    frozen = fusion(.1, epoch=1)
    for gates in (frozen.gate_tensors(alphas, draw), frozen.evaluation_gates(alphas)):
        assert not gates['gates.fusion'].any()
    again = choices.draw(alphas, torch.Generator().manual_seed(3))
    assert torch.equal(draw[FUSION], again[FUSION])


def test_derived_edges():
    choices = fusion()
    alphas = {**alphas_of(choices), FUSION: torch.full((3, 12), -1.)}
    assert choices.sharing(alphas[FUSION]) == dict(method='fusion', tasks=['a', 'b', 'c'], edges=[])
    for i, edge in enumerate(sum(choices.edges, ())):
        alphas[FUSION].flatten()[i] = 1. if edge in ((2, 1, 0, 1), (0, 2, 1, 0), (0, 0, 2, 0)) else -1.
    genotype = choices.derive(alphas)
    assert genotype.sharing['edges'] == [['a', 0, 'c', 0], ['a', 2, 'b', 0], ['c', 1, 'a', 1]]
    assert genotype.architecture == choices.space.derive(choices.operations(alphas)).architecture


@pytest.mark.parametrize('options, message', [
    (dict(power=2), r"model\.fusion has \['power'\]; it takes \['temperature_power', "),
    (dict(temperature_power=0), r'model\.fusion\.temperature_power=0 must be a positive number'),
    (dict(temperature_power='2'), r"model\.fusion\.temperature_power='2' must"),
    (dict(min_temperature=0.), r'model\.fusion\.min_temperature=0\.0 must be above 0 and at most 1'),
    (dict(min_temperature=2), r'model\.fusion\.min_temperature=2 must'),
    (dict(regularizer='l2'), r"model\.fusion\.regularizer='l2' must be one of \['entropy', 'l1'\]"),
    (dict(regularizer=['l1']), r"model\.fusion\.regularizer=\['l1'\] must be one of"),
    (dict(regularizer_weight=-1.), r'model\.fusion\.regularizer_weight=-1\.0 must be a number from 0 on'),
    (dict(regularizer_weight=True), r'model\.fusion\.regularizer_weight=True must'),
    (dict(init=float('nan')), r'model\.fusion\.init=nan must be a number from 0 on'),
    (dict(init=None), r'model\.fusion\.init=None must'),
    (dict(learning_rate_factor=0), r'model\.fusion\.learning_rate_factor=0 must be a positive number'),
    (dict(learning_rate_factor=float('inf')), r'model\.fusion\.learning_rate_factor=inf must'),
])
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        FusionOptions.of(options)
