"""A search end to end, as tools/train.py runs it."""
import copy
import itertools
import math
import re
import resource
import warnings
from types import SimpleNamespace

import pytest
import torch
from mmengine.hub import get_config

from helpers import ranks
from helpers import tiny_run as tiny
from imtnas_mm.algorithms.stages.stage import interleaved_stages
from imtnas_mm.analysis.certainty import certainty_of
from imtnas_mm.architecture import Architecture
from imtnas_mm.engine import InterleavedSearchLoop, SearchValLoop
from imtnas_mm.engine.loops.search_loop import SearchData
from imtnas_mm.engine.runner import SearchRunner
from imtnas_mm.genotype import load_genotype
from imtnas_mm.spaces.mbconv.layout import searched_layers
from imtnas_mm.tasks import Task

LAYERS = searched_layers(tiny.LAYOUT)
STAGES = ('r1.cls', 'r1.det', 'r2.cls', 'r2.det')
ALPHAS = 'architecture.alphas.'


@pytest.fixture(scope='module')
def search(data, tmp_path_factory):
    """Work dir of two epochs of two iterations, the first with A frozen, validated after each."""
    folder = tmp_path_factory.mktemp('search')
    fields = tiny.search_fields(data, max_epochs=2, warmup_epochs=1)
    fields['param_scheduler']['architecture'] = [
        dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)]  # until max_epochs
    config = tiny.write_config(folder / 'tiny.py', 'imtnas_demo.py', **fields, val_cfg=dict(all_rounds=True))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        tiny.run('train', config, '--work-dir', folder / 'work')
    assert not [warning for warning in caught if 'scheduler.step()' in str(warning.message)]  # A waits for its epoch
    return folder / 'work'


def iterations(work_dir):
    return [line for line in tiny.scalars(work_dir) if 'architecture/entropy' in line]


def alphas_of(path):
    state = tiny.checkpoint(path)['state_dict']
    return {key.removeprefix(ALPHAS): value for key, value in state.items() if key.startswith(ALPHAS)}


def test_leaves_checkpoints_and_the_architecture(search):
    names = {path.name for path in search.iterdir()}
    assert names >= {'epoch_1.pth', 'epoch_2.pth', 'last_checkpoint', 'architecture.json', 'architecture.svg',
                     'architecture.png', 'tiny.py'}
    assert (search / 'last_checkpoint').read_text() == str(search / 'epoch_2.pth')
    genotype = load_genotype(search / 'architecture.json')
    alphas = alphas_of(search / 'epoch_2.pth')
    assert genotype.architecture['layers'] == [layer.choices[int(alphas[layer.name].argmax())] for layer in LAYERS]
    for layer in LAYERS:
        assert genotype.importance[layer.name] == pytest.approx(alphas[layer.name].softmax(0).tolist())
    assert genotype.source['config'] == 'tiny.py' and genotype.source['iteration'] == 4
    assert genotype.source['epoch'] == 2 and genotype.source['method'] == 'IMTNAS'


def test_logs_every_stage(search):
    lines = iterations(search)
    assert [line['iter'] for line in lines] == [1, 2, 3, 4]
    for line in lines:
        for stage in STAGES:
            assert math.isfinite(line[f'{stage}/loss'])
            assert (f'{stage}/transfer_loss' in line) == (stage != 'r1.cls')  # the first has no teacher
        for stage in ('r1.det', 'r2.det'):
            assert line[f'{stage}/loss'] == pytest.approx(line[f'{stage}/loss_cls'] + line[f'{stage}/loss_bbox'])
    assert lines[0]['r1.cls/loss'] == pytest.approx(math.log(3), abs=.2)  # three classes, nothing learned


def test_logs_the_transfer_and_the_architecture(search):
    for line in iterations(search):
        for name in ('active', 'different'):
            shares = [line[f'{stage}/transfer_{name}'] for stage in STAGES[1:]]
            assert line[f'transfer/{name}'] == pytest.approx(sum(shares) / 3)
            assert all(share * 6 == pytest.approx(round(share * 6)) for share in shares)  # of 4 sets' 6 pairs
    entropy = sum(math.log(len(layer.choices)) for layer in LAYERS) / len(LAYERS)
    assert tiny.logged(search, 'architecture/entropy') == pytest.approx([entropy] * 4, abs=1e-4)
    text, summary = tiny.log_text(search), load_genotype(search / 'architecture.json').summary()
    assert f'Architecture at iteration 4: {summary}' in text and f'Architecture after epoch 2: {summary}; ' in text


