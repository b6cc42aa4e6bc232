import pickle

import numpy as np
import pytest
from mmengine.registry import DATASETS

from helpers.cifar_files import BATCHES, md5, write_cifar
from imtnas_mm.datasets import CIFAR10, CIFAR100, DataError, Split, build_dataset, check_dataset
from imtnas_mm.datasets.cifar import load_batch
from imtnas_mm.engine.loops.task_data import TaskData

FIELD = 'train_dataloader.cls.dataset'
KINDS = dict(cifar10=CIFAR10, cifar100=CIFAR100)
PIPELINE = [dict(type='RandomCrop', crop_size=32, padding=4), dict(type='PackInputs')]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setattr('mmpretrain.datasets.cifar.download_and_extract_archive',
                        lambda *args, **kwargs: pytest.fail('a download'))


def config(root, kind='cifar10', **options):
    return dict(type=f'imtnas_mm.{kind.upper()}', data_root=str(root), check_md5=False, **options)


@pytest.mark.parametrize('protocol', range(6))
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('split', ['train', 'test'])
def test_images_and_labels(tmp_path, kind, split, protocol):
    written = write_cifar(tmp_path, kind, protocol=protocol)
    dataset = build_dataset(config(tmp_path, kind, split=split), 'mmpretrain')
    assert type(dataset) is KINDS[kind] and len(dataset.metainfo['classes']) == int(kind[5:])
    images = np.concatenate([written[name][0] for name in BATCHES[kind][split]])
    labels = sum((written[name][1] for name in BATCHES[kind][split]), [])
    assert len(dataset) == len(images) and dataset.get_gt_labels().tolist() == labels
    for i in (0, 7, len(dataset) - 1):
        np.testing.assert_array_equal(dataset.get_data_info(i)['img'], images[i].transpose(1, 2, 0))


