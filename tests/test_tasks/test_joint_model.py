"""A joint model against its tasks' models one by one."""
import copy

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import MODELS as ROOT_MODELS
from torch import nn

from helpers import tiny_run as tiny
from helpers.small_search import classification_batch, detection_batch
from helpers.tiny_run import scope_put_back  # noqa: F401
from imtnas_mm.analysis.complexity import count_parameters
from imtnas_mm.genotype import GenotypeError, published_genotype, save_genotype
from imtnas_mm.networks.shared import shared_networks
from imtnas_mm.registry import MODELS
from imtnas_mm.spaces import MBConvNet

SIZE = 32


def build(**options):
    config = tiny.joint_model(**options)
    config['tasks']['cls']['model']['head']['dropout'] = 0.
    return MODELS.build(dict(config, type='imtnas_mm.JointModel'))


def initialised(model):
    model.init_weights()
    return model


def batches():
    small = classification_batch()
    small['inputs'] = [torch.randint(0, 256, (3, SIZE, SIZE), dtype=torch.uint8) for _ in small['inputs']]
    return dict(cls=small, det=detection_batch(size=SIZE))


def preprocessed(model, raw, dtype=torch.float64):
    actual = model.data_preprocessor(raw, True)
    for batch in actual['batches'].values():
        batch['inputs'] = batch['inputs'].to(dtype)
    return actual['batches']


FUSION = dict(method='fusion', tasks=['cls', 'det'], edges=[['det', 5, 'cls', 2], ['cls', 3, 'det', 3]])


@pytest.mark.parametrize('sharing', [None, FUSION], ids=['branching', 'fusion'])
def test_what_is_shared_has_the_weighted_sum_of_the_tasks_gradients(sharing):
    backbone = tiny.joint_model()['backbone']
    if sharing is not None:
        backbone['architecture']['sharing'] = sharing
    model = initialised(build(backbone=backbone, loss_weights=dict(det=.3))).double().train()
    data = preprocessed(model, batches())
    parameters = dict(model.named_parameters())
    expected = {name: torch.zeros_like(p) for name, p in parameters.items()}
    reached = {name: 0 for name in parameters}
    total = 0
    for task, weight in dict(cls=1., det=.3).items():
        own = model.tasks[task]
        loss, _ = own.parse_losses(own(**data[task], mode='loss'))
        total += weight * loss.item()
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        for name, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                expected[name] += weight * gradient
                reached[name] += 1
    loss, figures = model.parse_losses(model(data, mode='loss'))
    loss.backward()
    assert loss.item() == pytest.approx(total, rel=1e-12) and figures['loss'] is loss
    assert {'cls/loss', 'det/loss', 'det/loss_cls', 'det/loss_bbox'} <= set(figures)
    shared = [name for name, number in reached.items() if number == 2]
    stem = 'stem' if sharing is None else 'networks.cls.stem'
    assert f'tasks.cls.backbone.{stem}.conv.weight' in shared and 'tasks.cls.head.fc.weight' not in shared
    assert set(reached.values()) == {1, 2}
    for name, p in parameters.items():
        torch.testing.assert_close(p.grad, expected[name], rtol=1e-9, atol=1e-14)


def test_with_nothing_shared_each_task_learns_what_it_learns_alone():
    model = initialised(build(rows=lambda i: (0, 1)))
    alone = {}
    for name in model.order:
        config = copy.deepcopy(tiny.TASKS[name])
        if name == 'cls':
            config['model']['head']['dropout'] = 0.
        backbone = dict(tiny.joint_model()['backbone'], type='imtnas_mm.MBConvNet', **config.get('backbone', {}))
        alone[name] = ROOT_MODELS.build(dict(config['model'], backbone=backbone, _scope_=model.scopes[name]))
        alone[name].load_state_dict(model.tasks[name].state_dict())
    raw = [batches() for _ in range(3)]

    def trained(network, data):
        wrapper = OptimWrapper(torch.optim.SGD(network.parameters(), lr=.05))
        network.train()
        return [network.train_step(batch, wrapper) for batch in copy.deepcopy(data)]

    figures = trained(model, raw)
    start = {name: {key: value.clone() for key, value in network.state_dict().items()}
             for name, network in alone.items()}
    for name, network in alone.items():
        losses = trained(network, [batch[name] for batch in raw])
        assert [step[f'{name}/loss'].item() for step in figures] == [step['loss'].item() for step in losses]
        actual = model.tasks[name].state_dict()
        assert any(not torch.equal(actual[key], start[name][key]) for key in actual)
        for key, value in network.state_dict().items():
            assert torch.equal(actual[key], value), (name, key)


def test_parameters_are_the_branches_and_the_heads():
    model = build()
    backbones = tiny.joint_model()['backbone']
    architecture = backbones.pop('architecture')
    single = MBConvNet(dict(architecture), **backbones)
    blocks = single.blocks(list(architecture['sharing']['blocks']))
    sizes = {name: sum(count_parameters(single.get_submodule(path)) for path in paths)
             for name, paths in blocks.items()}
    branches = sum(len(set(copies)) * sizes[name] for name, copies in architecture['sharing']['blocks'].items())
    heads = sum(p.numel() for task in model.tasks.values() for name, p in task.named_parameters()
                if not name.startswith('backbone.'))
    assert count_parameters(model) == branches + heads
    assert branches < 2 * count_parameters(single)


