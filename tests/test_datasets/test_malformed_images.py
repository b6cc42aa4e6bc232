"""Malformed image lists, class folders and CIFAR files: each is refused by file and place."""
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.cifar_files import write_cifar
from imtnas_mm.datasets import DataError, build_dataset, check_dataset
from imtnas_mm.datasets.cifar import PIXELS, load_batch

FIELD = 'train_dataloader.cls.dataset'
CLASSES = ('ant', 'bee', 'cow')
LINES = ['ant/0.png 0', 'ant/an ant.png 0', 'bee/0.png 1', 'cow/0.png 2']


@pytest.fixture
def root(tmp_path):
    for name in CLASSES:
        (tmp_path / 'train' / name).mkdir(parents=True)
        (tmp_path / 'train' / name / '0.png').write_bytes(b'x')
    (tmp_path / 'train' / 'ant' / 'an ant.png').write_bytes(b'x')
    (tmp_path / 'meta').mkdir()
    return tmp_path


def config(root, **options):
    return dict(dict(type='ImageNet', data_root=str(root), split='train', metainfo=dict(classes=CLASSES)), **options)


def write_list(root, content):
    path = root / 'meta' / 'train.txt'
    path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
    return path


def refuse(root, content, place, **options):
    path = write_list(root, content)
    for check in (check_dataset, build_dataset):
        with pytest.raises(DataError, match=rf"^{FIELD}.ann_file: '{re.escape(str(path))}'.*{re.escape(place)}"):
            check(config(root, **options), 'mmpretrain', FIELD)


@pytest.mark.parametrize('end', ['', '\n', '\r\n'])
def test_the_good_list_is_read(root, end):
    write_list(root, '\n'.join(LINES) + end)
    dataset = build_dataset(config(root), 'mmpretrain', FIELD)
    assert dataset.get_gt_labels().tolist() == [0, 0, 1, 2]
    assert dataset.get_data_info(1)['img_path'] == f'{root}/train/ant/an ant.png'


@pytest.mark.parametrize('label', [
    '3', '1000', '-1', '1.0', '1.5', 'nan', 'inf', 'ant', '1e0', '0x1', '1_0', '+1', '²', '١', '1,', '[1]', 'None',
    'True', '9' * 30
])
@pytest.mark.parametrize('i', [0, 3])
def test_label(root, label, i):
    lines = [*LINES]
    lines[i] = f'{lines[i].rpartition(" ")[0]} {label}'
    refuse(root, '\n'.join(lines), f'line {i + 1} is {lines[i]!r}; the label must be a whole number from 0 to 2')


@pytest.mark.parametrize('line', ['', ' ', 'bee/0.png', 'bee/0.png\t1', 'bee/0.png;1', '1', ' 1'])
@pytest.mark.parametrize('i', [0, 2, 4])
def test_line_without_image_and_label(root, line, i):
    lines = [*LINES[:i], line, *LINES[i:], '']
    refuse(root, '\n'.join(lines), f'line {i + 1} is {line!r}; must be an image and its label')


@pytest.mark.parametrize('content, place', [
    (b'', 'is empty (0 bytes)'), (b'\xff\xfe' + 'ant/0.png 0'.encode('utf-16-le'), 'is not text'),
    (b'\x80\x04K\x03.', 'is not text'), ('ämeise/0.png 0'.encode('latin1'), 'is not text'),
    ('ant/9.png 0', "train/ant/9.png' does not exist, and 1 of 1"), ('dog/0.png 0', "train/dog/0.png' does not exist"),
    ('ant/0.png 0\ndog/0.png 1', "line 2 is 'dog/0.png 1'"), ('\0ant/0.png 0', 'does not exist'),
    ('ant/0.png 0\nant/1.png 0\nbee/2.png 1', 'and 2 of 3 images do not'),
    ('ant/0.png 0\nant/./0.png 1', "line 2 is 'ant/./0.png 1'; the image stands in line 1, too"),
    ('ant/0.png 0\n../meta/train.txt 0', "line 2 is '../meta/train.txt 0'; it leaves '"),
    ('ant/../../../x.png 0', 'it leaves'), ('/etc/hostname 0', 'it leaves'),
])
def test_list(root, content, place):
    refuse(root, content, place)


def test_paths_where_there_is_no_root(root):
    """Nothing to leave: absolute ones are as good as others."""
    path = write_list(root, f'{root}/train/ant/0.png 0\n{root}/train/bee/0.png 1')
    dataset = build_dataset(dict(type='CustomDataset', ann_file=str(path), classes=CLASSES), 'mmpretrain', FIELD)
    assert dataset.get_data_info(1)['img_path'] == f'{root}/train/bee/0.png'


def test_lists_without_labels(root):
    write_list(root, 'ant/0.png\nbee/0.png\n')
    assert len(build_dataset(config(root, with_label=False), 'mmpretrain', FIELD)) == 2
    refuse(root, 'ant/0.png\n\nbee/0.png\n', "line 2 is ''; must be an image", with_label=False)


def test_class_names_in_a_file(root):
    (root / 'names.txt').write_text('\n'.join(CLASSES))
    refuse(root, 'ant/0.png 3', 'from 0 to 2', metainfo=None, classes=str(root / 'names.txt'))
    with pytest.raises(DataError, match=rf"^{FIELD}.classes: 'none.txt' is not a file"):
        check_dataset(config(root, classes='none.txt'), 'mmpretrain', FIELD)