def test_files_of_python_2(tmp_path):
    """The official files: strings are Python 2's, and NumPy still has its old name."""
    pixels = bytes(range(256)) * 12
    array = (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\nI3072\nt"
             b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nT\x00\x0c\x00\x00" + pixels + b'tb')
    images, labels = load_batch(b"(dS'data'\n" + array + b"sS'labels'\n(lI6\nas.", 'x', 10)
    assert labels == [6] and images.shape == (1, 32, 32, 3)
    np.testing.assert_array_equal(images[0].transpose(2, 0, 1).reshape(-1), np.frombuffer(pixels, np.uint8))


def test_registered_where_default_scopes_find_it(tmp_path):
    write_cifar(tmp_path)
    for scope in ('mmpretrain', 'imtnas_mm', 'mmdet'):
        assert isinstance(build_dataset(config(tmp_path), scope), CIFAR10)
    with DATASETS.switch_scope_and_registry('imtnas_mm') as registry:
        assert registry.get('CIFAR100') is CIFAR100


def test_official_files_are_told_by_their_md5(tmp_path, monkeypatch):
    write_cifar(tmp_path)
    cfg = config(tmp_path)
    del cfg['check_md5']
    first = tmp_path / 'cifar-10-batches-py' / 'data_batch_1'
    with pytest.raises(DataError, match=rf'{first}: its md5 sum is {md5(first)}, that of the official file '
                       'c99cafc152244af753f735de768cd75f: .*set check_md5=False'):
        build_dataset(cfg, 'mmpretrain', FIELD)
    assert len(build_dataset(dict(cfg, check_md5=False), 'mmpretrain')) == 100
    names = BATCHES['cifar10']['train']
    monkeypatch.setattr(CIFAR10, 'train_list', [[name, md5(first.with_name(name))] for name in names])
    assert len(build_dataset(cfg, 'mmpretrain')) == 100


def test_missing_files(tmp_path):
    cfg = config(tmp_path / 'none')
    for check in (check_dataset, build_dataset):
        with pytest.raises(DataError, match=rf"^{FIELD}.data_root: '.*none' is not a folder; expected cifar-10-batch"):
            check(cfg, 'mmpretrain', FIELD)
    write_cifar(tmp_path)
    path = tmp_path / 'cifar-10-batches-py' / 'data_batch_3'
    path.unlink()
    with pytest.raises(DataError, match=rf"^{FIELD}.data_root: '{path}' is not a file"):
        build_dataset(config(tmp_path), 'mmpretrain', FIELD)
    with pytest.raises(DataError, match=rf'{path}: no such file; unpack cifar-10-python.tar.gz'):
        CIFAR10(str(tmp_path), check_md5=False)
    path.touch()
    with pytest.raises(DataError, match=rf"^{FIELD}.data_root: '{path}' is empty"):
        build_dataset(config(tmp_path), 'mmpretrain', FIELD)
    assert len(build_dataset(config(tmp_path, split='test'), 'mmpretrain')) == 20  # the other split is all there


def test_downloads_are_refused(tmp_path):
    with pytest.raises(DataError, match='download=True: nothing is downloaded; unpack cifar-100-python.tar.gz'):
        CIFAR100(str(tmp_path), download=True)


def test_bad_split(tmp_path):
    write_cifar(tmp_path)
    with pytest.raises(DataError, match=f"{FIELD}.split: 'val'; must be 'train' or 'test'"):
        build_dataset(config(tmp_path, split='val'), 'mmpretrain', FIELD)


class Runs:

    def __reduce__(self):
        return print, ('run', )


@pytest.mark.parametrize('protocol', range(6))
def test_code_in_a_file_is_not_run(tmp_path, capsys, protocol):
    write_cifar(tmp_path)
    path = tmp_path / 'cifar-10-batches-py' / 'data_batch_2'
    path.write_bytes(pickle.dumps(dict(data=Runs(), labels=[]), protocol))
    with pytest.raises(DataError, match=rf'{path}: cannot be read .*(builtins|__builtin__).print, which could run cod'):
        build_dataset(config(tmp_path), 'mmpretrain')
    assert 'run' not in capsys.readouterr().out.split()


@pytest.mark.parametrize('module, name', [
    ('os', 'system'), ('builtins', 'eval'), ('builtins', 'getattr'), ('numpy', 'load'), ('numpy.core.multiarray', 'a'),
    ('numpy', 'ndarray.tofile'), ('imtnas_mm.datasets.cifar', 'pickle.loads')
])
def test_only_arrays_are_known(module, name):
    encoded = [b'\x8c' + bytes([len(text)]) + text.encode() for text in (module, name)]
    with pytest.raises(DataError, match=f'file: cannot be read .*{module}.{name}'):
        load_batch(b'\x80\x04' + b''.join(encoded) + b'\x93.', 'file', 10)


def test_other_codecs_are_refused():
    with pytest.raises(DataError, match="file: cannot be read .*it encodes in 'rot13'"):
        load_batch(b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.", 'file', 10)


DATA = np.zeros((2, 3072), np.uint8)


@pytest.mark.parametrize('entry, message', [
    ([1], 'holds a list'),
    (dict(labels=[0, 1]), "has no 'data'; it has \\['labels'\\]"),
    (dict(data=DATA), "has no 'fine_labels'"),
    (dict(data=[1], labels=[0]), "'data' is list; must be an array of uint8"),
    (dict(data=DATA.astype(float), labels=[0, 1]), r"'data' is float64 \(2, 3072\)"),
    (dict(data=DATA[:, :100], labels=[0, 1]), r"'data' is uint8 \(2, 100\)"),
    (dict(data=DATA, labels=[0]), "'labels' is 1 labels; must be a list with one for each of the 2 images"),
    (dict(data=DATA, labels='ab'), "'labels' is str"),
    (dict(data=DATA, labels=[0, 10]), r'labels\[1\] is 10; must be a whole number from 0 to 9'),
    (dict(data=DATA, fine_labels=[-1, 0]), r'fine_labels\[0\] is -1'),
    (dict(data=DATA, labels=[0, 1.5]), r'labels\[1\] is 1.5'),
])
def test_bad_content(entry, message):
    with pytest.raises(DataError, match=f'^file: {message}'):
        load_batch(pickle.dumps(entry), 'file', 10)


@pytest.mark.parametrize('content', [b'', b'no pickle', pickle.dumps(dict(data=DATA, labels=[0, 1]))[:-50]])
def test_broken_files(content):
    with pytest.raises(DataError, match='^file: cannot be read as a CIFAR file'):
        load_batch(content, 'file', 10)


def test_numpy_integers_are_labels():
    assert load_batch(pickle.dumps(dict(data=DATA, labels=list(np.arange(2)))), 'file', 10)[1] == [0, 1]


def test_in_a_search(tmp_path):
    """Halves that don't meet, batches of the training pipeline, and examples without it."""
    written = write_cifar(tmp_path)
    images = np.concatenate([written[name][0] for name in BATCHES['cifar10']['train']])
    loader = dict(batch_size=4, num_workers=0, dataset=config(tmp_path, pipeline=PIPELINE))
    data = TaskData('cls', 0, loader, 'mmpretrain', Split(.6))
    assert len(data.train_indices) == 60 and len(data.val_indices) == 40
    own = {images[i].tobytes() for i in data.train_indices}
    others = {images[i].tobytes() for i in data.val_indices}
    assert len(own) == 60 and not own & others
    batch = next(iter(data.example_loader(seed=1, start=0, batch_size=5)))
    assert all(image.numpy().tobytes() in own for image in batch['inputs'])
    for half in (data.train_loader(1, 0), data.architecture_loader(1, 0, 'val')):
        batch = next(iter(half))
        assert len(batch['inputs']) == 4 and batch['inputs'][0].shape == (3, 32, 32)
        assert all(0 <= sample.gt_label.item() < 10 for sample in batch['data_samples'])
