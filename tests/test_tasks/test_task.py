"""A task must be its library's model, weights apart."""
import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS as ROOT_MODELS

from helpers.small_search import (
    BATCH_NORM,
    CLASSIFIER,
    DETECTOR,
    SPACE,
    TASKS,
    classification_batch,
    detection_batch,
    images,
)
from imtnas_mm.registry import MODELS

BATCHES = dict(cls=classification_batch, det=detection_batch)
SCOPES = dict(cls='mmpretrain', det='mmdet')


def build_task(name, **changes):
    return MODELS.build(dict(dict(copy.deepcopy(TASKS[name]), search_space=SPACE), **changes))


def build_reference(name, task):
    """The library's own model around a real supernet, and its weights and gates."""
    space = dict(SPACE, **TASKS[name].get('backbone', {}), type='imtnas_mm.MBConvSupernet')
    config = dict(dict(cls=CLASSIFIER, det=DETECTOR)[name], backbone=space, _scope_=SCOPES[name])
    model = ROOT_MODELS.build(ConfigDict(copy.deepcopy(config)))
    model.init_weights()
    encoder = torch.cat([p.detach().reshape(-1) for p in model.backbone.parameters()])
    alphas = {n: torch.randn(s) for n, s in task.space.alpha_shapes().items()}
    gates = task.space.gate_tensors(alphas, {})
    for key, gate in gates.items():
        model.backbone.get_buffer(key).copy_(gate)
    head = {n: t.detach().clone() for n, t in model.state_dict().items() if not n.startswith('backbone.')}
    return model, encoder, gates, head


@pytest.mark.parametrize('name', ['cls', 'det'])
def test_loss_and_gradients_are_the_models_own(name):
    task = build_task(name)
    model, encoder, gates, head = build_reference(name, task)
    data = task.preprocess(BATCHES[name](), True)
    torch.manual_seed(1)  # the classifier's dropout
    expected, _ = model.parse_losses(model(**data, mode='loss'))
    expected.backward()
    encoder.requires_grad_()
    for tensor in head.values():
        tensor.requires_grad_()
    torch.manual_seed(1)
    loss, figures = task.loss(encoder, gates, head, data)
    assert loss.item() == expected.item() and figures['loss'].item() == expected.item()
    loss.backward()
    own = torch.cat([p.grad.reshape(-1) for p in model.backbone.parameters()])
    torch.testing.assert_close(encoder.grad, own, rtol=1e-5, atol=1e-7)
    for key, parameter in model.named_parameters():
        if not key.startswith('backbone.'):
            torch.testing.assert_close(head[key].grad, parameter.grad, rtol=1e-5, atol=1e-7)


