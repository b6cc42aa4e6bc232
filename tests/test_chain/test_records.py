"""Each kind of record passes on the right adjoints, in numbers."""
import pytest
import torch

from imtnas_mm.chain import Adjoints, GradientStep, Map, StepRule, Variable, WeightedSum, exact_pullback, sweep


def number(value, **options):
    return Variable(torch.tensor(value, dtype=torch.float64), **options)


def pulled(records, result, outer, pullback=exact_pullback, adjoint=1.):
    """The adjoints of ``outer`` that a sweep makes of the adjoint of one result; ``None`` where it makes none."""
    adjoints = Adjoints()
    adjoints.add([result], [torch.full_like(result.value, adjoint)])
    sweep(records, adjoints, pullback)
    actual = [adjoints.take(variable) for variable in outer]
    assert not adjoints.others
    return [part if part is None else part.item() for part in actual]


def cubic(inner, outer, data):
    """f = x^2 z: df/dx = 2 x z."""
    return inner[0]**2 * outer[0]


def test_a_step_and_its_pullback():
    x, z = number(3.), number(2.)
    step = GradientStep.take(cubic, [x], [z], [.1])
    assert step.after[0].value.item() == pytest.approx(3 - .1 * 12)  # y = x - .2 x z
    assert pulled([step], step.after[0], [x, z], adjoint=5.) == pytest.approx([5 * (1 - .4), 5 * -.6])
    assert pulled([step], step.after[0], [x, z], None, 5.) == [5., None]  # df/dx as a constant


def test_an_inactive_step_is_not_computed_again():
    def refuse(*args):
        raise AssertionError('the loss is asked')

    x, y, z = number(3.), number(3.), number(2.)
    assert pulled([GradientStep(refuse, [x], [y], [z], [.1], active=False)], y, [x, z]) == [1., None]


def test_nothing_is_computed_where_no_adjoint_arrives():
    def refuse(*args):
        raise AssertionError('the function is asked')

    x, y = number(3.), number(1.)
    records = [Map(refuse, [x], [number(2.)]), GradientStep(refuse, [x], [number(2.)], [], [.1]),
               WeightedSum(number(2.), [(x, 1.)])]
    assert pulled(records, y, [y, x]) == [1., None]


def test_two_variables_step_together():
    """f = x1 x2 z: y1 = x1 - r1 x2 z, y2 = x2 - r2 x1 z; only y1 has an adjoint."""
    x, z = [number(2.), number(5.)], number(3.)
    step = GradientStep.take(lambda inner, outer, data: inner[0] * inner[1] * outer[0], x, [z], [.1, .2])
    assert [y.value.item() for y in step.after] == pytest.approx([2 - 1.5, 5 - 1.2])
    assert pulled([step], step.after[0], [*x, z]) == pytest.approx([1., -.1 * 3, -.1 * 5])


def test_constants_take_nothing():
    x, z = number(3., constant=True), number(2.)
    step = GradientStep.take(cubic, [x], [z], [.1])
    assert pulled([step], step.after[0], [x, z]) == [None, pytest.approx(-.6)]


def test_a_map_of_several_results():
    x = [number(2.), number(5.)]
    y = [number(10.), number(4.), number(7.)]
    record = Map(lambda x: [x[0] * x[1], x[0]**2, torch.tensor(7., dtype=torch.float64)], x, y)
    assert pulled([record], y[0], x) == [5., 2.]
    assert pulled([record], y[1], x) == [4., 0.]
    assert pulled([record], y[2], x) == [None, None]  # it depends on no input


def test_a_sum_passes_its_adjoint_by_weights():
    x, y = [number(1.), number(2.)], number(6.)
    record = WeightedSum(y, [(x[0], 1.), (x[1], 2.5)])
    assert pulled([record], y, x, adjoint=2.) == [2., 5.]


