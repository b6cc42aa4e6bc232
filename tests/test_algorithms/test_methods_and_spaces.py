"""Every registered search method on the MBConv space and on a cell space; those that wrap or sweep a space, on more."""
import copy
import inspect

import pytest
import torch

from helpers.small_search import CELLS, SPACE, TRANSFER, assert_same, images, iterate, optimisers
from helpers.small_search import build_method as build
from imtnas_mm.algorithms.base import SearchAlgorithm
from imtnas_mm.genotype import load_genotype, save_genotype
from imtnas_mm.networks.build import build_network, shared_options
from imtnas_mm.networks.shared import shared_networks
from imtnas_mm.progress import Progress
from imtnas_mm.registry import MODELS
from imtnas_mm.spaces.base import SearchSpace

SPACES = {  # options that make a space small, and the tasks whose heads fit it
    'MBConvSupernet': (dict(SPACE, estimator='two_path'), ('cls', 'cls2')),
    'DARTSSupernet': (CELLS, ('cell', 'cell2')),
    'PDARTSSupernet': (dict(CELLS, type='PDARTSSupernet', skip_dropout=.3), ('cell', 'cell2')),
    'PCDARTSSupernet': (dict(CELLS, type='PCDARTSSupernet', part=2), ('cell', 'cell2')),
    'PRDARTSSupernet': (dict(CELLS, type='PRDARTSSupernet'), ('cell', 'cell2')),
    'NASBench201Supernet': (dict(type='NASBench201Supernet', channels=16, cells=1, stem_stride=2), ('cell', 'cell2')),
}
OPTIONS = {'IMTNAS': dict(encoder_weights=dict(type='HyperNetwork'), transfer=TRANSFER)}
UNMOVED = ('RandomSearch', )  # A is drawn, and stays
EPOCHS = 4


def registered(base):
    return sorted(name for name, kind in MODELS.module_dict.items()
                  if inspect.isclass(kind) and issubclass(kind, base) and not inspect.isabstract(kind)
                  and kind.__module__.startswith('imtnas_mm.'))  # other tests register spaces of their own


METHODS = registered(SearchAlgorithm)
CELL_SPACES = [space for space in SPACES if space != 'MBConvSupernet']
PAIRS = [  # in turn a cell space; PR-DARTS draws edges, and has a loss of its own
    (method, space) for i, method in enumerate(METHODS) for space in SPACES
    if method == 'IMTNAS' or space in ('MBConvSupernet', CELL_SPACES[i % len(CELL_SPACES)])
    or method in ('BMTAS', 'MTLNAS') and space == 'PRDARTSSupernet']


def test_all_spaces_are_here():
    assert registered(SearchSpace) == sorted(SPACES)


def search(method, space, seed=0):
    options, order = SPACES[space]
    order = order[:1] if method == 'SingleTask' else order
    torch.manual_seed(seed)
    model = build(method, order=order, dtype=torch.float32, space=options, **OPTIONS.get(method, {}))
    return model, optimisers(model)


def iterations(model, wrapper, numbers):
    for i in numbers:
        torch.manual_seed(100 + i)  # of the data
        model.set_progress(Progress(i, EPOCHS, 0, i / (EPOCHS - 1)))
        figures = iterate(model, wrapper, i)
        assert all(torch.as_tensor(value).isfinite().all() for value in figures.values())


@pytest.mark.parametrize('method, space', PAIRS)
def test_it_searches_resumes_and_derives(method, space, tmp_path):
    model, wrapper = search(method, space)
    start = copy.deepcopy(dict(model.named_parameters()))
    iterations(model, wrapper, [1])
    kept = copy.deepcopy((model.state_dict(), wrapper.state_dict()))
    iterations(model, wrapper, [2])  # of separate interleaving, another task's

    alphas = {name: p for name, p in model.named_parameters() if name.startswith('architecture.')}
    moved = [name for name, p in alphas.items() if not torch.equal(p, start[name])]
    assert moved == ([] if method in UNMOVED else list(alphas))
    weights = [name for name, p in model.named_parameters() if name not in alphas and not torch.equal(p, start[name])]
    assert bool(weights) == (method not in UNMOVED)
    assert all(p.isfinite().all() for p in model.parameters())

    resumed, other = search(method, space, seed=1)
    resumed.load_state_dict(kept[0])
    other.load_state_dict(kept[1])
    iterations(resumed, other, [2])
    assert_same(model.state_dict(), resumed.state_dict())

    save_genotype(model.derive(), tmp_path / 'architecture.json')
    genotype = load_genotype(tmp_path / 'architecture.json')
    assert genotype.architecture == model.derive().architecture
    options = SPACES[space][0]
    small = shared_options(genotype.space, options)
    network = build_network(genotype, **small)
    networks = [network] if genotype.sharing is None else shared_networks(genotype, **small).values()
    for one in networks:
        assert all(feature.isfinite().all() for feature in one.eval()(torch.stack(images(2, 32)).float()))
