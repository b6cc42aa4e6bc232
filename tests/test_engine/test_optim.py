import pytest
import torch

from helpers.small_search import build
from imtnas_mm.engine import SearchOptimWrapperConstructor
from imtnas_mm.engine.optim import take_gradient_norms


def sgd(**options):
    return dict(dict(optimizer=dict(type='SGD', lr=.1)), **options)


def held(wrapper):
    return [id(p) for group in wrapper.param_groups for p in group['params']]


def test_every_parameter_is_in_the_optimiser_of_its_part_alone():
    model = build()
    wrappers = SearchOptimWrapperConstructor(dict(encoder=sgd(), head=sgd(), architecture=sgd()))(model)
    parts = dict(encoder=model.encoder_weights, head=model.heads, architecture=model.architecture)
    for name, part in parts.items():
        assert sorted(held(wrappers[name])) == sorted(id(p) for p in part.parameters())
    everything = [i for name in parts for i in held(wrappers[name])]
    assert len(everything) == len(set(everything))
    assert set(everything) == {id(p) for p in model.parameters()}
    alphas = {id(alpha) for alpha in model.architecture.named_alphas().values()}
    assert alphas == set(held(wrappers['architecture'])) and alphas


def test_options_of_a_part_are_its_own():
    wrappers = SearchOptimWrapperConstructor(dict(
        encoder=sgd(clip_grad=dict(max_norm=5., norm_type=2)),
        head=sgd(paramwise_cfg=dict(bias_decay_mult=0.), optimizer=dict(type='SGD', lr=.2, weight_decay=.1)),
        architecture=dict(optimizer=dict(type='Adam', lr=.3))))(build())
    assert [wrappers[name].get_lr()['lr'][0] for name in ('encoder', 'head', 'architecture')] == [.1, .2, .3]
    assert wrappers['encoder'].clip_grad_kwargs == dict(max_norm=5., norm_type=2)
    assert wrappers['encoder'].grad_name == 'encoder.grad_norm' and not wrappers['head'].clip_grad_kwargs
    assert {group['weight_decay'] for group in wrappers['head'].param_groups} == {0., .1}


@pytest.mark.parametrize('changes, message', [
    (dict(head=None), r"optim_wrapper has \['architecture', 'encoder'\]; a search takes"),
    (dict(heads=sgd()), r"optim_wrapper has \['architecture', 'encoder', 'head', 'heads'\]; a search takes"),
    (dict(head=sgd(accumulative_counts=2)), 'optim_wrapper.head=.*accumulative_counts.*steps once per iteration'),
    (dict(encoder=sgd(type='AmpOptimWrapper')), 'optim_wrapper.encoder=.*AmpOptimWrapper.*model.amp=True'),
    (dict(encoder=sgd(paramwise_cfg=dict(norm_decay_mult=0., flat_decay_mult=0.))),
     r"optim_wrapper.encoder.paramwise_cfg has \['flat_decay_mult', 'norm_decay_mult'\].*encoder_weights has none; it"),
    (dict(architecture=sgd(paramwise_cfg=dict(bias_lr_mult=2.))), r'optim_wrapper.architecture.paramwise_cfg has \['),
])
def test_refused(changes, message):
    config = dict(dict(encoder=sgd(), head=sgd(), architecture=sgd()), **changes)
    config = {name: value for name, value in config.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        SearchOptimWrapperConstructor(config)


@pytest.mark.parametrize('part', ['encoder', 'head', 'architecture'])
def test_keys_that_no_parameter_has_are_refused(part):
    parts = dict(encoder=sgd(), head=sgd(), architecture=sgd())
    parts[part] = sgd(paramwise_cfg=dict(custom_keys=dict(stem=dict(lr_mult=0.))))
    with pytest.raises(ValueError, match=rf'optim_wrapper.{part}.paramwise_cfg.custom_keys.stem: no parameter has it'):
        SearchOptimWrapperConstructor(parts)(build())


def test_options_for_all_parts_are_refused():
    with pytest.raises(ValueError, match='optim_wrapper.paramwise_cfg: give it to optim_wrapper.encoder'):
        SearchOptimWrapperConstructor(dict(encoder=sgd()), dict(bias_decay_mult=0.))


def test_norms_of_clipped_gradients_are_means_over_steps():
    wrappers = SearchOptimWrapperConstructor(dict(
        encoder=sgd(clip_grad=dict(max_norm=1.)), head=sgd(clip_grad=dict(type='value', clip_value=.5)),
        architecture=sgd()))(build())
    parameters = [p for group in wrappers['encoder'].param_groups for p in group['params']]
    norms = []
    for scale in (.5, 3.):
        for p in parameters:
            p.grad = torch.full_like(p, scale)
        norms.append(scale * sum(p.numel() for p in parameters)**.5)
        wrappers['encoder'].step()
        assert torch.cat([p.grad.flatten() for p in parameters]).norm() == pytest.approx(min(norms[-1], 1.), rel=1e-5)
    for group in wrappers['head'].param_groups:
        group['params'][0].grad = torch.full_like(group['params'][0], 2.)
    wrappers['head'].step()
    assert group['params'][0].grad.unique().tolist() == [.5]
    assert {name: value.item() for name, value in take_gradient_norms(wrappers).items()} == {
        'encoder.grad_norm': pytest.approx(sum(norms) / 2, rel=1e-5)}
    assert take_gradient_norms(wrappers) == {}
