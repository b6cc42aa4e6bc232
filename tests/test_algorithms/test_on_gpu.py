"""Whole iterations of searches on CUDA, pretended where there is no GPU: the numbers of a CPU, and few reads."""
import pytest
import torch

from helpers.small_search import CELLS, SPACE, build, build_method, iterate, optimisers, stage_batches, val_batches
from imtnas_mm.engine.optim import take_gradient_norms

SPACES = {  # options that make a space small, and the tasks whose heads fit it
    'MBConv': (SPACE, ('cls', 'det')),
    'two_path': (dict(SPACE, estimator='two_path'), ('cls', 'det')),
    'gumbel': (dict(SPACE, estimator='gumbel'), ('cls', 'det')),
    'DARTS': (CELLS, ('cell', 'cell2')),
    'PDARTS': (dict(CELLS, type='PDARTSSupernet', skip_dropout=.3), ('cell', 'cell2')),
    'PCDARTS': (dict(CELLS, type='PCDARTSSupernet', part=2), ('cell', 'cell2')),
    'PRDARTS': (dict(CELLS, type='PRDARTSSupernet'), ('cell', 'cell2')),
    'NASBench201': (dict(type='NASBench201Supernet', channels=16, cells=1, stem_stride=2), ('cell', 'cell2')),
}


METHODS = {  # but RandomSearch, which doesn't compute, and SingleTask over several tasks
    'MTLSAO': {}, 'MTLHWS': {}, 'MTLSWS': {}, 'MinibatchInterleaving': {}, 'SeparateInterleaving': {}, 'BMTAS': {},
    'MTLNAS': {}, 'SingleTask': dict(order=('cls', ), hypergradient='exact'),
}
SETTINGS = {  # of IMTNAS
    'finite differences': dict(hypergradient='finite_difference'),
    'first order': dict(hypergradient='first_order'),
    'stored weights': dict(encoder_weights=dict(type='StoredWeights')),
    'recomputed': dict(recompute='all'),
    'steps of A': dict(arch_steps=2),
    'encoders learn the task': dict(encoder_task_weight=.5),
    'no transfer': dict(transfer=None),
    'no transfer, first order': dict(transfer=None, hypergradient='first_order'),
    'no transfer, finite differences': dict(transfer=None, hypergradient='finite_difference'),
    'no transfer, encoders learn the task': dict(transfer=None, encoder_task_weight=.5),
    'a target of cost': dict(cost=dict(type='MACs', shape=16, target=2e5)),
    'relative': dict(transfer=dict(type='MMDTransfer', num_examples=4, num_augmentations=4, image_size=16)),
    'L2 of weights': dict(transfer=dict(type='L2Weights')),
    'L2 of embeddings': dict(transfer=dict(type='L2Embedding', num_examples=4, image_size=16)),
    'steps in the hypernetwork': dict(step_space='hypernetwork'),
    'stages step the hypernetwork': dict(hypernetwork_step='stage'),
    'the whole graph': dict(keep_graphs=True),
    'similarity': dict(transfer=dict(type='ExampleSimilarity', num_examples=4, image_size=16)),
}


def of_space(name):
    options, order = SPACES[name]
    return build(order, space=options, rounds=1)


def of_method(name):
    return build_method(name, **dict(dict(order=('cls', 'det')), **METHODS[name]))


def of_setting(name):
    return build(rounds=1, **SETTINGS[name])


def searched(make, device):
    """A search after one iteration, and its figures."""
    torch.manual_seed(0)
    model = make().to(device)
    clipped = dict(optimizer=dict(type='SGD', lr=.05, momentum=.9), clip_grad=dict(max_norm=.5))
    wrapper = optimisers(model, encoder=clipped, head=clipped)
    torch.manual_seed(1)
    return model, wrapper, {**iterate(model, wrapper), **take_gradient_norms(wrapper)}


def check_nothing_waits_for_a_copy(model, wrapper, pretended):
    """After the first iteration, what an iteration takes from the host is copied while the host goes on."""
    batches, val = stage_batches(model), val_batches(model)
    pretended.waits.clear()
    iterate(model, wrapper, 1, batches, val)
    assert not pretended.waits.total(), pretended.waits


def check_it_is_that_of_a_cpu(make, gpu, reads):
    plain, _, expected = searched(make, 'cpu')
    with gpu() as pretended:
        model, wrapper, figures = searched(make, 'cuda')
        near = 1e-6 if pretended else 1e-4  # images of transfers are resized in float32
        if pretended:
            assert pretended.reads.total() <= reads, pretended.reads
        state = {name: value.cpu().clone() for name, value in model.state_dict().items()}
        if pretended:
            check_nothing_waits_for_a_copy(model, wrapper, pretended)
        figures = {name: float(value) for name, value in figures.items()}
        kept = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        assert [name for name, tensor in kept.items() if not tensor.is_cuda] == []
    torch.manual_seed(0)
    before = make().state_dict()
    moved = 0
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(state[name], value, rtol=near, atol=.01 * near, equal_nan=True, msg=name)
        moved += not torch.equal(value.nan_to_num(), before[name].nan_to_num())
    expected = {name: float(value) for name, value in expected.items()}
    assert moved and figures == pytest.approx(expected, rel=near, abs=1e-12 if pretended else 1e-7)


@pytest.mark.parametrize('space', SPACES)
def test_an_iteration_is_that_of_a_cpu(space, gpu):
    check_it_is_that_of_a_cpu(lambda: of_space(space), gpu, 4)  # A for draws, sampled gates, finiteness twice


@pytest.mark.parametrize('method', METHODS)
def test_methods(method, gpu):
    check_it_is_that_of_a_cpu(lambda: of_method(method), gpu, 6)  # two As


@pytest.mark.parametrize('name', SETTINGS)
def test_settings(name, gpu):
    check_it_is_that_of_a_cpu(lambda: of_setting(name), gpu, 5)


@pytest.mark.parametrize('space', ['MBConv', 'DARTS', 'PCDARTS'])
def test_amp_and_tf32(space, real_gpu):
    """Near the gradients in float32, and finite; the pretended device computes neither."""
    options, order = SPACES[space]
    figures = {}
    for name, setting in dict(plain={}, amp=dict(amp=True), tf32=dict(tf32=True)).items():
        torch.manual_seed(0)
        model = build(order, space=options, rounds=1, dtype=torch.float32, **setting).to(real_gpu)
        torch.manual_seed(1)
        figures[name] = {key: float(value) for key, value in iterate(model, optimisers(model)).items()}
        assert all(parameter.isfinite().all() for parameter in model.parameters())
    losses = [key for key in figures['plain'] if 'loss' in key]
    assert losses
    for name in ('amp', 'tf32'):
        assert name == 'tf32' or figures[name] != figures['plain']  # TF32 may have no kernel for so small maps
        for key in losses:
            assert figures[name][key] == pytest.approx(figures['plain'][key], rel=.1, abs=.02), (name, key)
