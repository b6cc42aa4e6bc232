"""Two ridge strengths through two levels of training: a three-level problem that is no search.

python docs/examples/three_levels.py

Level 1  a teacher w learns labels:          w = argmin |X w - y|^2 / 2n + exp(a) |w|^2 / 2
Level 2  a student v learns the teacher:     v = argmin |Z v - Z w|^2 / 2m + exp(b) |v|^2 / 2
Level 3  a and b are judged by the student:  min over (a, b) of |X' v - y'|^2 / 2p

Both trainings are steps of gradient descent, of which imtnas_mm.chain keeps one record each. The gradient by (a, b)
goes back through all of them, and at no time is there a graph of more than one step.
"""
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from imtnas_mm.chain import GradientStep, Record, Variable, hypergradient

RATE = .5  # of gradient descent


class Problem(NamedTuple):
    """``x`` [n, D] and ``y`` [n] teach the teacher, ``z`` [m, D] the student; ``x_val``, ``y_val`` judge it."""
    x: Tensor
    y: Tensor
    z: Tensor
    x_val: Tensor
    y_val: Tensor


def make_problem(size: int = 6, number: int = 20, noise: float = .5, seed: int = 0) -> Problem:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    truth, x, z, x_val = normal(size), normal(number, size), normal(number, size), normal(number, size)
    return Problem(x, x @ truth + noise * normal(number), z, x_val, x_val @ truth + noise * normal(number))


def ridge_loss(x: Tensor, y: Tensor, weights: Tensor, log_strength: Tensor) -> Tensor:
    return ((x @ weights - y)**2).mean() / 2 + log_strength.exp() * (weights**2).sum() / 2


def descend(loss: Callable, start: Variable, outer: list[Variable], steps: int,
            records: list[Record]) -> Variable:
    """Steps of gradient descent, whose records it appends; returns where they end."""
    weights = start
    for _ in range(steps):
        record = GradientStep.take(loss, [weights], outer, [RATE])
        records.append(record)
        weights, = record.after
    return weights


def train(problem: Problem, a: Variable, b: Variable, steps: int) -> tuple[Variable, list[Record]]:
    """Levels 1 and 2: the student, and the records of both trainings."""
    start = Variable(torch.zeros(problem.x.shape[1], dtype=problem.x.dtype), constant=True)
    records: list[Record] = []

    def teacher_loss(inner: list[Tensor], outer: list[Tensor], data: tuple) -> Tensor:
        (w, ), (log_strength, ) = inner, outer
        return ridge_loss(problem.x, problem.y, w, log_strength)

    teacher = descend(teacher_loss, start, [a], steps, records)

    def student_loss(inner: list[Tensor], outer: list[Tensor], data: tuple) -> Tensor:
        (v, ), (log_strength, w) = inner, outer
        return ridge_loss(problem.z, problem.z @ w, v, log_strength)

    return descend(student_loss, start, [b, teacher], steps, records), records


def validation_loss(problem: Problem, student: Tensor) -> Tensor:
    return ((problem.x_val @ student - problem.y_val)**2).mean() / 2


def gradient(problem: Problem, strengths: Tensor, steps: int, **options) -> tuple[Tensor, Tensor]:
    """Level 3: the validation loss and its gradient by (a, b), [2]; options are those of ``hypergradient``."""
    a, b = (Variable(value) for value in strengths)
    student, records = train(problem, a, b, steps)
    loss, parts = hypergradient(lambda results, outer: validation_loss(problem, results[0]), [student], [a, b], records,
                                **options)
    return loss, torch.stack(parts)


def main() -> None:
    problem, strengths = make_problem(), torch.tensor([0., 0.], dtype=torch.float64)
    for iteration in range(101):
        loss, slope = gradient(problem, strengths, steps=30)
        if iteration % 20 == 0:
            print(f'{iteration:3d}  a {strengths[0]:6.3f}  b {strengths[1]:6.3f}  validation loss {loss:.4f}')
        strengths = strengths - slope


if __name__ == '__main__':
    main()