def test_says_how_sure_the_architecture_is(search):
    text = tiny.log_text(search)
    changed = re.findall(r'Architecture after epoch (\d+): .*; (\d+) of (\d+) choices have changed in the epoch;', text)
    assert re.search(r'Architecture at iteration 4: .*; the best option leads the second by ', text)
    assert len(changed) == 1 and changed[0][0] == '2' and int(changed[0][1]) <= int(changed[0][2]) == len(LAYERS)
    warning = certainty_of(load_genotype(search / 'architecture.json')).warning()
    assert warning is not None and text.count(warning) == 1  # four steps of A decide nothing


def test_logs_time_and_memory(search):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for line in iterations(search):
        assert 0 < line['data_time'] < line['time'] < 60
        assert 100 < line['memory'] <= peak
    assert tiny.log_text(search).count(' eta: ') >= 4


def test_learning_rates_follow_their_schedules(search):
    cosine = [.01 * (1 + math.cos(math.pi * t / 4)) for t in range(4)]  # from .02 over 2 epochs of 2 iterations
    assert tiny.logged(search, 'encoder.lr') == pytest.approx(cosine)
    assert tiny.logged(search, 'head.lr') == pytest.approx(cosine)
    assert tiny.logged(search, 'architecture.lr') == pytest.approx([.025 * lr for lr in cosine])  # from 5e-4
    for part in ('encoder', 'head'):
        assert all(value > 0 for value in tiny.logged(search, f'{part}.grad_norm'))


def test_lines_of_a_validation_name_the_task(search):
    for name in ('cls', 'r1.cls', 'det', 'r1.det'):
        assert re.search(rf'Epoch\(val, {name}\) \[1\]\[\d/\d\] ', tiny.log_text(search))


def test_validates_every_round_when_asked(search):
    validations = [line for line in tiny.scalars(search) if 'cls/accuracy/top1' in line]
    assert len(validations) == 2
    for line in validations:
        for prefix in ('', 'r1.'):
            assert 0 <= line[f'{prefix}cls/accuracy/top1'] <= line[f'{prefix}cls/accuracy/top2'] <= 100
            for size in ('', '_50', '_75', '_s', '_m', '_l'):
                assert -1 <= line[f'{prefix}det/coco/bbox_mAP{size}'] <= 1
        assert not any(key.startswith('r2.') for key in line)  # the last round's have no prefix


def test_validates_at_the_interval_and_at_the_end(data, tmp_path, monkeypatch):
    epochs = []
    monkeypatch.setattr(InterleavedSearchLoop, 'run_epoch', lambda self: setattr(self, '_epoch', self._epoch + 1))
    monkeypatch.setattr(SearchValLoop, 'run', lambda self: epochs.append(self.runner.epoch))
    fields = tiny.search_fields(data, ('cls', ), max_epochs=7, val_begin=2, val_interval=3)
    tiny.runner_of(tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields), tmp_path / 'work').train()
    assert epochs == [3, 6, 7]


def test_warm_up_leaves_the_architecture_exactly_as_it_began(search):
    start = Architecture({layer.name: (len(layer.choices), ) for layer in LAYERS}, seed=0).named_alphas()
    warm, end = alphas_of(search / 'epoch_1.pth'), alphas_of(search / 'epoch_2.pth')
    assert list(warm) == list(end) == [layer.name for layer in LAYERS]
    for name, alpha in start.items():
        assert torch.equal(warm[name], alpha)
    # two of a layer's choices are drawn an iteration, and Adam's first steps are of the size of its rate
    moved = {name: (end[name] - warm[name]).abs() for name in end}
    assert all((change > 1e-5).sum() >= 2 and change.max() < 3e-3 for change in moved.values())
    for line in iterations(search):
        assert ('cls/val_loss' in line) == ('det/val_loss' in line) == (line['epoch'] == 2)


def test_checkpoint_has_all_of_the_search(search):
    saved = tiny.checkpoint(search / 'epoch_2.pth')
    parts = {key.split('.')[0] for key in saved['state_dict']}
    assert parts - {'transfer'} == {'architecture', 'encoder_weights', 'heads', 'loss_scale', 'progress', 'signal'}
    assert saved['state_dict']['progress'].tolist() == [1, 2, 1, 1]  # of the last iteration
    assert {tuple(key.split('.')[1:3]) for key in saved['state_dict'] if key.startswith('heads.')} == {
        (task, str(round)) for task in ('cls', 'det') for round in range(2)}
    assert set(saved['optimizer']) == {'encoder', 'head', 'architecture'}
    assert len(saved['optimizer']['architecture']['state']) == len(LAYERS)
    assert saved['meta']['epoch'] == 2 and saved['meta']['iter'] == 4


# --- the data of an iteration ---


def numbered(started):
    """A task whose batches are their numbers; takes note of the loaders that start."""
    def loader(use):
        def make(seed, start, *_):
            started.append((use, seed, start))
            return itertools.count(start)
        return make
    examples = loader('examples')
    return SimpleNamespace(dataset=None, train_loader=loader('train'), architecture_loader=loader('val'),
                           example_loader=lambda *args: ({'inputs': n} for n in examples(*args)))


