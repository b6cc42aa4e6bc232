"""A joint training through the tools: train, test, export."""
import pytest
import torch

from helpers import tiny_run as tiny
from imtnas_mm.checkpoint import read_checkpoint
from imtnas_mm.datasets import DataError
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