def test_running_statistics_see_the_tasks_in_turn():
    model = initialised(build()).train()
    data = preprocessed(model, batches(), torch.float32)
    conv, norm = model.tasks['cls'].backbone.stem.conv, model.tasks['det'].backbone.stem.bn
    assert norm is model.tasks['cls'].backbone.stem.bn
    expected = norm.running_mean.clone()
    for name in ('cls', 'det'):  # momentum .5
        expected = .5 * expected + .5 * conv(data[name]['inputs']).mean((0, 2, 3)).detach()
    model(data, mode='loss')
    torch.testing.assert_close(norm.running_mean, expected)
    assert norm.num_batches_tracked == 2


def test_a_tasks_entries_are_a_model_of_its_own():
    """What is shared stands under each task's name, and is one tensor."""
    model = initialised(build()).train()
    model(preprocessed(model, batches(), torch.float32), mode='loss')
    state = model.state_dict()
    name = 'backbone.stem.conv.weight'
    assert state[f'tasks.cls.{name}'].data_ptr() == state[f'tasks.det.{name}'].data_ptr()
    name = next(key.removeprefix('tasks.cls.') for key in state if 'cls.backbone.layers.layer19' in key)
    assert state[f'tasks.cls.{name}'].data_ptr() != state[f'tasks.det.{name}'].data_ptr()
    config = copy.deepcopy(tiny.TASKS['cls']['model'])
    alone = ROOT_MODELS.build(dict(
        config, backbone=dict(tiny.joint_model()['backbone'], type='imtnas_mm.MBConvNet'), _scope_='mmpretrain'))
    alone.load_state_dict({key.removeprefix('tasks.cls.'): value for key, value in state.items()
                           if key.startswith('tasks.cls.')})
    raw = batches()['cls']
    single, other = (network.eval().test_step(copy.deepcopy(raw)) for network in (model.tasks['cls'], alone))
    assert all(torch.equal(a.pred_score, b.pred_score) for a, b in zip(single, other, strict=True))


def test_mixed_precision(monkeypatch):
    """mmengine's wrapper refuses a CPU, where the model and bfloat16 work as well."""
    monkeypatch.setattr('mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available', lambda: True)
    model, raw = initialised(build()).train(), batches()
    plain = copy.deepcopy(model)
    seen = []
    model.tasks['cls'].head.fc.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    sgd = [torch.optim.SGD(network.parameters(), lr=.01) for network in (model, plain)]
    half = model.train_step(copy.deepcopy(raw), AmpOptimWrapper(optimizer=sgd[0], dtype='bfloat16'))
    full = plain.train_step(copy.deepcopy(raw), OptimWrapper(sgd[1]))
    assert seen == [torch.bfloat16] and {p.dtype for p in model.parameters()} == {torch.float32}
    for name in ('loss', 'cls/loss', 'det/loss'):  # bfloat16 has 8 bits
        assert half[name] != full[name] and half[name].item() == pytest.approx(full[name].item(), rel=.05)


def test_a_backbone_that_holds_derived_networks_is_initialised(monkeypatch):
    """Such as one that reads other tasks' features."""
    class Holder(nn.Module):

        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, x):
            return self.network(x)

    monkeypatch.setattr('imtnas_mm.tasks.joint_model.shared_networks', lambda *args: nn.ModuleDict({
        name: Holder(network) for name, network in shared_networks(*args).items()}))
    model = initialised(build())
    networks = [model.tasks[name].backbone.network for name in model.order]
    assert all(isinstance(network, MBConvNet) and network.is_init for network in networks)
    assert model(preprocessed(model, batches(), torch.float32), mode='loss')['det']['loss_cls']


def refused(message, error=ValueError, **options):
    with pytest.raises(error, match=message):
        build(**options)


def test_refused(tmp_path):
    backbone = tiny.joint_model()['backbone']
    alone = tmp_path / 'alone.json'
    save_genotype(published_genotype('fairnas_a'), alone)
    refused(r'alone\.json: sharing: is missing; a joint model', backbone=dict(backbone, architecture=str(alone)))
    refused('^fairnas_a: sharing: is missing', backbone=dict(backbone, architecture='fairnas_a'))
    refused("'gone.json'.*configs/bmtas_", GenotypeError, backbone=dict(backbone, architecture='gone.json'))
    refused(r'model\.backbone\.architecture: is missing', backbone=dict(width_mult=.1))
    refused(r"model\.backbone\.type: 'MBConvNet'; leave it out", backbone=dict(backbone, type='MBConvNet'))
    other = tmp_path / 'other.json'
    save_genotype(tiny.shared_architecture(('cls', 'seg'), lambda i: (0, 1)), other)
    refused(r"other\.json: sharing\.tasks: \['cls', 'seg'\]; model\.tasks of the config has \['cls', 'det'\]",
            backbone=dict(backbone, architecture=str(other)))
    refused("model.loss_weights names the unknown task 'dte'", loss_weights=dict(dte=1))
    for task, message in (
        (dict(model={}), r'model\.tasks\.det\.type: is missing'),
        (dict(type='DetectionTask'), r'model\.tasks\.det\.model: is missing'),
        (dict(type='MBConvNet', model={}), r"model\.tasks\.det\.type: 'MBConvNet'; it must be Classif"),
        (dict(type='NoTask', model={}), r"model\.tasks\.det\.type: 'NoTask'; it must be Classif"),
        (dict(type='DetectionTask', model=dict(backbone=3)), r'model\.tasks\.det\.model\.backbone: 3; .*det.back'),
        (dict(type='DetectionTask', model={}, neck=1), r'model\.tasks\.det\.neck: 1; unknown field'),
    ):
        refused(message, tasks=dict(cls=tiny.TASKS['cls'], det=task))
    task = dict(tiny.TASKS['det'], backbone=dict(norm_eval=True))
    refused(r'det\.backbone\.norm_eval: True', tasks=dict(cls=tiny.TASKS['cls'], det=task))
