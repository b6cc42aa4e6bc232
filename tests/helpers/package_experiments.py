"""The experiments of configs/experiments/, each read and planned once."""
import copy
import functools

from imtnas_mm.experiments import load_experiment, plan_runs

from . import tiny_run as tiny

FOLDER = tiny.ROOT / 'configs' / 'experiments'
EXPERIMENTS = sorted(path.stem for path in FOLDER.glob('*.py'))


@functools.cache
def _planned(name, seeds):
    experiment = load_experiment(FOLDER / f'{name}.py')
    return experiment, plan_runs(experiment, seeds=experiment.seeds[:seeds])


def planned(name, seeds=1):
    """(experiment, the runs of its first seeds), a copy: a test may build models of the configs, which changes them."""
    return copy.deepcopy(_planned(name, seeds))
