"""The metrics of a search network equal those of its task's evaluator on its predictions."""
import os
from pathlib import Path
from unittest import mock

import pytest
import torch
from mmengine.dist import collect_results
from mmengine.structures import InstanceData

from helpers import ranks
from helpers import tiny_run as tiny
from imtnas_mm.engine.loops.evaluation_loop import SearchTestLoop, warn_of_sorted_images


@pytest.fixture
def runner(data, tmp_path):
    config = tiny.write_config(
        tmp_path / 'tiny.py', 'imtnas_demo.py', **tiny.search_fields(data), test_cfg=dict(all_rounds=True))
    runner = tiny.runner_of(config, tmp_path / 'work')
    runner.call_hook('before_run')
    return runner


def loop_of(runner, **changes):
    runner._test_loop = SearchTestLoop(runner, **dict(dict(
        dataloader=runner.cfg.test_dataloader, evaluator=runner.cfg.test_evaluator, all_rounds=True), **changes))
    return runner._test_loop


def test_top_1_is_the_share_of_images_a_network_gets_right(runner):
    loop = loop_of(runner)
    metrics = loop.run()
    for round, prefix in enumerate(('r1.', '')):
        predict, right = runner.model.search_network('cls', round), []
        for batch in loop.loaders['cls']:
            for sample in predict(batch):
                folder = Path(sample.img_path).parent.name
                right.append(tiny.CLASSES[int(sample.pred_score.argmax())] == folder)
        assert len(right) == 12
        assert metrics[f'{prefix}cls/accuracy/top1'] == pytest.approx(100 * sum(right) / 12)


def perfect(wrong):
    """A stand-in for ``search_network`` that reads the truth, or shifts every label by one."""

    def network(task, round):

        def predict(batch):
            for sample in batch['data_samples']:
                if task == 'cls':
                    label = (sample.gt_label.item() + wrong) % 3
                    sample.set_pred_label(label).set_pred_score(torch.eye(3)[label])
                else:
                    truth = sample.gt_instances
                    boxes = truth.bboxes.tensor / torch.tensor(sample.scale_factor).repeat(2)
                    sample.pred_instances = InstanceData(
                        bboxes=boxes, labels=(truth.labels + wrong) % 3, scores=torch.ones(len(boxes)))
            return batch['data_samples']

        return predict

    return network


def test_the_truth_gets_full_marks(runner, monkeypatch):
    loop = loop_of(runner)
    monkeypatch.setattr(runner.model, 'search_network', perfect(0))
    metrics = loop.run()
    assert metrics['cls/accuracy/top1'] == metrics['r1.cls/accuracy/top1'] == 100
    assert metrics['det/coco/bbox_mAP'] == metrics['r1.det/coco/bbox_mAP_75'] == 1
    assert loop.evaluators['det'].dataset_meta['classes'] == tiny.CLASSES
    monkeypatch.setattr(runner.model, 'search_network', perfect(1))
    metrics = loop.run()
    assert metrics['cls/accuracy/top1'] == 0 and metrics['cls/accuracy/top2'] < 100
    assert metrics['det/coco/bbox_mAP_50'] < .5


def test_a_loop_looks_at_the_images_of_its_tasks_if_norms_couple_them(runner, monkeypatch):
    fields = []
    monkeypatch.setattr('imtnas_mm.engine.loops.evaluation_loop.warn_of_sorted_images',
                        lambda field, loader: fields.append(field))
    loop_of(runner)
    assert runner.model.space.couples_images and fields == ['test_dataloader.cls', 'test_dataloader.det']


def test_only_the_last_round_unless_asked(runner):
    asked, network = [], runner.model.search_network

    def spy(task, round):
        asked.append((task, round))
        return network(task, round)

    runner.model.search_network = spy
    metrics = loop_of(runner, all_rounds=False).run()
    assert asked == [('cls', 1), ('det', 1)] and {key.partition('/')[0] for key in metrics} == {'cls', 'det'}


