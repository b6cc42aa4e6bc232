"""A joint training through the tools: train, test, export, graphs of its tasks."""
import json
import pickle
from dataclasses import replace
from unittest import mock

import cv2
import pytest
import torch
from mmdet.structures import DetDataSample

from helpers import tiny_run as tiny
from helpers.forks import in_fork
from imtnas_mm.checkpoint import read_checkpoint
from imtnas_mm.datasets import DataError
from imtnas_mm.deploy import graphs
from imtnas_mm.deploy.write import built
from imtnas_mm.engine.export import exported
from imtnas_mm.genotype import GenotypeError, published_genotype, save_genotype

KEYS = ('cls/accuracy/top1', 'cls/accuracy/top2', 'det/coco/bbox_mAP', 'det/coco/bbox_mAP_50')


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """Config, architecture file and checkpoint; the config names a file that isn't there."""
    folder = tmp_path_factory.mktemp('joint')
    save_genotype(tiny.shared_architecture(('cls', 'det'), lambda i: (0, int(i > 9))), folder / 'architecture.json')
    fields = tiny.joint_fields(data, epoch_length=4)
    fields['model']['backbone']['architecture'] = 'gone.json'
    config = tiny.write_config(folder / 'joint.py', '_base_/joint_runtime.py', **fields)
    architecture = folder / 'architecture.json'
    tiny.run('train', config, '--work-dir', folder / 'work', '--architecture', architecture)
    return config, architecture, folder / 'work' / 'epoch_1.pth'


def export(*args):
    tiny.tool('export').main([str(arg) for arg in args])


def figures(config, checkpoint, folder):
    """Of the architecture in the checkpoint: the config names a file that isn't there."""
    tiny.run('test', config, checkpoint, '--work-dir', folder)
    return {key: tiny.tested(folder)[key] for key in KEYS}


def test_is_tested_as_validated_and_as_its_exports(trained, tmp_path, capsys):
    config, architecture, checkpoint = trained
    validated = {key: tiny.scalars(checkpoint.parent)[-1][key] for key in KEYS}
    assert figures(config, checkpoint, tmp_path / 'own') == validated
    capsys.readouterr()
    export(checkpoint, tmp_path / 'joint')
    printed = capsys.readouterr().out
    assert all(f'{what}: exported' in printed for what in ('config', 'architecture', 'class names'))
    saved = tiny.checkpoint(checkpoint)['state_dict']
    for suffix in ('pth', 'safetensors'):
        path = tmp_path / f'joint.{suffix}'
        content = read_checkpoint(str(path))
        assert content['meta']['architecture']['sharing']['tasks'] == ['cls', 'det']
        assert {name: tensor.shape for name, tensor in content['state_dict'].items()} == {
            name: tensor.shape for name, tensor in saved.items()}
        assert figures(config, path, tmp_path / suffix) == validated


def test_a_task_by_itself(trained, data, tmp_path, capsys):
    """Its export is that of an ordinary retraining with its config, and gives the same figures."""
    config, architecture, checkpoint = trained
    joint = figures(config, checkpoint, tmp_path / 'joint')
    capsys.readouterr()
    for task, keys in dict(cls=KEYS[:2], det=KEYS[2:]).items():
        export(checkpoint, tmp_path / f'{task}.safetensors', '--task', task)
        printed = capsys.readouterr().out
        assert all(f'{what}: exported' in printed for what in ('config', 'architecture', 'class names'))
        meta = read_checkpoint(str(tmp_path / f'{task}.safetensors'))['meta']
        assert 'sharing' not in meta['architecture'] and meta['dataset_meta']['classes'] == tiny.CLASSES
        tiny.run('test', tmp_path / f'{task}.safetensors.py', tmp_path / f'{task}.safetensors', '--work-dir',
                 tmp_path / task)  # by the config in the export
        actual = tiny.tested(tmp_path / task)
        assert [actual[key.removeprefix(f'{task}/')] for key in keys] == [joint[key] for key in keys]
    with pytest.raises(SystemExit, match='export: --task seg: the checkpoint has the tasks cls, det'):
        export(checkpoint, tmp_path / 'seg.pth', '--task', 'seg')
    torch.save(dict(state_dict=dict(a=torch.ones(1))), tmp_path / 'other.pth')
    with pytest.raises(SystemExit, match='export: --task cls: the checkpoint is not one of a joint training'):
        export(tmp_path / 'other.pth', tmp_path / 'a.pth', '--task', 'cls')


