import hashlib
import json
import shutil

import cv2
import numpy as np
import pytest

from helpers.tiny_run import tool
from imtnas_mm.datasets import build_dataset, demo
from imtnas_mm.datasets.demo import CLASSES, DemoDataError, make_demo_data


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    out = tmp_path_factory.mktemp('demo') / 'demo'
    assert make_demo_data(out)
    return out


def digest(root):
    files = sorted(path for path in root.rglob('*') if path.is_file())
    return [(str(path.relative_to(root)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]


def annotations(data, part):
    return json.loads((data / f'coco/annotations/instances_{part}2017.json').read_text())


def test_same_seed_same_bytes(data, tmp_path):
    (tmp_path / 'again').mkdir()  # an empty folder may be filled
    make_demo_data(tmp_path / 'again')
    make_demo_data(tmp_path / 'other', seed=1)
    assert digest(tmp_path / 'again') == digest(data)
    assert digest(tmp_path / 'other') != digest(data)


def test_single_digits(data):
    names = {part: [path.stem for path in (data / 'imagenet' / part).rglob('*.png')] for part in ('train', 'val')}
    assert (len(names['train']), len(names['val'])) == (1200, 597)
    assert sorted(names['train'] + names['val']) == [f'digit{i:04d}' for i in range(1797)]  # each digit once
    for part, size in (('train', 1200), ('val', 597)):
        dataset = build_dataset(
            dict(type='CustomDataset', data_root=str(data / 'imagenet'), data_prefix=part, classes=sorted(CLASSES)),
            'mmpretrain')
        counts = np.bincount(dataset.get_gt_labels())
        assert counts.sum() == size and counts.min() > .09 * size and counts.max() < .11 * size
    # against scikit-learn's own labels
    from sklearn.datasets import load_digits
    target = load_digits().target
    for path in (data / 'imagenet/val').rglob('*.png'):
        assert CLASSES[target[int(path.stem[5:])]] == path.parent.name
    image = cv2.imread(str(next((data / 'imagenet/train/two').iterdir())), cv2.IMREAD_UNCHANGED)
    assert image.shape == (32, 32, 3)
    assert image.reshape(-1, 3).std(0).min() > 0 and not np.array_equal(image[..., 0], image[..., 1])


@pytest.mark.parametrize(('part', 'scenes'), [('train', 600), ('val', 100)])
def test_scenes(data, part, scenes):
    content = annotations(data, part)
    assert len(content['images']) == scenes
    assert [category['name'] for category in content['categories']] == list(CLASSES)
    assert len({annotation['id'] for annotation in content['annotations']}) == len(content['annotations'])
    by_image = {image['id']: [] for image in content['images']}
    for annotation in content['annotations']:
        x, y, w, h = annotation['bbox']
        assert 16 <= max(w, h) <= 40 and min(x, y) >= 0 and max(x + w, y + h) <= 96
        assert annotation['area'] == w * h and annotation['iscrowd'] == 0 and annotation['segmentation'] == []
        by_image[annotation['image_id']].append(annotation['bbox'])
    assert {len(boxes) for boxes in by_image.values()} == {1, 2, 3, 4, 5}
    for boxes in by_image.values():
        cover = np.zeros((96, 96), int)
        for x, y, w, h in boxes:
            cover[y:y + h, x:x + w] += 1
        assert cover.max() == 1  # no two overlap
    dataset = build_dataset(
        dict(
            type='CocoDataset',
            data_root=str(data / 'coco'),
            ann_file=f'annotations/instances_{part}2017.json',
            data_prefix=dict(img=f'{part}2017/'),
            metainfo=dict(classes=CLASSES)), 'mmdet')
    assert len(dataset) == scenes
    assert cv2.imread(dataset.get_data_info(0)['img_path']).shape == (96, 96, 3)


def test_held_out_digits_are_in_no_training_scene(tmp_path, monkeypatch):
    """Which digits a part's scenes draw from, recorded from the writer itself."""
    painted = {}

    class Recorder(list):

        def __getitem__(self, i):
            painted.setdefault(self.part, set()).add(int(i))
            return list.__getitem__(self, i)

    write = demo._write_scenes

    def record(root, part, digits, members, rng):
        images = digits.images
        digits.images = Recorder(images)
        digits.images.part = part
        write(root, part, digits, members, rng)
        digits.images = images

    monkeypatch.setattr(demo, '_write_scenes', record)
    make_demo_data(tmp_path / 'demo')
    singles = {int(path.stem[5:]) for path in (tmp_path / 'demo/imagenet/val').rglob('*.png')}
    assert len(painted['train']) > 500 and not painted['train'] & singles
    assert len(painted['val']) > 200 and painted['val'] <= singles


def test_box_is_where_the_ink_is(data):
    """Outside the boxes a scene is smooth but for the noise; inside it is not."""
    content = annotations(data, 'val')
    for image in content['images'][:20]:
        pixels = cv2.imread(str(data / 'coco/val2017' / image['file_name'])).astype(float)
        smooth = cv2.GaussianBlur(pixels, (0, 0), 1.5)
        edges = np.abs(cv2.Laplacian(smooth, cv2.CV_64F)).max(-1)
        inside = np.zeros(edges.shape, bool)
        for x, y, w, h in (a['bbox'] for a in content['annotations'] if a['image_id'] == image['id']):
            inside[max(y - 5, 0):y + h + 5, max(x - 5, 0):x + w + 5] = True
        assert edges[inside].max() > 2 * edges[~inside].max()


def test_complete_data_are_left_alone(data):
    before = digest(data)
    times = {path: path.stat().st_mtime_ns for path in data.rglob('*')}
    assert make_demo_data(data) is False
    assert digest(data) == before
    assert {path: path.stat().st_mtime_ns for path in data.rglob('*')} == times


def test_says_what_it_is(data):
    text = (data / 'README.md').read_text()
    assert 'Demonstration data' in text and 'CC BY 4.0' in text and 'scikit-learn' in text


def test_other_content_is_an_error(data, tmp_path):
    foreign = tmp_path / 'foreign'
    foreign.mkdir()
    (foreign / 'thesis.tex').write_text('mine')
    with pytest.raises(DemoDataError, match='is not demonstration data'):
        make_demo_data(foreign)
    assert (foreign / 'thesis.tex').read_text() == 'mine'
    with pytest.raises(DemoDataError, match='seed 3'):
        make_demo_data(data, seed=3)
    file = tmp_path / 'file'
    file.write_text('')
    with pytest.raises(DemoDataError, match='is not demonstration data'):
        make_demo_data(file)


def test_incomplete_data_are_an_error(data, tmp_path):
    out = tmp_path / 'demo'
    shutil.copytree(data, out)
    next((out / 'coco/val2017').iterdir()).unlink()
    with pytest.raises(DemoDataError, match='coco/val2017.*incomplete: 99 images, not 100'):
        make_demo_data(out)


def test_failing_leaves_nothing_behind(tmp_path, monkeypatch):

    def full(path, image, rng):
        raise OSError('no space left')

    monkeypatch.setattr(demo, '_save', full)
    with pytest.raises(OSError, match='no space'):
        make_demo_data(tmp_path / 'demo')
    assert list(tmp_path.iterdir()) == []


def test_tool(data, capsys):
    main = tool('make_demo_data').main
    main(['--out', str(data)])
    assert 'already complete' in capsys.readouterr().out
    with pytest.raises(SystemExit, match='^make_demo_data: '):
        main(['--out', str(data), '--seed', '5'])
