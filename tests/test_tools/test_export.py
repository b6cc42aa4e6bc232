"""tools/export.py: what it writes tests, loads and predicts as the checkpoint it was made from."""
import json
import pickle
import shutil
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from helpers import tiny_run as tiny
from helpers.forks import in_fork
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.checkpoint import CheckpointError, read_checkpoint
from imtnas_mm.config.inference import plain_settings
from imtnas_mm.genotype import GenotypeError, save_genotype
from imtnas_mm.inference import load_inferencer


@pytest.fixture(scope='module')
def classifier(data, tmp_path_factory):
    """Config and checkpoint of a training whose weights are averaged, of the architecture in a file."""
    folder = tmp_path_factory.mktemp('classifier')
    save_genotype(tiny.short_architecture(), folder / 'architecture.json')
    fields = tiny.retrain_fields(data, 'cls', str(folder / 'architecture.json'))
    head = dict(fields['model']['head'], norm_cfg=dict(type='BN', momentum=.5))  # predicts each image by itself
    fields['model'] = dict(fields['model'], head=head)
    config = tiny.write_config(folder / 'classifier.py', None, **fields,
                               custom_hooks=[dict(type='EMAHook', momentum=.3, update_buffers=True)])
    tiny.run('train', config, '--work-dir', folder / 'work')
    return config, folder / 'work' / 'epoch_1.pth', folder


@pytest.fixture(scope='module')
def detector(data, tmp_path_factory):
    """Config and checkpoint of a training whose architecture file is gone."""
    folder = tmp_path_factory.mktemp('detector')
    save_genotype(tiny.short_architecture(), folder / 'architecture.json')
    config = tiny.write_config(folder / 'detector.py', None, **tiny.retrain_fields(
        data, architecture=str(folder / 'architecture.json')))
    tiny.run('train', config, '--work-dir', folder / 'work')
    (folder / 'architecture.json').unlink()
    return config, folder / 'work' / 'epoch_1.pth'


def export(*args):
    tiny.tool('export').main([str(arg) for arg in args])


@pytest.fixture(scope='module')
def exports(classifier, detector, tmp_path_factory):
    """A folder with cls and det, as files of each kind."""
    folder = tmp_path_factory.mktemp('exports')

    def make():
        for task, checkpoint in dict(cls=classifier[1], det=detector[1]).items():
            for suffix in ('', '.onnx', '.pt2'):
                export(checkpoint, folder / f'{task}{suffix}')

    in_fork(make)
    return folder


def same(first, other):
    assert list(first) == list(other)
    assert all(torch.equal(first[name], other[name]) and first[name].dtype == other[name].dtype for name in first)


def test_both_files(classifier, tmp_path, capsys):
    _, checkpoint, folder = classifier
    export(checkpoint, tmp_path / 'new' / 'weights')
    printed = capsys.readouterr().out
    saved = tiny.checkpoint(checkpoint)
    for suffix in ('pth', 'safetensors'):
        path = tmp_path / 'new' / f'weights.{suffix}'
        assert f'written: {path}' in printed
        actual = read_checkpoint(str(path))
        assert sorted(actual) == ['meta', 'state_dict'] and path.stat().st_size < checkpoint.stat().st_size / 2
        same({name: actual['state_dict'][name] for name in saved['state_dict']}, saved['state_dict'])
        meta = actual['meta']
        assert meta['architecture'] == tiny.short_architecture().to_dict()
        assert meta['dataset_meta']['classes'] == tiny.CLASSES
        assert meta['epoch'] == 1 and str(folder) in saved['meta']['cfg'] and str(folder) not in meta['cfg']
        settings, beside = plain_settings(meta['cfg'], 'cfg'), Config.fromfile(f'{path}.py')
        assert settings['model']['backbone']['architecture'] == meta['architecture']
        assert 'train_dataloader' not in settings and settings['test_dataloader'] == beside.test_dataloader
        assert beside.load_from == str(path) and f'written: {path}.py' in printed
    assert 'architecture: exported' in printed and 'class names: exported' in printed


