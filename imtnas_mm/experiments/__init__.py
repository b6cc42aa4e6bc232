"""Comparisons of methods: declared experiments, their runs, records and tables."""
from .declaration import Experiment, ExperimentError, load_experiment
from .run import Run, plan_runs

__all__ = ['Experiment', 'ExperimentError', 'Run', 'load_experiment', 'plan_runs']