def test_a_task_that_reads_others_is_not_exported_alone(trained, tmp_path):
    saved = tiny.checkpoint(trained[2])
    saved['state_dict']['tasks.cls.backbone.fusion.cls_1_from_det_0.weight'] = torch.ones(1)
    torch.save(saved, tmp_path / 'fused.pth')
    with pytest.raises(SystemExit, match='--task cls: its network reads features of other tasks'):
        export(tmp_path / 'fused.pth', tmp_path / 'cls.pth', '--task', 'cls')
    assert [path.name for path in tmp_path.iterdir()] == ['fused.pth']


# --- graphs ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def fused(data, tmp_path_factory):
    """Config and checkpoint of networks that read each other's features."""
    folder = tmp_path_factory.mktemp('fused')
    edges = [['det', 2, 'cls', 2], ['cls', 3, 'det', 3]]
    architecture = replace(tiny.short_architecture(), sharing=dict(
        method='fusion', tasks=['cls', 'det'], edges=edges)).to_dict()
    model = tiny.joint_model()
    model['backbone']['architecture'] = architecture
    model['tasks']['cls']['model']['head']['norm_cfg'] = dict(type='BN')  # predicts each image by itself
    config = tiny.write_config(folder / 'joint.py', '_base_/joint_runtime.py', **tiny.joint_fields(
        data, model=model, epoch_length=4))
    tiny.run('train', config, '--work-dir', folder / 'work')
    return config, folder / 'work' / 'epoch_1.pth'


def of_the_model(model, task, path):
    """The prediction of a task's model for the image of a file, which is not resized."""
    image = cv2.imread(path)
    sample = None if task == 'cls' else [DetDataSample(metainfo=dict(
        img_shape=image.shape[:2], ori_shape=image.shape[:2], scale_factor=(1., 1.)))]
    with torch.no_grad():
        return model.tasks[task].test_step(dict(
            inputs=[torch.from_numpy(image).permute(2, 0, 1)], data_samples=sample))[0]


def annotate(model, data, path):
    """COCO's file of the validation scenes, in which the model's three best detections are the objects."""
    content = json.loads(tiny.annotation_file(data, 'val').read_text())
    content['annotations'] = []
    for image in content['images']:
        best = of_the_model(model, 'det', str(data / 'coco' / 'val2017' / image['file_name'])).pred_instances
        for (left, top, right, bottom), label in zip(best.bboxes[:3].tolist(), best.labels[:3].tolist(), strict=True):
            content['annotations'].append(dict(
                id=len(content['annotations']) + 1, image_id=image['id'], category_id=label + 1, iscrowd=0,
                bbox=[left, top, right - left, bottom - top], area=(right - left) * (bottom - top)))
    path.write_text(json.dumps(content))


@pytest.mark.slow
def test_the_graphs_of_the_tasks_are_tested_as_the_checkpoint(fused, data, tmp_path):
    """Predictions, AP and accuracy through onnxruntime, by the config of the joint training."""
    in_fork(check_graphs, *fused, data, tmp_path)