def test_tests_and_loads_as_the_checkpoint(classifier, tmp_path):
    config, checkpoint, _ = classifier
    export(checkpoint, tmp_path / 'weights.safetensors')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['weights.safetensors', 'weights.safetensors.py']
    predictions = []
    for i, path in enumerate((checkpoint, tmp_path / 'weights.safetensors')):
        tiny.run('test', config, path, '--work-dir', tmp_path / 'test', '--out', tmp_path / f'{i}.pkl')
        predictions.append(pickle.loads((tmp_path / f'{i}.pkl').read_bytes()))
    assert len(predictions[0]) == 12
    for first, other in zip(*predictions, strict=True):
        assert torch.equal(first['pred_score'], other['pred_score'])
    backbone = MODELS.build(dict(
        type='imtnas_mm.MBConvNet', architecture=tiny.short_architecture().to_dict(), width_mult=.1,
        init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.safetensors'), prefix='backbone.')))
    backbone.init_weights()
    state = tiny.checkpoint(checkpoint)['state_dict']
    same(backbone.state_dict(), {name: state[f'backbone.{name}'] for name in backbone.state_dict()})


# runs without anything of this checkout but the installed packages; first mmdet's inferencer, so that its scope stays
ELSEWHERE = """
import json, pathlib, sys
from mmdet.apis import DetInferencer
from mmpretrain.apis import ImageClassificationInferencer

images = json.loads(sys.argv[1])
SUFFIXES = ('pth', 'safetensors', 'onnx', 'pt2')
detectors = dict(pth=DetInferencer(weights='det.pth', show_progress=False))
classifiers = {}
for suffix in SUFFIXES:
    if suffix != 'pth':
        detectors[suffix] = DetInferencer(f'det.{suffix}.py', f'det.{suffix}', show_progress=False)
    classifiers[suffix] = ImageClassificationInferencer(f'cls.{suffix}.py')
import imtnas_mm.inference
for suffix in SUFFIXES:
    pathlib.Path('alone').mkdir(exist_ok=True)
    for task, made in (('det', detectors), ('cls', classifiers)):
        path = pathlib.Path(f'{task}.{suffix}').rename(f'alone/{task}.{suffix}')
        made['alone_' + suffix] = imtnas_mm.inference.load_inferencer(path)
result = dict(det={}, cls={})
for name, detector in detectors.items():
    samples = detector(images['det'], return_datasamples=True)['predictions']
    result['det'][name] = [[sample.pred_instances.bboxes.tolist(), sample.pred_instances.scores.tolist(),
                            sample.pred_instances.labels.tolist()] for sample in samples]
for name, classifier in classifiers.items():
    result['cls'][name] = [[float(x) for x in entry['pred_scores']] for entry in classifier(images['cls'])]
    assert all(entry['pred_class'] in ('red', 'green', 'blue') for entry in classifier(images['cls']))
pathlib.Path('result.json').write_text(json.dumps(result))
"""


@pytest.mark.slow
def test_the_file_alone_predicts_as_the_checkpoint_in_another_process(classifier, detector, exports, tmp_path):
    """By both libraries' inferencers, which share a process, in a folder with nothing else."""
    folder, images, expected = tmp_path / 'moved', {}, {}
    shutil.copytree(exports, folder)
    for task, (config, checkpoint, *_) in dict(cls=classifier, det=detector).items():
        tiny.run('test', config, checkpoint, '--work-dir', tmp_path / task, '--out', tmp_path / 'out.pkl',
                 options=['test_dataloader.batch_size=1'])  # as the inferencers do
        predictions = pickle.loads((tmp_path / 'out.pkl').read_bytes())
        images[task] = [str(entry['img_path']) for entry in predictions]
        if task == 'det':
            expected[task] = [[entry['pred_instances'][key].tolist() for key in ('bboxes', 'scores', 'labels')]
                              for entry in predictions]
        else:
            expected[task] = [entry['pred_score'].tolist() for entry in predictions]
    done = subprocess.run([sys.executable, '-c', ELSEWHERE, json.dumps(images)], cwd=folder, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads((folder / 'result.json').read_text())
    assert sum(len(entry[0]) for entry in expected['det']) > 4
    for task in ('cls', 'det'):
        names = ['onnx', 'pt2', 'pth', 'safetensors']
        assert sorted(result[task]) == [*(f'alone_{name}' for name in names), *names]
        for name, predictions in result[task].items():
            if 'onnx' not in name and 'pt2' not in name:
                assert predictions == expected[task], (task, name)
            elif task == 'cls':
                torch.testing.assert_close(torch.tensor(predictions), torch.tensor(expected[task]), rtol=0, atol=1e-5)
            else:
                for parts, others in zip(predictions, expected[task], strict=True):
                    for part, other, margin in zip(parts, others, (.05, 1e-4, 0), strict=True):
                        torch.testing.assert_close(torch.tensor(part), torch.tensor(other), rtol=0, atol=margin)


@pytest.mark.slow
@pytest.mark.parametrize('suffix', ['onnx', 'pt2'])
def test_a_graph_is_tested_as_the_checkpoint(classifier, detector, exports, tmp_path, suffix):
    in_fork(check_graph, dict(cls=classifier[:2], det=detector), exports, tmp_path, suffix)


def check_graph(trained, exports, folder, suffix):
    for task, (config, checkpoint) in trained.items():
        figures = []
        for path in (checkpoint, exports / f'{task}.{suffix}'):
            tiny.run('test', config, path, '--work-dir', folder / f'{task}{path.suffix}',
                     options=['test_dataloader.batch_size=2'])
            figures.append({key: value for key, value in tiny.tested(folder / f'{task}{path.suffix}').items()
                            if 'time' not in key})
        assert len(figures[0]) > 1 and figures[1] == pytest.approx(figures[0], abs=1e-3)
    config, graph = trained['cls'][0], exports / f'cls.{suffix}'
    with pytest.raises(CheckpointError, match=f'{suffix}: optimizer: is missing, so no training can be resumed'):
        tiny.run('train', config, '--work-dir', folder / 'work', '--resume', graph)
    with pytest.raises(GenotypeError, match=rf'fairnas_c: contradicts the architecture in .*cls.{suffix}'):
        tiny.run('test', config, graph, '--work-dir', folder, '--architecture', 'fairnas_c')


def test_no_inferencer(classifier, tmp_path):
    config, checkpoint, _ = classifier
    torch.save(dict(state_dict=dict(a=torch.ones(1))), tmp_path / 'weights.pth')
    for path, message in ((tmp_path / 'weights.pth', 'weights.pth: meta.cfg: is missing; it must be an export'), ):
        with pytest.raises(CheckpointError, match=message):
            load_inferencer(path)
    export(checkpoint, tmp_path / 'other.pth')
    content = tiny.checkpoint(tmp_path / 'other.pth')
    text = content['meta']['cfg']
    for old, new, message in (
        ("default_scope = 'mmpretrain'", "default_scope = 'imtnas_mm'", "default_scope: 'imtnas_mm'; an inferencer"),
        ("default_scope = 'mmpretrain'", 'default_scope = print(3)', 'default_scope: an export holds plain values'),
        ('test_dataloader', 'other_dataloader', 'test_dataloader: is missing'),
        ("'hidden_channels': 16", "'hidden_channels': 8", 'not a checkpoint of ImageClassifier: it has .head'),
        ("'width_mult': 0.1", "'width_mult': 1", 'state dict for backbone: .*shape'),
    ):
        assert old in text, old
        content['meta']['cfg'] = text.replace(old, new)
        torch.save(content, tmp_path / 'changed.pth')
        with pytest.raises(CheckpointError, match=message):
            load_inferencer(tmp_path / 'changed.pth')


def test_weights_that_are_not_averaged(classifier, tmp_path):
    _, checkpoint, _ = classifier
    export(checkpoint, tmp_path / 'own.pth', '--no-ema')
    actual, saved = read_checkpoint(str(tmp_path / 'own.pth'))['state_dict'], tiny.checkpoint(checkpoint)
    same(actual, {name: saved['ema_state_dict'][f'module.{name}'] for name in saved['state_dict']})
    name = 'backbone.stem.conv.weight' if 'backbone.stem.conv.weight' in actual else next(iter(actual))
    assert not torch.equal(actual[name], saved['state_dict'][name])


def test_a_search_checkpoint(data, tmp_path, capsys):
    config = tiny.write_config(tmp_path / 'search.py', 'imtnas_demo.py', **tiny.search_fields(data))
    tiny.run('train', config, '--work-dir', tmp_path / 'work', options=['train_cfg.epoch_length=1'])
    checkpoint = tmp_path / 'work' / 'epoch_1.pth'
    capsys.readouterr()
    export(checkpoint, tmp_path / 'weights.safetensors')
    assert 'architecture: not in the checkpoint' in capsys.readouterr().out
    tiny.run('test', config, tmp_path / 'weights.safetensors', '--work-dir', tmp_path / 'test')
    validated, actual = tiny.scalars(tmp_path / 'work')[-1], tiny.tested(tmp_path / 'test')
    keys = [key for key in actual if key.startswith(('cls/', 'det/'))]
    assert len(keys) > 5 and all(actual[key] == validated[key] for key in keys)
    tiny.tool('derive').main([str(arg) for arg in (config, checkpoint, '--out', tmp_path / 'a.json')])
    tiny.tool('derive').main(
        [str(arg) for arg in (config, tmp_path / 'weights.safetensors', '--out', tmp_path / 'b.json')])
    first, other = ((tmp_path / name).read_text() for name in ('a.json', 'b.json'))
    assert first.replace('epoch_1.pth', 'weights.safetensors') == other


def test_an_export_cannot_be_resumed(classifier, tmp_path):
    config, checkpoint, _ = classifier
    export(checkpoint, tmp_path / 'weights')
    for suffix in ('pth', 'safetensors'):
        with pytest.raises(CheckpointError, match=rf'weights.{suffix}: optimizer: is missing, .*; load_from starts'):
            tiny.run('train', config, '--work-dir', tmp_path / 'work', '--resume', tmp_path / f'weights.{suffix}')


def test_refused(classifier, tmp_path):
    _, checkpoint, folder = classifier
    torch.save(dict(state_dict=dict(a=torch.ones(1)), meta=dict(
        cfg="model = dict(backbone=dict(architecture='gone.json'))")), tmp_path / 'gone.pth')
    torch.save(dict(state_dict=dict(a=3)), tmp_path / 'number.pth')
    torch.save(dict(state_dict=dict()), tmp_path / 'nothing.pth')
    (folder / 'folder.pth').mkdir()
    gone = tmp_path / 'gone.pth', tmp_path / 'a'
    for args, message in (
        (gone, r"gone.pth: meta.cfg: model.backbone.architecture: 'gone.json'.*--archi"),
        ((*gone, '--architecture', 'no.json'), "architecture: 'no.json'"),
        ((*gone, '--architecture', 'fairnas_a', '--no-ema'), 'ema_state_dict: is missing'),
        ((tmp_path / 'number.pth', tmp_path / 'a'), 'number.pth: state_dict: a is a int'),
        ((tmp_path / 'nothing.pth', tmp_path / 'a'), 'nothing.pth: state_dict: is empty'),
        ((checkpoint, checkpoint), 'epoch_1.pth: the export would replace it'),
        ((checkpoint, folder / 'folder.pth'), '(d|D)irectory'),
        ((checkpoint, f'{folder}/'), f'{folder}/: it must be the name of a file'),
    ):
        with pytest.raises(SystemExit, match=f'^export: .*{message}'):
            export(*args)
    with pytest.raises(SystemExit, match='checkpoint: .*none.pth. is not a file'):
        export(tmp_path / 'none.pth', 'a')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['gone.pth', 'nothing.pth', 'number.pth']
    with pytest.raises(SystemExit, match='export: --architecture fairnas_c: contradicts the architecture in .*epoch_1'):
        export(checkpoint, tmp_path / 'a.pth', '--architecture', 'fairnas_c')
    torch.save(dict(state_dict=dict(a=torch.ones(1)), meta=dict(cfg='model = dict(backbone=print(3))')),
               tmp_path / 'code.pth')
    with pytest.raises(SystemExit, match='export: .*code.pth: meta.cfg: model: an export holds plain values alone'):
        export(tmp_path / 'code.pth', tmp_path / 'a.pth')
    export(tmp_path / 'gone.pth', tmp_path / 'a.safetensors', '--architecture', 'fairnas_a')
    assert read_checkpoint(str(tmp_path / 'a.safetensors'))['meta']['architecture']['source'] == dict(name='fairnas_a')
