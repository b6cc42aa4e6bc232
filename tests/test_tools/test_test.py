"""tools/test.py prints what the validation during training printed."""
import math
import pickle
import shutil

import cv2
import pytest
import torch

from helpers import tiny_run as tiny
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.checkpoint import CheckpointError
from imtnas_mm.datasets import DataError
from imtnas_mm.genotype import GenotypeError, published_genotype, save_genotype

COCO = [f'coco/bbox_mAP{part}' for part in ('', '_50', '_75', '_s', '_m', '_l')]


@pytest.fixture(scope='module')
def detector(data, tmp_path_factory):
    """Config and work dir of a detector trained with the architecture of a file."""
    folder = tmp_path_factory.mktemp('detector')
    config = tiny.write_config(folder / 'detector.py', None, **tiny.retrain_fields(data, epochs=3))
    save_genotype(published_genotype('fairnas_smallest'), folder / 'architecture.json')
    tiny.run('train', config, '--work-dir', folder / 'work', '--architecture', folder / 'architecture.json')
    return config, folder / 'work', folder / 'architecture.json'


@pytest.fixture(scope='module')
def search(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('search')
    config = tiny.write_config(
        folder / 'search.py', 'imtnas_demo.py', **tiny.search_fields(data), val_cfg=dict(all_rounds=True))
    tiny.run('train', config, '--work-dir', folder / 'work')
    return config, folder / 'work'


def test_retrained_detector(detector, tmp_path):
    config, work, architecture = detector
    validations = [line for line in tiny.scalars(work) if COCO[0] in line]
    validated = max(validations, key=lambda line: line[COCO[0]])
    tiny.run('test', config, work / f'epoch_{validated["step"]}.pth', '--work-dir', tmp_path / 'test', '--show-dir',
             'painted', '--out', tmp_path / 'found.pkl')  # the architecture is that in the checkpoint
    actual = tiny.tested(tmp_path / 'test')
    assert [actual[key] for key in COCO] == [validated[key] for key in COCO]
    assert actual[COCO[0]] > 0 and len({line[COCO[0]] for line in validations}) > 1
    painted = list((tmp_path / 'test').glob('*/painted/*'))
    assert sorted(path.stem for path in painted) == ['0', '1', '2', '3']
    # the truth on the left and the predictions on the right
    assert cv2.imread(str(painted[0])).shape == (tiny.SIZE, 2 * tiny.SIZE, 3)
    predictions = pickle.loads((tmp_path / 'found.pkl').read_bytes())
    assert [entry['img_id'] for entry in predictions] == [1, 2, 3, 4]
    for entry in predictions:
        boxes, scores = entry['pred_instances']['bboxes'], entry['pred_instances']['scores']
        assert 0 < len(boxes) == len(scores) <= 10 and 0 <= boxes.min() and boxes.max() <= tiny.SIZE


def test_retrained_classifier(data, tmp_path):
    config = tiny.write_config(tmp_path / 'classifier.py', None, **tiny.retrain_fields(data, 'cls', epochs=2))
    tiny.run('train', config, '--work-dir', tmp_path / 'work')
    tiny.run('test', config, tmp_path / 'work' / 'epoch_2.pth', '--work-dir', tmp_path / 'test', '--show-dir',
             'painted', '--out', tmp_path / 'found.pkl')
    actual, validated = tiny.tested(tmp_path / 'test'), tiny.scalars(tmp_path / 'work')[-1]
    assert [actual[f'accuracy/top{k}'] for k in (1, 2)] == [validated[f'accuracy/top{k}'] for k in (1, 2)]
    assert 0 < actual['accuracy/top2'] <= 100
    assert len(list((tmp_path / 'test' / 'painted').glob('*.png'))) == 12
    assert len(pickle.loads((tmp_path / 'found.pkl').read_bytes())) == 12
    dataset = dict(pipeline=[tiny.CLS[0], dict(type='RandomFlip', prob=1.), tiny.CLS[1]])
    mirrored = tiny.write_config(tmp_path / 'mirrored.py', config, test_dataloader=dict(dataset=dataset))
    scores = {}
    for name, where, args in (('plain', config, ()), ('mirrored', mirrored, ()), ('merged', config, ['--tta'])):
        tiny.run('test', where, tmp_path / 'work' / 'epoch_2.pth', '--work-dir', tmp_path / name, '--out',
                 tmp_path / f'{name}.pkl', *args)
        scores[name] = torch.stack([entry['pred_score'] for entry in pickle.loads(
            (tmp_path / f'{name}.pkl').read_bytes())])
    assert (scores['plain'] - scores['mirrored']).abs().max() > 1e-4
    torch.testing.assert_close(scores['merged'], (scores['plain'] + scores['mirrored']) / 2)


def test_images_are_merged_with_their_mirror_images_or_as_the_config_says(detector, tmp_path):
    config, work, _ = detector
    pack = dict(tiny.DET_TEST[-1], meta_keys=(*tiny.DET_TEST[-1]['meta_keys'], 'flip', 'flip_direction'))
    own = tiny.write_config(
        tmp_path / 'own.py', config, tta_model=dict(type='DetTTAModel', tta_cfg=dict(
            nms=dict(type='nms', iou_threshold=.5), max_per_img=3)),
        tta_pipeline=[*tiny.DET_TEST[:-1], dict(type='TestTimeAug', transforms=[
            [dict(type='RandomFlip', prob=0.)], [pack]])])
    for name, where, most in (('found', config, 10), ('own', own, 3)):
        tiny.run('test', where, work / 'epoch_3.pth', '--work-dir', tmp_path / name, '--tta', '--out',
                 tmp_path / f'{name}.pkl')
        counts = [len(entry['pred_instances']['scores'])
                  for entry in pickle.loads((tmp_path / f'{name}.pkl').read_bytes())]
        assert len(counts) == 4 and 0 < max(counts) <= most and COCO[0] in tiny.tested(tmp_path / name)


def test_show(detector, tmp_path, monkeypatch):
    """A window per image for the seconds asked for, and nothing where there is no display."""
    config, work, _ = detector
    args = (config, work / 'epoch_3.pth', '--work-dir', tmp_path, '--show', '--wait-time', '.5')
    monkeypatch.setattr('matplotlib.get_backend', lambda: 'agg')
    with pytest.raises(SystemExit, match='--show: there is no display .*is agg.; --show-dir saves the images'):
        tiny.run('test', *args)
    shown = []
    monkeypatch.setattr('matplotlib.get_backend', lambda: 'qtagg')
    monkeypatch.setattr('mmengine.visualization.Visualizer.show', lambda self, *args, **options: shown.append(options))
    tiny.run('test', *args)
    assert [options['wait_time'] for options in shown] == [.5] * 4


def test_search(search, tmp_path):
    config, work = search
    tiny.run('test', config, work / 'epoch_1.pth', '--work-dir', tmp_path / 'test',
             options=['test_cfg.all_rounds=True', 'train_dataloader.cls.dataset.data_root=none'])
    actual, validated = tiny.tested(tmp_path / 'test'), tiny.scalars(work)[-1]
    keys = [f'{prefix}{key}' for prefix in ('', 'r1.')
            for key in ('cls/accuracy/top1', 'cls/accuracy/top2', *(f'det/{name}' for name in COCO))]
    assert [actual[key] for key in keys] == [validated[key] for key in keys]
    assert all(math.isfinite(actual[key]) for key in keys)


def test_checkpoint_of_another_config(detector, search, tmp_path):
    config, work, architecture = detector
    old = tiny.checkpoint(work / 'epoch_3.pth')
    torch.save(dict(state_dict=dict(old['state_dict'])), tmp_path / 'old.pth')
    differing = r"has 'backbone.*layer01.* of shape \(24, 1, 3, 3\), which is \(24, 1, 5, 5\)"
    for checkpoint, args, message in (
        (tmp_path / 'old.pth', (), differing + '.* It does not hold its architecture; --architecture names it'),
        (tmp_path / 'old.pth', ('--architecture', 'fairnas_c'), f'{differing}.*another config.$'),
        (search[1] / 'epoch_1.pth', ('--architecture', architecture), r"lacks 'backbone..*has 'progress' and"),
    ):
        with pytest.raises(CheckpointError, match=rf'{checkpoint}: not a checkpoint of RetinaNet: it {message}'):
            tiny.run('test', config, checkpoint, '--work-dir', tmp_path, *args)
    with pytest.raises(CheckpointError, match="epoch_3.pth: not a checkpoint of this search: it lacks .*'backbone."):
        tiny.run('test', search[0], work / 'epoch_3.pth', '--work-dir', tmp_path)
    with pytest.raises(CheckpointError, match=r"epoch_3.pth: not a checkpoint of RetinaNet: .*'backbone.*shape"):
        tiny.run('test', config, work / 'epoch_3.pth', '--work-dir', tmp_path, '--architecture', architecture,
                 options=['model.backbone.width_mult=.3', 'model.neck.in_channels=[24,96]'])


def test_an_architecture_that_contradicts_the_checkpoint(detector, tmp_path):
    config, work, architecture = detector
    message = (r'^--architecture fairnas_c: contradicts the architecture in .*epoch_3.pth, of which its weights are: '
               r"architecture.layers\[0\]: 'mbconv_5x5_e3', there 'mbconv_3x3_e3'. Leave it out")
    with pytest.raises(GenotypeError, match=message):
        tiny.run('test', config, work / 'epoch_3.pth', '--work-dir', tmp_path, '--architecture', 'fairnas_c')


def test_resume_of_another_architecture(detector, tmp_path):
    config, work, _ = detector
    shutil.copy(work / 'epoch_3.pth', tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    for resume in (('--resume', tmp_path / 'epoch_3.pth'), ('--resume', )):
        with pytest.raises(CheckpointError, match=r"epoch_3.pth: not a checkpoint of RetinaNet: it has 'backbone"):
            tiny.run('train', config, '--work-dir', tmp_path, *resume)


def test_wrong_architecture(detector, tmp_path):
    config, work, architecture = detector
    (tmp_path / 'cut.json').write_text(architecture.read_text()[:100])
    (tmp_path / 'choice.json').write_text(architecture.read_text().replace('mbconv_3x3_e3', 'mbconv_9x9_e6'))
    for name, message in (('none.json', 'architecture: .*none.json'), (tmp_path / 'cut.json', 'cut.json: .*JSON'),
                          (tmp_path / 'choice.json', 'choice.json: architecture.layers.*mbconv_9x9_e6')):
        with pytest.raises(GenotypeError, match=message):
            tiny.run('test', config, work / 'epoch_3.pth', '--work-dir', tmp_path, '--architecture', name)


def test_bad_data(detector, tmp_path):
    config, work, architecture = detector
    (tmp_path / 'cut.json').write_text('{"images": [')
    for option, message in (
        ('test_dataloader.dataset.data_root=none', "test_dataloader.dataset.data_root: 'none' is not a folder"),
        (f'test_dataloader.dataset.ann_file={tmp_path}/cut.json', 'test_dataloader.dataset.ann_file: .*not JSON'),
        (f'test_evaluator.ann_file={tmp_path}/cut.json', 'test_evaluator.ann_file: .*cut.json.*not JSON'),
    ):
        with pytest.raises(DataError, match=message):
            tiny.run('test', config, work / 'epoch_3.pth', '--work-dir', tmp_path, options=[option])
    with pytest.raises(DataError, match="train_dataloader.dataset.data_root: 'none' is not a folder"):
        tiny.run('train', config, '--work-dir', tmp_path, options=['train_dataloader.dataset.data_root=none'])


def test_bad_flags(detector, search, tmp_path):
    config, work, _ = detector
    for where, args, message in (
        (config, (work / 'none.pth', ), 'checkpoint: .*none.pth. is not a file'),
        (config, (work / 'epoch_3.pth', '--out', 'found.txt'), '--out found.txt: .*name a .pkl file'),
        (search[0], (search[1] / 'epoch_1.pth', '--out', 'found.pkl'), '--out, --show, --show-dir and --tta are for'),
        (search[0], (search[1] / 'epoch_1.pth', '--tta'), '--out, --show, --show-dir and --tta are for'),
        (search[0], (search[1] / 'epoch_1.pth', '--architecture', 'fairnas_a'), 'no model.backbone.architecture'),
    ):
        with pytest.raises(SystemExit, match=message):
            tiny.run('test', where, *args, '--work-dir', tmp_path)
    with pytest.raises(SystemExit, match=r'--show-dir: default_hooks.visualization of .*detector.py is .*LoggerHook'):
        tiny.run('test', config, work / 'epoch_3.pth', '--show-dir', 'painted', '--work-dir', tmp_path,
                 options=['default_hooks.visualization.type=LoggerHook'])