def batches_of(data, iteration, stages):
    actual = data.next(iteration, stages)
    return [batch['train'] for batch in actual.stages], actual.architecture


def test_batches_depend_on_the_iteration_alone_whichever_tasks_have_trained():
    started = dict(a=[], b=[])
    stages = interleaved_stages(('a', 'b'), 2)
    data = SearchData(stages, {name: numbered(calls) for name, calls in started.items()}, 4, 'val', 10)
    data.start(7)
    first, second = ([stage for stage in stages if stage.task == name] for name in 'ab')
    assert not any(started.values())  # until the first iteration
    for iteration, active in ((3, first), (4, first), (5, second), (6, first), (7, stages)):
        trained, judged = batches_of(data, iteration, active)
        assert trained == [2 * iteration + stage.round for stage in active]
        assert judged == [{stage.task: iteration for stage in active}]
        for name in 'ab':  # nothing runs for a task that doesn't train
            running = any(feed.iterator is not None for feed in data.feeds[name])
            assert running == any(stage.task == name for stage in active)
    assert [call for call in started['a'] if call[0] == 'train'] == [('train', 7, 6), ('train', 7, 12)]
    assert batches_of(data, 8, ()) == ([], [{}])


def test_several_batches_for_the_architecture_are_its_next_ones():
    started = dict(a=[], b=[])
    stages = interleaved_stages(('a', 'b'), 1)
    data = SearchData(stages, {name: numbered(calls) for name, calls in started.items()}, 0, 'val', 10, 3)
    data.start(7)
    for iteration in (0, 1, 5):  # goes on, and is resumed
        batches = data.next(iteration, stages)
        assert batches.architecture == [dict(a=3 * iteration + number, b=3 * iteration + number) for number in range(3)]
    assert [call for call in started['a'] if call[0] == 'val'] == [('val', 7, 0), ('val', 7, 15)]


# --- other searches by config alone ---


def one_iteration(folder, fields, **more):
    """Start state, end state and logged figures of one iteration and one validation."""
    fields['train_cfg'] = dict(fields['train_cfg'], epoch_length=1)
    runner = tiny.runner_of(tiny.write_config(folder / 'tiny.py', 'imtnas_demo.py', **fields, **more), folder / 'work')
    start = {key: value.clone() for key, value in runner.model.state_dict().items()}
    with tiny.undrawn():
        runner.train()
    return start, runner.model.state_dict(), iterations(folder / 'work')[0], tiny.scalars(folder / 'work')[-1]


def changed(start, end, prefix):
    return {key for key in start if key.startswith(prefix) and not torch.equal(start[key], end[key])}


def test_a_third_task(data, tmp_path):
    start, end, line, metrics = one_iteration(tmp_path, tiny.search_fields(data, ('cls', 'det', 'cls2')))
    stages = [f'r{m}.{task}' for m in (1, 2) for task in ('cls', 'det', 'cls2')]
    assert all(line[f'{stage}/loss'] > 0 for stage in stages)
    assert [f'{stage}/transfer_loss' in line for stage in stages] == [False] + [True] * 5
    assert {'cls/val_loss', 'det/val_loss', 'cls2/val_loss'} <= set(line)
    assert {'cls/accuracy/top1', 'det/coco/bbox_mAP', 'cls2/accuracy/top1'} <= set(metrics)
    for task in ('cls', 'det', 'cls2'):
        for round in range(2):
            assert changed(start, end, f'heads.{task}.{round}.')


def fcos():
    """mmdet's FCOS, with the neck's channels, the classes and the sizes of this search."""
    model = get_config('mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py').model.to_dict()
    for key in ('backbone', 'init_cfg'):
        model.pop(key, None)
    model['neck'].update(in_channels=[8, 32], start_level=0, out_channels=32, num_outs=3)
    model['bbox_head'].update(
        num_classes=3, in_channels=32, feat_channels=32, stacked_convs=1, strides=[4, 8, 16],
        regress_ranges=((-1, 8), (8, 16), (16, 1e8)))
    model['test_cfg'].update(score_thr=0.)  # an untrained one is sure of nothing
    return model


def test_another_detector(data, tmp_path):
    fields = tiny.search_fields(data, ('det', ))
    fields['model']['tasks']['det'] = dict(
        type='DetectionTask', model=fcos(), backbone=dict(out_indices=(2, 5)))
    start, end, line, metrics = one_iteration(tmp_path, fields)
    for stage in ('r1.det', 'r2.det'):
        parts = [line[f'{stage}/{part}'] for part in ('loss_cls', 'loss_bbox', 'loss_centerness')]
        assert all(part > 0 for part in parts) and line[f'{stage}/loss'] == pytest.approx(sum(parts), rel=1e-5)
    assert any('conv_centerness' in key for key in changed(start, end, 'heads.det.1.'))
    assert changed(start, end, ALPHAS) and 'det/coco/bbox_mAP' in metrics