@ROOT_MODELS.register_module()
class ConvolvedTwice(torch.nn.Module):
    """A neck that has its layer at two places."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(16, 16, 1)
        self.second = torch.nn.Sequential(self.first)

    def forward(self, features):
        return (self.second(self.first(features[-1])), )


def test_a_layer_at_two_places_of_a_head_has_the_same_weights(monkeypatch):
    monkeypatch.setitem(CLASSIFIER, 'neck', dict(type='ConvolvedTwice'))
    task = build_task('cls')
    model, encoder, gates, _ = build_reference('cls', task)
    head = task.build_head()
    assert [n for n in head.tensors() if n.startswith('neck')] == ['neck.first.weight', 'neck.first.bias']
    for name, tensor in head.tensors().items():
        model.get_parameter(name).data.copy_(tensor)
    data = task.preprocess(classification_batch(), True)
    torch.manual_seed(1)
    expected, _ = model.parse_losses(model(**data, mode='loss'))
    expected.backward()
    torch.manual_seed(1)
    loss, _ = task.loss(encoder, gates, head.tensors(), data)
    loss.backward()
    assert loss.item() == expected.item()
    for name, parameter in head.named_parameters():
        torch.testing.assert_close(parameter.grad, model.get_parameter(name).grad, rtol=1e-5, atol=1e-7)


def test_detector_predicts_what_the_models_own_does():
    task = build_task('det').eval()
    model, encoder, gates, head = build_reference('det', task)
    data = task.preprocess(detection_batch(), False)
    expected = model.eval()(**copy.deepcopy(data), mode='predict')
    actual = task.predict(encoder, gates, head, data)
    for a, b in zip(actual, expected, strict=True):
        assert len(a.pred_instances) > 0
        torch.testing.assert_close(a.pred_instances.bboxes, b.pred_instances.bboxes)
        assert torch.equal(a.pred_instances.labels, b.pred_instances.labels)


@pytest.mark.parametrize('name', ['cls', 'det'])
def test_encoder_and_head_are_all_of_the_model(name):
    task = build_task(name)
    model, *_ = build_reference(name, task)
    head = task.build_head()
    expected = {n: p.shape for n, p in model.named_parameters()}
    actual = {f'backbone.{n}': s for n, s in zip(task.layout.names, task.layout.shapes, strict=True)}
    actual.update({n: p.shape for n, p in head.named_parameters()})
    assert actual == expected


def test_a_task_holds_no_weights():
    task = build_task('det')
    assert not list(task.parameters()) and not task.state_dict()
    assert all(p.is_meta for p in task.template.parameters())


def test_heads_are_separate_and_start_alike():
    task = build_task('det')
    first, second = task.build_head(), task.build_head()
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b) and a.data_ptr() != b.data_ptr()
    bias = dict(first.named_parameters())['bbox_head.retina_cls.bias']
    assert bias.unique().tolist() == pytest.approx([-4.59512])  # the head's own initialisation, prior .01


def test_running_statistics_are_those_of_the_given_head():
    model = copy.deepcopy(CLASSIFIER)
    model['head']['norm_cfg'] = dict(type='BN')
    task = build_task('cls', model=model)
    used, idle = task.build_head(), task.build_head()
    gates = {f'gates.{n}': torch.full(s, 1 / s[-1]) for n, s in task.space.alpha_shapes().items()}
    encoder = task.layout.offset + task.layout.scale * torch.randn(task.layout.size)
    task.loss(encoder, gates, used.tensors(), task.preprocess(classification_batch(), True))
    assert used.head.conv.bn.num_batches_tracked == 1 and used.head.conv.bn.running_mean.any()
    assert idle.head.conv.bn.num_batches_tracked == 0 and not idle.head.conv.bn.running_mean.any()


def test_synchronised_normalisation_is_refused():
    with pytest.raises(ValueError, match="search_space.norm_cfg={'type': 'SyncBN'} is synchronised .*'GN'"):
        build_task('cls', search_space=dict(SPACE, norm_cfg=dict(type='SyncBN')))
    model = copy.deepcopy(CLASSIFIER)
    model['head']['norm_cfg'] = dict(type='SyncBN')
    with pytest.raises(ValueError, match='model.head.conv.bn is synchronised batch normalisation'):
        build_task('cls', model=model)


def test_running_statistics_in_the_search_space_are_refused():
    with pytest.raises(ValueError, match='search_space.norm_cfg=.*running statistics'):
        build_task('cls', search_space=dict(SPACE, norm_cfg=dict(type='BN')))


def test_frozen_parameters_of_a_head_are_constants():
    head = build_task('det').build_head()
    head.bbox_head.retina_reg.requires_grad_(False)
    assert 'bbox_head.retina_reg.weight' in head.constants() and 'bbox_head.retina_reg.weight' not in head.trained()
    assert set(head.tensors()) == {n for n, _ in head.named_parameters()} | {n for n, _ in head.named_buffers()}


def test_embedding_is_the_pooled_last_feature_of_normalised_images():
    task = build_task('det')
    model, encoder, gates, _ = build_reference('det', task)
    raw = images(4)
    data = task.preprocess(dict(inputs=raw, data_samples=None), False)
    with torch.no_grad():
        expected = model.backbone(data['inputs'])[-1].mean((2, 3))
        actual = task.embed(encoder, gates, task.examples(raw, 16))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def test_examples_are_unit_range_resized_and_in_the_models_colours():
    task = build_task('cls')
    blue = torch.zeros(3, 10, 30, dtype=torch.uint8)
    blue[0] = 255  # as OpenCV loads it, blue first
    actual = task.examples([blue, blue], 12)
    assert actual.shape == (2, 3, 12, 12)
    torch.testing.assert_close(actual[0].mean((1, 2)), torch.tensor([0., 0., 1.]))


def test_weights_from_a_file_are_refused():
    """The space's own weights are dropped: those of a file would be, too."""
    with pytest.raises(ValueError, match="search_space.init_cfg=.*'Pretrained'.*those of model.encoder_weights, "):
        build_task('cls', backbone=dict(init_cfg=dict(type='Pretrained', checkpoint='nowhere.pth')))


def test_a_tasks_own_backbone_options_are_its_features():
    assert build_task('det').space.out_indices == (1, 2)
    assert build_task('cls').space.out_indices == (2, )


def test_backbone_in_the_model_is_refused():
    model = dict(CLASSIFIER, backbone=dict(type='ResNet'))
    with pytest.raises(ValueError, match='ClassificationTask: model.backbone=.*ResNet.*own `backbone` field'):
        build_task('cls', model=model)


def test_batch_statistics_are_the_search_default():
    assert MODELS.build(dict(type='imtnas_mm.MBConvSupernet', width_mult=.1)).stem.bn.running_mean is None
    assert SPACE['norm_cfg'] == BATCH_NORM