def check_graphs(config, checkpoint, data, folder):
    model = built(exported(str(checkpoint))).eval()
    annotate(model, data, folder / 'scenes.json')
    options = [f'{field}={folder / "scenes.json"}' for field in (
        'test_dataloader.det.dataset.ann_file', 'test_evaluator.det.ann_file')]
    tiny.run('test', config, checkpoint, '--work-dir', folder / 'checkpoint', options=options)
    expected = tiny.tested(folder / 'checkpoint')
    assert expected['det/coco/bbox_mAP'] > .3 and expected['cls/accuracy/top2'] > 0  # there is something to compare
    export(checkpoint, folder / 'joint.onnx')
    assert {path.name for path in folder.glob('joint.*')} == {
        f'joint.{task}.onnx{suffix}' for task in ('cls', 'det') for suffix in ('', '.py')}
    for task, keys in dict(cls=KEYS[:2], det=KEYS[2:]).items():
        graph = folder / f'joint.{task}.onnx'
        tiny.run('test', config, graph, '--work-dir', folder / task, '--out', folder / 'out.pkl', options=options)
        actual = tiny.tested(folder / task)
        assert [actual[key.removeprefix(f'{task}/')] for key in keys] == pytest.approx(
            [expected[key] for key in keys], abs=1e-3)
        for entry in pickle.loads((folder / 'out.pkl').read_bytes()):
            right = of_the_model(model, task, str(entry['img_path']))
            if task == 'cls':
                torch.testing.assert_close(entry['pred_score'], right.pred_score, rtol=0, atol=1e-5)
                continue
            for name, margin in dict(bboxes=.05, scores=1e-4, labels=0).items():
                torch.testing.assert_close(entry['pred_instances'][name], right.pred_instances[name], rtol=0,
                                           atol=margin)
    right = graphs.delta2bbox
    with mock.patch.object(graphs, 'delta2bbox', lambda priors, deltas, *args, **kinds: right(
            priors, deltas + .5, *args, **kinds)):
        export(checkpoint, folder / 'wrong.pt2', '--task', 'det')
    tiny.run('test', config, folder / 'wrong.pt2', '--work-dir', folder / 'wrong', options=options)
    assert tiny.tested(folder / 'wrong')['coco/bbox_mAP'] < expected['det/coco/bbox_mAP'] - .1
    others = tiny.write_config(folder / 'others.py', '_base_/joint_runtime.py', **tiny.joint_fields(
        data, order=('cls', 'cls2')))
    with pytest.raises(SystemExit, match='wrong.pt2 is the graph of one network for the task det, and .*others.py has '
                       'the tasks cls, cls2; give the config of its training'):
        tiny.run('test', others, folder / 'wrong.pt2', '--work-dir', folder / 'other')


def test_refused(trained, tmp_path):
    config, architecture, checkpoint = trained
    with_file = ('--architecture', architecture)
    for flag in (('--out', 'found.pkl'), ('--show-dir', 'painted'), ('--tta', )):
        with pytest.raises(SystemExit, match='--show-dir and --tta are for networks of one task; .*joint.py'):
            tiny.run('test', config, checkpoint, *with_file, *flag)
    with pytest.raises(SystemExit, match='--auto-scale-lr: .*a joint training has several batch sizes'):
        tiny.run('train', config, *with_file, '--auto-scale-lr')
    save_genotype(published_genotype('fairnas_smallest'), tmp_path / 'alone.json')
    with pytest.raises(ValueError, match=r'alone\.json: sharing: is missing'):
        tiny.run('train', config, '--work-dir', tmp_path / 'work', '--architecture', tmp_path / 'alone.json')
    save_genotype(tiny.shared_architecture(('cls', 'det'), lambda i: (0, 1)), tmp_path / 'unshared.json')
    with pytest.raises(GenotypeError, match=r'unshared.json: contradicts .*: sharing.blocks.stem\[1\]: 1, there 0'):
        tiny.run('test', config, checkpoint, '--work-dir', tmp_path / 'test', '--architecture',
                 tmp_path / 'unshared.json')
    other = tiny.shared_architecture(('cls', 'det'), lambda i: (0, 1), 'fairnas_largest')
    save_genotype(other, tmp_path / 'other.json')
    with pytest.raises(GenotypeError, match=r'--architecture .*other.json: contradicts .*epoch_1.pth.*layers\[0\]'):
        tiny.run('test', config, checkpoint, '--work-dir', tmp_path / 'test', '--architecture', tmp_path / 'other.json')
    for field in ('train_dataloader.cls.dataset.data_root', 'val_dataloader.det.dataset.ann_file',
                  'val_evaluator.det.ann_file'):
        with pytest.raises(DataError, match=f"^{field}: '.*nowhere'"):
            tiny.run('train', config, '--work-dir', tmp_path / 'work', *with_file, options=[f'{field}=nowhere'])
    saved = tiny.checkpoint(checkpoint)
    saved['meta']['dataset_meta']['det']['classes'] = tiny.CLASSES[::-1]
    torch.save(saved, tmp_path / 'turned.pth')
    message = r'^test_dataloader\.det\.dataset: its classes are not those of .*turned\.pth: the same names in another'
    with pytest.raises(DataError, match=message):
        tiny.run('test', config, tmp_path / 'turned.pth', '--work-dir', tmp_path / 'test', *with_file)