def test_one_task_and_one_round(data, tmp_path):
    start, end, line, metrics = one_iteration(tmp_path, tiny.search_fields(data, ('cls', ), rounds=1))
    assert {key for key in line if key.startswith('r')} == {'r1.cls/loss'}
    assert not any('transfer' in key for key in line)
    assert len(changed(start, end, ALPHAS)) == len(LAYERS) and changed(start, end, 'encoder_weights.')
    assert 'cls/accuracy/top1' in metrics


def test_stored_weights_without_transfer(data, tmp_path):
    fields = tiny.search_fields(data, ('det', 'cls'))
    fields['model'].update(transfer=None, encoder_weights=tiny.replaced(type='StoredWeights'))
    fields['optim_wrapper'] = dict(encoder=dict(optimizer=dict(weight_decay=0.)))
    start, end, line, _ = one_iteration(tmp_path, fields)
    assert sum(key.startswith('encoder_weights.') for key in end) == 4  # one vector a task and round
    assert changed(start, end, 'encoder_weights.') == {'encoder_weights.weights.0'}  # no other sees a loss
    assert not any('transfer' in key for key in line)
    for stage in ('r1.det', 'r1.cls', 'r2.det', 'r2.cls'):
        assert line[f'{stage}/loss'] > 0
        assert changed(start, end, f'heads.{stage[3:]}.{int(stage[1]) - 1}.')


def test_mixed_precision_is_for_the_weight_stages_alone(data, tmp_path, monkeypatch):
    seen, loss = [], Task.loss

    def spy(self, encoder, gates, head, batch):
        result = loss(self, encoder, gates, head, batch)
        seen.append((any(gate.requires_grad for gate in gates.values()), torch.is_autocast_enabled('cpu'),
                     result[0].dtype))
        return result

    monkeypatch.setattr(Task, 'loss', spy)
    fields = tiny.search_fields(data, epoch_length=1, val_begin=99)
    config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields)
    with tiny.undrawn():
        tiny.run('train', config, '--work-dir', tmp_path / 'half', '--amp')
    weights, architecture = seen[:4], seen[4:]
    assert [(by_a, autocast) for by_a, autocast, _ in weights] == [(False, True)] * 4
    assert len(architecture) == 2
    assert all(entry == (True, False, torch.float32) for entry in architecture)
    with tiny.undrawn():
        tiny.run('train', config, '--work-dir', tmp_path / 'full')
    for stage in STAGES:  # bfloat16 has 8 bits
        half, full = (tiny.logged(tmp_path / which, f'{stage}/loss')[0] for which in ('half', 'full'))
        assert half != full and half == pytest.approx(full, rel=.05)


@pytest.mark.slow
def test_two_processes_search_as_one_with_batches_of_both(data, tmp_path, monkeypatch):
    """Over 3 iterations, with images that don't see each other: see docs/distributed.md.

    In float64: Adam makes as large a step of a gradient that is rounding alone as of any other.
    """
    monkeypatch.setattr(SearchRunner, 'wrap_model', lambda self, wrapper_cfg, model: model.double())
    norm = dict(type='GN', num_groups=2)
    fields = tiny.search_fields(data, ('cls', 'cls2'), rounds=1, epoch_length=3, val_begin=99)
    fields['model'].update(transfer=None, search_space=dict(tiny.SPACE, norm_cfg=tiny.replaced(**norm)))
    for task in ('cls', 'cls2'):
        model = copy.deepcopy(tiny.CLASSIFIER)
        model['head'].update(norm_cfg=norm, dropout=0.)
        fields['model']['tasks'][task] = dict(fields['model']['tasks'][task], model=model)

    def config(batch_size):
        for task in ('cls', 'cls2'):
            fields['train_dataloader'][task] = dict(fields['train_dataloader'][task], batch_size=batch_size)
        return tiny.write_config(tmp_path / f'batch{batch_size}.py', 'imtnas_demo.py', **fields)

    with tiny.undrawn():
        tiny.run('train', config(4), '--work-dir', tmp_path / 'one')
        ranks.run(2, tmp_path, tiny.run, 'train', config(2), '--work-dir', tmp_path / 'two', '--launcher', 'pytorch')
    one, two = (tiny.checkpoint(tmp_path / work / 'epoch_1.pth')['state_dict'] for work in ('one', 'two'))
    torch.testing.assert_close(two, one, rtol=0, atol=1e-10)