def test_each_task_needs_its_loader_and_evaluator(runner):
    only = dict(det=runner.cfg.test_dataloader.det)
    with pytest.raises(ValueError, match=r"test_dataloader has \['det'\]; the model has the tasks \['cls', 'det'\]"):
        loop_of(runner, dataloader=only)
    more = dict(runner.cfg.test_evaluator, other=dict(type='Accuracy'))
    with pytest.raises(ValueError, match=r"test_evaluator has \['cls', 'det', 'other'\]"):
        loop_of(runner, evaluator=more)
    with pytest.raises(ValueError, match='test_dataloader.cls.dataset is missing'):
        loop_of(runner, dataloader=dict(only, cls=dict(batch_size=1)))


def half_right(task, round):
    """A stand-in for ``search_network`` that reads the truth, and gets every second image wrong."""
    return lambda batch: [
        perfect(sample.img_path[-5] in '02468')(task, round)(dict(data_samples=[sample]))[0]
        for sample in batch['data_samples']]


def evaluate(config, folder, *args):
    """Metrics, the images that this process predicted by task, and of how many images it gathered results."""
    runner = tiny.runner_of(config, folder / 'work', *args)
    runner.call_hook('before_run')
    runner.model.search_network = half_right
    loop, seen, gathered = loop_of(runner, all_rounds=False), {}, []
    for name, evaluator in loop.evaluators.items():
        def process(data_samples, data_batch, name=name, plain=evaluator.process):
            seen.setdefault(name, []).extend(sample.img_path for sample in data_samples)
            plain(data_samples=data_samples, data_batch=data_batch)
        evaluator.process = process

    def collect(results, size, *args, **kwargs):
        gathered.append(size)
        return collect_results(results, size, *args, **kwargs)
    with mock.patch('mmengine.evaluator.metric.collect_results', collect):
        return loop.run(), seen, gathered


def test_two_processes_evaluate_as_one(data, tmp_path, monkeypatch):
    """Of 5 and 3 images, one process predicts 3 and 2, the other 3 and 2, one of them again; each counts once."""
    monkeypatch.chdir(tmp_path)  # where mmengine puts a folder to gather results in
    fields = tiny.search_fields(data, val_begin=99)
    for name, number in dict(cls=5, det=3).items():
        fields['test_dataloader'][name]['dataset']['indices'] = number
    config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields)
    alone, whole, once = evaluate(config, tmp_path)
    assert once == [5, 3] and [len(whole[name]) for name in ('cls', 'det')] == [5, 3]
    assert 0 < alone['cls/accuracy/top1'] < 100 and 0 < alone['det/coco/bbox_mAP'] < 1

    def main():
        torch.save(evaluate(config, tmp_path, '--launcher', 'pytorch'), tmp_path / f'{os.environ["RANK"]}.pth')
        torch.distributed.barrier()
    ranks.run(2, tmp_path, main)
    (metrics, first, gathered), (others, second, _) = (tiny.checkpoint(tmp_path / f'{rank}.pth') for rank in range(2))
    assert metrics == others == alone and gathered == once
    for name, images in whole.items():
        half = (len(images) + 1) // 2
        assert (first[name], second[name]) == (images[::2], (images[1::2] + images)[:half])


class Labelled(torch.utils.data.Dataset):
    """60 images of 10 classes, class by class, without any pixels."""
    metainfo = dict(classes=tuple('abcdefghij'))

    def __len__(self):
        return 60

    def get_data_info(self, index):
        return dict(gt_label=index // 6)


@pytest.mark.parametrize('batch_size, shuffle, told', [(20, False, 'first batch of 20 images has 4 of 10 classes'),
                                                       (20, True, None), (4, False, 'of 4 images has 1 of 10 classes'),
                                                       (60, False, None), (1, False, None)])
def test_batches_of_few_classes_are_told_of(monkeypatch, batch_size, shuffle, told):
    lines = []
    monkeypatch.setattr('imtnas_mm.engine.loops.evaluation_loop.print_log', lambda text, **_: lines.append(text))
    generator = torch.Generator().manual_seed(0)
    loader = torch.utils.data.DataLoader(Labelled(), batch_size, shuffle, generator=generator)
    warn_of_sorted_images('val_dataloader.cls', loader)
    assert len(lines) == (told is not None)
    if told:
        assert told in lines[0] and "val_dataloader.cls.sampler=dict(type='DefaultSampler', shuffle=True" in lines[0]
