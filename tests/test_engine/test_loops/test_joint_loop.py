"""A joint training end to end, as tools/train.py runs it."""
import math

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from helpers import ranks
from helpers import tiny_run as tiny
from helpers.search_state import differences, losses
from imtnas_mm.checkpoint import CheckpointError
from imtnas_mm.engine import NonFiniteError
from imtnas_mm.engine.loops.joint_loop import JointData
from imtnas_mm.engine.loops.task_data import TrainingSet
from imtnas_mm.networks.imagenet_head import ImageNetHead

HOOKS_OF_A_RUN = [dict(type='EMAHook', momentum=.3)]


def config_of(data, path, order=('cls', 'det'), hooks=(), **options):
    """Two epochs of three iterations, with dropout, averaged weights and a checkpoint after each iteration."""
    fields = tiny.joint_fields(data, order, max_epochs=2, epoch_length=3, **options)
    fields['default_hooks']['checkpoint'] = dict(
        by_epoch=False, interval=1, max_keep_ckpts=-1, save_best='cls/accuracy/top1')
    return tiny.write_config(path, '_base_/joint_runtime.py', **fields, custom_hooks=[*HOOKS_OF_A_RUN, *hooks])


@pytest.fixture(scope='module')
def whole(data, tmp_path_factory):
    """Config and work dir of a run without a stop."""
    folder = tmp_path_factory.mktemp('whole')
    config = config_of(data, folder / 'tiny.py')
    tiny.run('train', config, '--work-dir', folder / 'work')
    return config, folder / 'work'


