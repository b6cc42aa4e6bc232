"""Gradients through a chain of gradient steps, with the graph of one step at a time; independent of searches."""
from .adjoints import Adjoints, Variable
from .gradient_step import GradientStep
from .gradients import gradients, leaves
from .hypergradient import hypergradient
from .maps import Map, WeightedSum
from .pullbacks import KeptGradient, Pullback, difference_pullback, exact_pullback
from .record import Record, sweep
from .second_derivative import SecondDerivativeError, check_twice_differentiable
from .step_rule import StepRule

__all__ = [
    'Adjoints', 'GradientStep', 'KeptGradient', 'Map', 'Pullback', 'Record', 'SecondDerivativeError', 'StepRule',
    'Variable', 'WeightedSum', 'check_twice_differentiable', 'difference_pullback', 'exact_pullback', 'gradients',
    'hypergradient', 'leaves', 'sweep'
]
