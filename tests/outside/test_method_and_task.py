"""A method and a task from outside the package, in one file each: on a space of the package, and all three together."""
import importlib

import pytest
import torch

from helpers import forked_tools, small_search, stub_tools
from helpers import tiny_run as tiny
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.genotype import load_genotype
from imtnas_mm.registry import MODELS

TASK, METHOD, SPACE = 'outside.toy_task', 'outside.toy_method', 'outside.toy_space'
HEAD = dict(type='ToyFCNHead', in_channels=[8, 32], num_classes=2)
SEGMENTOR = dict(type='ToySegmentor', data_preprocessor=dict(mean=[115.] * 3, std=[60.] * 3), decode_head=HEAD)


def imports(*modules):
    return dict(imports=['imtnas_mm.engine', *modules], allow_failed_imports=False)


def scenes(number, first=0):
    dataset = dict(type='ToyScenes', number=number, first=first, pipeline=[dict(type='PackPixelInputs')])
    return tiny.loader(dataset, 4, sampler=dict(type='DefaultSampler', shuffle=not first))


def search_fields(data, space, out_indices):
    """A search of classification and segmentation."""
    fields = tiny.search_fields(data, order=('cls', 'cls2'))  # the second makes place
    fields['model']['search_space'] = space
    fields['model']['tasks'] = tiny.replaced(
        cls=tiny.TASKS['cls'],
        seg=dict(type='SegmentationTask', model=SEGMENTOR, backbone=dict(out_indices=out_indices)))
    fields['train_cfg']['order'] = ('cls', 'seg')
    fields['auto_scale_lr'] = dict(base_batch_size=tiny.replaced(cls=4, seg=4))
    for name, new in (('train_dataloader', scenes(8)), ('val_dataloader', scenes(4, 8)),
                      ('test_dataloader', scenes(4, 8)), ('val_evaluator', dict(type='PixelAccuracy')),
                      ('test_evaluator', dict(type='PixelAccuracy'))):
        fields[name] = dict(fields[name], seg=new)
        fields[name].pop('cls2')
    return fields


def climbing(model):
    """The model's config for the method from outside, which takes what every method takes."""
    return tiny.replaced(type='HillClimbing', **{part: kept(model[part]) for part in ('search_space', 'tasks')})


def kept(options):
    """The options without the marks that they replace inherited ones: a dict that holds them has such a mark."""
    if not isinstance(options, dict):
        return options
    return {key: kept(value) for key, value in options.items() if key != '_delete_'}


def retrain_fields(data, backbone):
    """Segmentation by one network."""
    fields = tiny.retrain_fields(data, 'cls')
    del fields['default_hooks']['visualization']
    fields['visualizer']['type'] = 'Visualizer'
    fields.update(
        default_scope='imtnas_mm', model=dict(SEGMENTOR, backbone=backbone), train_dataloader=scenes(8),
        val_dataloader=scenes(4, 8), test_dataloader=scenes(4, 8), val_evaluator=dict(type='PixelAccuracy'),
        test_evaluator=dict(type='PixelAccuracy'))
    return fields


@pytest.fixture(scope='module')
def search(data, tmp_path_factory):
    """Method and task on the MBConv space: the config, and its work dir."""
    folder = tmp_path_factory.mktemp('climbing')
    fields = search_fields(data, dict(tiny.SPACE), (2, 5))
    fields['model'] = climbing(fields['model'])
    config = tiny.write_config(folder / 'search.py', 'imtnas_demo.py', custom_imports=imports(METHOD, TASK), **fields)
    tiny.run('train', config, '--work-dir', folder / 'run')
    return config, folder / 'run'


def test_they_are_searched(search):
    _, work_dir = search
    assert load_genotype(work_dir / 'architecture.json').source['method'] == 'HillClimbing'
    last = tiny.scalars(work_dir)[-1]  # of the validation
    assert 0 <= last['seg/seg/pixel_accuracy'] <= 100 and 'cls/accuracy/top1' in last


