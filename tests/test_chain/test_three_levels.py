"""The example of the docs: its gradient against the closed form, and against one graph of all steps."""
import importlib.util
from pathlib import Path

import pytest
import torch

from imtnas_mm.chain import difference_pullback

FILE = Path(__file__).parents[2] / 'docs' / 'examples' / 'three_levels.py'
STRENGTHS = torch.tensor([-1.5, -2.], dtype=torch.float64)


@pytest.fixture(scope='module')
def example():
    spec = importlib.util.spec_from_file_location('three_levels', FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def problem(example):
    return example.make_problem()


def slope(function):
    """The gradient of a function of (a, b) at STRENGTHS by autograd."""
    strengths = STRENGTHS.clone().requires_grad_()
    return torch.autograd.grad(function(strengths), strengths)[0]


def closed_form(example, problem, strengths, steps=None):
    """The validation loss after so many steps; at the optima of both levels by default.

    Gradient descent from 0 on a quadratic of Hessian H and optimum w* is at ``(1 - (1 - rate H)^steps) w*``.
    """
    def trained(x, y, log_strength):
        one = torch.eye(x.shape[1], dtype=x.dtype)
        hessian = x.T @ x / len(x) + log_strength.exp() * one
        optimum = torch.linalg.solve(hessian, x.T @ y / len(x))
        if steps is None:
            return optimum
        return optimum - torch.linalg.matrix_power(one - example.RATE * hessian, steps) @ optimum

    teacher = trained(problem.x, problem.y, strengths[0])
    return example.validation_loss(problem, trained(problem.z, problem.z @ teacher, strengths[1]))


def one_graph(example, problem, strengths, steps):
    """The validation loss with all steps in one graph."""
    # two starts: a gradient by one that both share would go through the teacher, too
    teacher, student = (torch.zeros(problem.x.shape[1], dtype=torch.float64, requires_grad=True) for _ in range(2))
    for _ in range(steps):
        loss = example.ridge_loss(problem.x, problem.y, teacher, strengths[0])
        teacher = teacher - example.RATE * torch.autograd.grad(loss, teacher, create_graph=True)[0]
    for _ in range(steps):
        loss = example.ridge_loss(problem.z, problem.z @ teacher, student, strengths[1])
        student = student - example.RATE * torch.autograd.grad(loss, student, create_graph=True)[0]
    return example.validation_loss(problem, student)


@pytest.mark.parametrize('steps', [1, 2, 7])
def test_it_is_the_gradient_of_one_graph(example, problem, steps):
    loss, actual = example.gradient(problem, STRENGTHS, steps)
    torch.testing.assert_close(loss, one_graph(example, problem, STRENGTHS, steps), rtol=1e-12, atol=0)
    torch.testing.assert_close(actual, slope(lambda s: one_graph(example, problem, s, steps)), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize('steps', [1, 7, 40])
def test_it_is_the_gradient_of_the_closed_form(example, problem, steps):
    loss, actual = example.gradient(problem, STRENGTHS, steps)
    torch.testing.assert_close(loss, closed_form(example, problem, STRENGTHS, steps), rtol=1e-11, atol=0)
    torch.testing.assert_close(actual, slope(lambda s: closed_form(example, problem, s, steps)), rtol=1e-10, atol=1e-13)


def test_many_steps_reach_the_gradient_at_the_optima(example, problem):
    expected = slope(lambda s: closed_form(example, problem, s))
    _, early = example.gradient(problem, STRENGTHS, 3)
    assert (early - expected).norm() / expected.norm() > 1e-2  # it takes steps
    _, actual = example.gradient(problem, STRENGTHS, 400)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)


def test_differences_agree_and_constant_gradients_do_not(example, problem):
    _, exact = example.gradient(problem, STRENGTHS, 5)
    _, actual = example.gradient(problem, STRENGTHS, 5, pullback=difference_pullback)
    torch.testing.assert_close(actual, exact, rtol=1e-6, atol=1e-9)
    _, constant = example.gradient(problem, STRENGTHS, 5, pullback=None)
    assert torch.equal(constant, torch.zeros(2, dtype=torch.float64)) and exact.abs().min() > 1e-4


def test_memory_is_that_of_one_step(example, problem):
    """The tensors that graphs keep at one time are as many for 40 steps as for 4."""
    def most_kept(function):
        alive, most = set(), 0

        class Kept:

            def __init__(self, tensor):
                nonlocal most
                self.tensor = tensor
                alive.add(id(self))
                most = max(most, len(alive))

            def __del__(self):
                alive.discard(id(self))

        with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
            function()
        assert not alive
        return most

    few, many = (most_kept(lambda steps=steps: example.gradient(problem, STRENGTHS, steps)) for steps in (4, 40))
    assert few == many > 0
    whole = [most_kept(lambda steps=steps: slope(lambda s: one_graph(example, problem, s, steps))) for steps in (4, 40)]
    assert whole[0] > 4 * few and whole[1] > 9 * whole[0]


def test_it_runs_and_finds_better_strengths(example, capsys):
    example.main()
    losses = [float(line.rpartition(' ')[2]) for line in capsys.readouterr().out.splitlines()]
    assert len(losses) == 6 and losses == sorted(losses, reverse=True) and losses[-1] < .8 * losses[0]
