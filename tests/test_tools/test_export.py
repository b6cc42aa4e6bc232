"""tools/export.py: what it writes tests and loads as the checkpoint it was made from."""
import pickle

import pytest
import torch
from mmengine.registry import MODELS

from helpers import tiny_run as tiny
from imtnas_mm.checkpoint import CheckpointError, read_checkpoint
from imtnas_mm.genotype import published_genotype, save_genotype


@pytest.fixture(scope='module')
def classifier(data, tmp_path_factory):
    """Config and checkpoint of a training whose weights are averaged, of the architecture in a file."""
    folder = tmp_path_factory.mktemp('classifier')
    save_genotype(published_genotype('fairnas_smallest'), folder / 'architecture.json')
    config = tiny.write_config(
        folder / 'classifier.py', None,
        **tiny.retrain_fields(data, 'cls', str(folder / 'architecture.json')),
        custom_hooks=[dict(type='EMAHook', momentum=.3)])
    tiny.run('train', config, '--work-dir', folder / 'work')
    return config, folder / 'work' / 'epoch_1.pth', folder


def export(*args):
    tiny.tool('export').main([str(arg) for arg in args])


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
        assert meta['architecture'] == published_genotype('fairnas_smallest').to_dict()
        assert meta['dataset_meta']['classes'] == tiny.CLASSES
        assert meta['cfg'] == saved['meta']['cfg'] and meta['epoch'] == 1
    assert 'architecture: exported' in printed and 'class names: exported' in printed


def test_tests_and_loads_as_the_checkpoint(classifier, tmp_path):
    config, checkpoint, _ = classifier
    export(checkpoint, tmp_path / 'weights.safetensors')
    assert [path.name for path in tmp_path.iterdir()] == ['weights.safetensors']
    predictions = []
    for i, path in enumerate((checkpoint, tmp_path / 'weights.safetensors')):
        tiny.run('test', config, path, '--work-dir', tmp_path / 'test', '--out', tmp_path / f'{i}.pkl')
        predictions.append(pickle.loads((tmp_path / f'{i}.pkl').read_bytes()))
    assert len(predictions[0]) == 12
    for first, other in zip(*predictions, strict=True):
        assert torch.equal(first['pred_score'], other['pred_score'])
    backbone = MODELS.build(dict(
        type='imtnas_mm.MBConvNet', architecture='fairnas_smallest', width_mult=.1,
        init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.safetensors'), prefix='backbone.')))
    backbone.init_weights()
    state = tiny.checkpoint(checkpoint)['state_dict']
    same(backbone.state_dict(), {name: state[f'backbone.{name}'] for name in backbone.state_dict()})


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
    with pytest.raises(SystemExit, match='checkpoint: .*none.pth is not a file'):
        export(tmp_path / 'none.pth', 'a')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['gone.pth', 'nothing.pth', 'number.pth']
    export(tmp_path / 'gone.pth', tmp_path / 'a.safetensors', '--architecture', 'fairnas_a')
    assert read_checkpoint(str(tmp_path / 'a.safetensors'))['meta']['architecture']['source'] == dict(name='fairnas_a')