def test_class_folders(root):
    assert len(build_dataset(config(root), 'mmpretrain', FIELD)) == 4
    for wrong, message in (
        (lambda path: path.rename(path.with_name('0.txt')), r"train/cow' has no image"),
        (lambda path: path.with_name('0.txt').unlink(), r"train/cow' has no image"),
        (lambda path: path.parent.rmdir(), r"train' has 2 class folders \(\['ant', 'bee'\]\), but the dataset has 3"),
        (lambda path: path.parent.write_bytes(b'x'), "train' has 2 class folders"),
    ):
        wrong(root / 'train' / 'cow' / '0.png')
        with pytest.raises(DataError, match=rf"^{FIELD}.data_prefix: '{root}/{message}"):
            check_dataset(config(root), 'mmpretrain', FIELD)


# --- CIFAR -----------------------------------------------------------------------------------------------------------

DATA = np.zeros((2, PIXELS), np.uint8)


ENTRIES = {
    'data': [None, 3, 'x', b'x' * 2 * PIXELS, [], DATA.tolist(), DATA[0], DATA[:, 1:], DATA.reshape(2, 3, 32, 32),
             DATA.astype(np.int8), DATA.astype(np.uint16), DATA.astype(float), DATA.astype(bool), DATA.astype(object),
             DATA.astype('S1'), np.zeros((0, PIXELS), np.uint8), np.zeros((2, 0), np.uint8), np.uint8(3)],
    'labels': [None, 3, 'ab', b'ab', {}, (0, 1), np.arange(2), [], [0], [0, 1, 2]],
    'labels[1]': [None, '1', 1.5, 1., True, [], [1], {}, -1, 10, 10**400, float('nan'), float('inf'), 'x' * 1000,
                  np.float64(1), np.bool_(True), np.int64(-1), np.arange(2)],
}


@pytest.mark.parametrize('place, i', [(place, i) for place, values in ENTRIES.items() for i in range(len(values))])
def test_cifar_entry(place, i):
    entry, value = dict(data=DATA, labels=[0, 1]), ENTRIES[place][i]
    entry.update(dict(labels=[0, value]) if place == 'labels[1]' else {place: value})
    with pytest.raises(DataError, match=rf"^data_batch_1: '?{re.escape(place)}'? ") as error:
        load_batch(pickle.dumps(entry), 'data_batch_1', 10)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize('entry', [None, 3, 'x', [], (DATA, [0, 1]), DATA, {}, dict(data=DATA), dict(labels=[0, 1]), {
    b'data': DATA, b'labels': [0, 1]}, dict(Data=DATA, Labels=[0, 1]), {('k', ) * 1000: 1}])
def test_cifar_content(entry):
    with pytest.raises(DataError, match="^data_batch_1: (holds a|has no '(data|fine_labels)'; it has )") as error:
        load_batch(pickle.dumps(entry), 'data_batch_1', 10)
    assert len(str(error.value)) < 300


def test_cifar_nested_deeply():
    entry = pickle.dumps(dict(data=DATA, labels=[0, 1]), 2)
    assert entry.endswith(b'(K\x00K\x01eu.')  # the list of labels; a pickler itself doesn't go as deep
    nested = entry[:-len(b'K\x01eu.')] + b']' * 100_000 + b'a' * 99_999 + b'eu.'
    with pytest.raises(DataError, match=r'^data_batch_1: labels\[1\] is a list nested too deeply; must be'):
        load_batch(nested, 'data_batch_1', 10)


@pytest.mark.parametrize('protocol', range(6))
def test_damaged_cifar_pickles(protocol):
    """Cut anywhere or with bytes changed, a file is refused or read as images and labels, and nothing else happens."""
    good = pickle.dumps(dict(data=np.arange(2 * PIXELS).astype(np.uint8).reshape(2, -1), labels=[3, 7]), protocol)
    ends = st.integers(0, 200) | st.integers(0, len(good) - 1)

    @given(cut=ends)
    @settings(max_examples=40)
    def cuts(cut):
        with pytest.raises(DataError, match='^data_batch_1: '):
            load_batch(good[:cut], 'data_batch_1', 10)

    @given(places=st.lists(ends, min_size=1, max_size=4), values=st.lists(st.integers(0, 255), min_size=4, max_size=4))
    @settings(max_examples=100)
    def changes(places, values):
        content = bytearray(good)
        for place, value in zip(places, values, strict=False):
            content[place] = value
        try:
            images, labels = load_batch(bytes(content), 'data_batch_1', 10)
        except DataError as error:
            assert str(error).startswith('data_batch_1: ')
        else:
            assert images.shape == (len(labels), 32, 32, 3) and all(0 <= label < 10 for label in labels)

    cuts()
    changes()


def test_a_damaged_file_of_a_dataset(tmp_path):
    write_cifar(tmp_path, 'cifar100')
    path = tmp_path / 'cifar-100-python' / 'train'
    good = path.read_bytes()
    other = good.replace(b'fine_labels', b'FINE_LABELS')
    for bad in (good[:100], good[:-1], b'\x1f\x8b' + good, good[10:], b'x', b'\0' * 100, other):
        path.write_bytes(bad)
        with pytest.raises(DataError, match=f'^{path}: '):
            build_dataset(dict(type='imtnas_mm.CIFAR100', data_root=str(tmp_path), check_md5=False), 'mmpretrain')