def test_adjoints_of_all_later_records_are_summed():
    """y = x - rate 2 x z, s = 3 y + x: both ways to x count."""
    x, z, s = number(3.), number(2.), number(0.)
    step = GradientStep.take(cubic, [x], [z], [.1])
    records = [step, WeightedSum(s, [(step.after[0], 3.), (x, 1.)])]
    assert pulled(records, s, [x, z]) == pytest.approx([3 * .6 + 1, 3 * -.6])


def test_shared_adjoints_start_as_zeros_and_leave_the_parts_alone():
    x, other = number(3.), number(1.)
    adjoints, part = Adjoints([x, other]), torch.tensor(2., dtype=torch.float64)
    for _ in range(2):
        adjoints.add([x], [part])
    assert part == 2 and adjoints.take(x) == 4 and adjoints.take(other) == 0


def test_the_value_of_a_variable_can_be_made_when_it_is_asked_for():
    calls = []
    x = Variable(lambda: calls.append(0) or torch.tensor(3., dtype=torch.float64))
    step = GradientStep(cubic, [x], [number(1.8)], [number(2.)], [.1])
    assert not calls
    pulled([step], step.after[0], [x, step.outer[0]])
    assert len(calls) == 1


def test_a_second_pass_takes_the_mean_of_the_adjoints():
    """Two processes with data 2 and 4, adjoints 1 and 3: f_r = x^2 z d_r / 2, y = x - rate mean_r(x z d_r)."""
    z, results = number(2.), []
    for data, adjoint in ((2., 1.), (4., 3.)):
        x = number(3.)
        step = GradientStep(lambda inner, outer, d: cubic(inner, outer, d) * d / 2, [x], [number(0.)], [z], [.1],
                            lambda data=data: data, mean=lambda tensors: [torch.full_like(t, 2.) for t in tensors])
        results.append(pulled([step], step.after[0], [x, z], adjoint=adjoint))
    mean = [sum(parts) / 2 for parts in zip(*results, strict=True)]
    assert mean == pytest.approx([2 * (1 - .1 * 2 * 3), 2 * -.1 * 3 * 3])


def test_a_step_keeps_a_share_of_its_variable():
    """y = a x - rate 2 x z; with a = 0 and rate = -1 it is the gradient itself."""
    for share, rate in ((.5, .1), (0., -1.)):
        x, z = number(3.), number(2.)
        step = GradientStep.take(cubic, [x], [z], [rate], shares=[share])
        assert step.after[0].value.item() == pytest.approx(share * 3 - rate * 12)
        expected = [5 * (share - rate * 4), 5 * -rate * 6]
        assert pulled([step], step.after[0], [x, z], adjoint=5.) == pytest.approx(expected)
        assert pulled([step], step.after[0], [x, z], None, 5.) == [5 * share if share else None, None]


@pytest.mark.parametrize('options', [
    dict(), dict(weight_decay=.1), dict(momentum=.9), dict(momentum=.9, dampening=.3, weight_decay=.1),
    dict(momentum=.9, nesterov=True, weight_decay=.1)], ids=str)
def test_a_rule_steps_as_sgd_of_pytorch(options):
    torch.manual_seed(0)
    parameter = torch.randn(5, dtype=torch.float64, requires_grad=True)
    optimizer, value, buffer = torch.optim.SGD([parameter], .2, **options), parameter.detach().clone(), None
    for i in range(3):
        parameter.grad = gradient = torch.randn_like(parameter)
        optimizer.step()
        rule, u = StepRule(.2, first=i == 0, **options), gradient.clone().requires_grad_()
        stepped, kept = rule.step(value, u, buffer)
        torch.testing.assert_close(stepped, parameter, rtol=0, atol=1e-15)
        slope, = torch.autograd.grad(stepped.sum(), u)
        torch.testing.assert_close(slope, torch.full_like(u, -rule.gradient_rate), rtol=0, atol=1e-15)
        value, buffer = stepped.detach(), None if kept is None else kept.detach()