def test_they_are_derived_and_drawn(search, tmp_path, capsys):
    config, work_dir = search
    out = tmp_path / 'out.json'
    tiny.tool('derive').main([str(config), str(work_dir / 'epoch_1.pth'), '--out', str(out), '--shape', '32'])
    genotype, found = load_genotype(out), load_genotype(work_dir / 'architecture.json')
    assert genotype.architecture == found.architecture and 'MACs: ' in capsys.readouterr().out
    assert {path.suffix for path in tmp_path.iterdir()} == {'.json', '.svg', '.png'}
    tiny.tool('draw').main([str(work_dir / 'epoch_1.pth'), '--config', str(config), '--out', str(tmp_path / 'b')])
    assert (tmp_path / 'b.svg').exists()


def test_they_are_retrained(search, data, tmp_path):
    _, work_dir = search
    backbone = dict(type='MBConvNet', architecture='fairnas_c', out_indices=(2, 5), norm_cfg=dict(type='BN'), **{
        key: tiny.SPACE[key] for key in ('width_mult', 'stem_stride', 'strides')})
    config = tiny.write_config(tmp_path / 'retrain.py', None, **dict(
        retrain_fields(data, backbone), custom_imports=imports(TASK)))
    tiny.run('train', config, '--work-dir', tmp_path, '--architecture', work_dir / 'architecture.json')
    assert 0 <= tiny.logged(tmp_path, 'seg/pixel_accuracy')[-1] <= 100


def test_space_method_and_task_are_compared(data, tmp_path):
    fields = search_fields(data, tiny.replaced(type='ToySupernet', channels=8), (0, 1))
    fields['model'].update(hypergradient='exact')
    tiny.write_config(tmp_path / 'search.py', 'imtnas_demo.py', custom_imports=imports(SPACE, METHOD, TASK), **fields)
    backbone = dict(type='ToyNet', channels=8, architecture='toy_small', out_indices=(0, 1))
    tiny.write_config(tmp_path / 'retrain.py', None, **dict(
        retrain_fields(data, backbone), custom_imports=imports(SPACE, TASK)))
    experiment = tiny.write_config(
        tmp_path / 'experiment.py', None, seeds=[0],
        rows=[dict(name='IMTNAS', search='search.py'),
              dict(name='climbing', search='search.py', options=dict(model=climbing(fields['model'])))],
        evaluations=dict(seg=dict(config='retrain.py', shape=(32, 32))),
        columns=[dict(name='accuracy', evaluation='seg', metric='seg/pixel_accuracy')])
    forked_tools.compare(experiment, tmp_path / 'runs')
    records = stub_tools.records(tmp_path / 'runs').values()
    assert [record['state'] for record in records] == ['finished'] * 2, [r.get('failure') for r in records]
    assert {record['options']['search']['model']['type'] for record in records} == {'IMTNAS', 'HillClimbing'}
    for record in records:
        validation, = record['results']['search'].values()
        assert {'cls/accuracy/top1', 'seg/seg/pixel_accuracy'} <= validation.keys()
        first, second = record['results']['architecture']['architecture']['kernels']
        assert record['results']['seg']['parameters'] == 8 * 3 * first**2 + 32 * 8 * second**2 + 2 * (8 + 32)
        assert 0 <= record['results']['seg']['test']['seg/pixel_accuracy'] <= 100


@pytest.fixture
def method():
    return importlib.import_module(METHOD).HillClimbing


def test_a_climbs_only_to_lower_losses(method):
    model = small_search.build_method('HillClimbing', order=('cls', ), step=.5)
    optim_wrapper, val = small_search.optimisers(model), dict(cls=small_search.raw_batch('cls'))
    climbed = []
    for iteration in range(4):
        before = {name: alpha.clone() for name, alpha in model.architecture.named_alphas().items()}
        small_search.iterate(model, optim_wrapper, iteration, val=val)
        moved = [not torch.equal(alpha, before[name]) for name, alpha in model.architecture.named_alphas().items()]
        assert set(moved) == {int(model.climbed) > sum(climbed)}
        climbed.append(int(model.climbed) - sum(climbed))
    assert set(climbed) == {0, 1}


def test_the_step_is_checked(method):
    with pytest.raises(ValueError, match=r'model.step=0 must be positive'):
        small_search.build_method('HillClimbing', order=('cls', ), step=0)
    assert MODELS.get('HillClimbing') is method