def state(path):
    saved = tiny.checkpoint(path)
    assert saved['optimizer']['state']
    return dict({key: saved[key] for key in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')},
                position=(saved['meta']['epoch'], saved['meta']['iter']))


def test_logs_each_task_and_their_sum(whole):
    lines = [line for line in tiny.scalars(whole[1]) if 'loss' in line]
    assert [line['iter'] for line in lines] == [1, 2, 3, 4, 5, 6]
    for line in lines:
        assert line['loss'] == pytest.approx(line['cls/loss'] + line['det/loss'], rel=1e-6)
        assert line['det/loss'] == pytest.approx(line['det/loss_cls'] + line['det/loss_bbox'], rel=1e-5)
    assert lines[0]['cls/loss'] == pytest.approx(math.log(3), abs=.3)
    text = tiny.log_text(whole[1])
    assert 'task cls: 24 examples, seen once in 6 iterations' in text
    assert 'task det: 8 examples, seen once in 4 iterations' in text


def test_validates_each_task_and_keeps_the_best(whole):
    validations = [line for line in tiny.scalars(whole[1]) if 'cls/accuracy/top1' in line]
    assert len(validations) == 2
    for line in validations:
        assert {'cls/accuracy/top2', 'det/coco/bbox_mAP', 'det/coco/bbox_mAP_50'} <= set(line)
    best = list(whole[1].glob('best_cls_accuracy_top1_*.pth'))
    assert len(best) == 1
    saved = tiny.checkpoint(whole[1] / 'iter_6.pth')
    assert saved['meta']['dataset_meta'] == dict(
        cls=dict(classes=tiny.CLASSES), det=dict(tiny_meta(saved), classes=tiny.CLASSES))
    averaged, own = saved['state_dict'], saved['ema_state_dict']
    name = 'tasks.det.backbone.stem.conv.weight'
    assert torch.equal(averaged[name], averaged[name.replace('det', 'cls')])
    assert not torch.equal(averaged[name], own[f'module.{name}'])


def tiny_meta(saved):
    """What mmdet's own metainfo has beside the classes."""
    return {key: value for key, value in saved['meta']['dataset_meta']['det'].items() if key != 'classes'}


@pytest.mark.parametrize('name', ['iter_2', 'iter_3'])
def test_resumed_within_an_epoch_or_after_it_ends_as_the_whole_run(whole, tmp_path, name):
    config, work = whole
    tiny.run('train', config, '--work-dir', tmp_path / 'work', '--resume', work / f'{name}.pth')
    assert differences(state(work / 'iter_6.pth'), state(tmp_path / 'work' / 'iter_6.pth')) == []
    expected, actual = losses(work), losses(tmp_path / 'work')
    assert list(actual) == list(range(int(name[-1]) + 1, 7))
    assert all(actual[iteration] == expected[iteration] for iteration in actual)


def test_resume_refuses_what_would_not_continue_it(whole, tmp_path):
    config, work = whole
    with pytest.raises(CheckpointError, match=r'iter_3.pth: epochs had 3 iterations .* and have 2 here'):
        tiny.run('train', config, '--work-dir', tmp_path, '--resume', work / 'iter_3.pth',
                 options=['train_cfg.epoch_length=2'])
    with pytest.raises(CheckpointError, match=r'iter_3.pth: not a checkpoint of JointModel: it .*tasks\.cls\.backbone'):
        tiny.run('train', config, '--work-dir', tmp_path, '--resume', work / 'iter_3.pth',
                 options=['model.backbone.width_mult=.3', 'model.tasks.cls.model.head.in_channels=96',
                          'model.tasks.det.model.neck.in_channels=[24,96]'])


# --- the data of an iteration ---


def joint_data(data):
    return JointData({
        'cls': TrainingSet('cls', 0, tiny.cls_loader(data, 'train'), 'mmpretrain'),
        'det': TrainingSet('det', 1, tiny.det_loader(data, 'train'), 'mmdet')}, 6)


def seen(batches):
    return {name: [sample.img_path for sample in batch['data_samples']] for name, batch in batches.items()}


def test_batches_are_a_function_of_the_iteration_and_an_epoch_is_the_whole_set(data):
    feeds = joint_data(data)
    feeds.start(5)
    order = [seen(feeds.next(iteration)) for iteration in range(6)]
    images = [path for batch in order for path in batch['cls']]
    assert len(set(images)) == len(images) == 24
    assert len({path for batch in order[:4] for path in batch['det']}) == 8
    again = joint_data(data)
    again.start(5)
    assert seen(again.next(4)) == order[4] and seen(again.next(2)) == order[2]
    other = joint_data(data)
    other.start(6)
    assert seen(other.next(4)) != order[4]
    feeds.stop()
    assert all(feed.iterator is None for feeds_of_task in feeds.feeds.values() for feed in feeds_of_task)


def test_what_a_model_draws_depends_on_seed_iteration_and_rank(data, tmp_path, monkeypatch):
    draws, rank = {}, [0]
    monkeypatch.setattr('imtnas_mm.engine.loops.joint_loop.get_rank', lambda: rank[0])
    forward = ImageNetHead.loss

    def spy(self, *args, **kwargs):
        key = (torch.initial_seed(), torch.rand(3).tolist())
        draws.setdefault(run, []).append(key)
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(ImageNetHead, 'loss', spy)
    config = config_of(data, tmp_path / 'tiny.py', ('cls', ), val_begin=9)
    for run, (seed, number) in dict(a=(1, 0), b=(1, 0), c=(2, 0), d=(1, 1)).items():
        rank[0] = number
        torch.manual_seed(len(draws))
        tiny.run('train', config, '--work-dir', tmp_path / run, options=[f'randomness.seed={seed}',
                                                                         'train_cfg.max_epochs=1'])
    assert draws['a'] == draws['b'] and len({seed for seed, _ in draws['a']}) == 3
    assert not {seed for seed, _ in draws['a']} & {seed for run in 'cd' for seed, _ in draws[run]}


# --- what stops it ---


@HOOKS.register_module()
class Poison(Hook):
    """Makes a weight of the detector's head infinite before an iteration."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 1:
            next(runner.model.tasks['det'].bbox_head.parameters()).data.fill_(math.inf)


def test_a_loss_that_is_not_finite_names_its_task(data, tmp_path):
    config = config_of(data, tmp_path / 'tiny.py', hooks=[dict(type='Poison')])
    with pytest.raises(NonFiniteError, match=r'^iteration 2: (loss|det/loss\w*) is (nan|inf)'):
        tiny.run('train', config, '--work-dir', tmp_path / 'work')
    assert [path.name for path in (tmp_path / 'work').glob('*.pth')] == ['iter_1.pth']


def test_refused(data, tmp_path):
    config = config_of(data, tmp_path / 'tiny.py')
    for option, message in (
        ('custom_hooks.0.update_buffers=True', 'EMAHook.update_buffers=True: it would average a shared weight once'),
        ('randomness.diff_rank_seed=True', 'randomness.diff_rank_seed=True: all processes share one seed'),
        ('train_cfg.max_epochs=0', 'train_cfg.max_epochs=0 must be at least 1'),
        ('train_cfg.epoch_length=0', 'train_cfg.epoch_length=0 must be at least 1'),
        ('train_cfg.epoch_length=2.5', 'train_cfg.epoch_length=2.5 must be a whole number from 1'),
        ('train_cfg.max_epochs=3.0', 'train_cfg.max_epochs=3.0 must be a whole number from 1'),
        ('train_dataloader.det.batch_size=0', 'train_dataloader.det.batch_size=0 must be at least 1'),
    ):
        with pytest.raises(ValueError, match=message):
            tiny.run('train', config, '--work-dir', tmp_path / 'work', options=[option])
    for part in ('train_dataloader', 'val_dataloader', 'val_evaluator'):
        fields = tiny.joint_fields(data)
        fields[part].pop('det')
        lacking = tiny.write_config(tmp_path / 'lacking.py', '_base_/joint_runtime.py', **fields)
        with pytest.raises(ValueError, match=rf"{part} has \['cls'\]; .*'det'"):
            tiny.run('train', lacking, '--work-dir', tmp_path / 'work')
    plain = dict(tiny.joint_fields(data, ('cls', )), default_scope='mmpretrain',
                 model=tiny.retrain_fields(data, 'cls')['model'])
    plain['train_cfg']['type'] = 'imtnas_mm.JointTrainLoop'
    plain.update(val_dataloader=None, val_evaluator=None, val_cfg=None, test_dataloader=None, test_evaluator=None,
                 test_cfg=None)
    with pytest.raises(ValueError, match=r'train_cfg.type=JointTrainLoop: model.type is ImageClassifier'):
        tiny.run('train', tiny.write_config(tmp_path / 'plain.py', '_base_/joint_runtime.py', **plain), '--work-dir',
                 tmp_path / 'work')


# --- several processes ---


EDGES = [['cls', 3, 'cls2', 1], ['cls', 5, 'cls2', 5], ['cls2', 5, 'cls', 0]]  # of a fusion


def two_rank_config(data, path, batch_size, edges):
    """Classifiers whose loss is a mean over images; norms that keep their statistics, so that images don't meet.

    They are fused by ``edges``, or share the first blocks where there are none.
    """
    model = tiny.short_joint_model(('cls', 'cls2'))
    if edges:
        model['backbone']['architecture']['sharing'] = dict(method='fusion', tasks=['cls', 'cls2'], edges=edges)
    model['backbone'].update(norm_eval=True)
    for name in model['tasks']:
        head = model['tasks'][name]['model']['head']
        head.update(dropout=0., norm_cfg=dict(type='GN', num_groups=4))
    fields = tiny.joint_fields(data, ('cls', 'cls2'), model, max_epochs=1, epoch_length=4, val_begin=9)
    for loader in fields['train_dataloader'].values():
        loader['batch_size'] = batch_size
    return tiny.write_config(path, '_base_/joint_runtime.py', **fields)


@pytest.mark.parametrize('edges', [None, EDGES], ids=['branching', 'fusion'])
def test_two_ranks_train_as_one_on_the_union_of_their_batches(data, tmp_path, edges):
    for world_size, batch_size in ((1, 4), (2, 2)):
        config = two_rank_config(data, tmp_path / f'of{world_size}.py', batch_size, edges)
        launcher = () if world_size == 1 else ('--launcher', 'pytorch')
        ranks.run(world_size, tmp_path / f'output{world_size}', tiny.run, 'train', config, '--work-dir',
                  tmp_path / f'work{world_size}', *launcher)
    one, two = (tiny.checkpoint(tmp_path / f'work{n}' / 'epoch_1.pth')['state_dict'] for n in (1, 2))
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-5, atol=1e-5)
    losses_of_two = tiny.logged(tmp_path / 'work2', 'loss')
    assert losses_of_two[0] != losses_of_two[-1]
    checkpoint, actual = tmp_path / 'work2' / 'epoch_1.pth', []
    for world_size in (1, 2):
        folder, launcher = tmp_path / f'test{world_size}', () if world_size == 1 else ('--launcher', 'pytorch')
        ranks.run(world_size, tmp_path / f'tested{world_size}', tiny.run, 'test', config, checkpoint, '--work-dir',
                  folder, *launcher)
        actual.append({key: value for key, value in tiny.tested(folder).items() if 'accuracy' in key})
    assert actual[0] == actual[1] and set(actual[0]) == {f'{task}/accuracy/top{k}' for task in ('cls', 'cls2')
                                                      for k in (1, 2)}
