import json

import pytest
import torch
from safetensors.torch import save

from imtnas_mm.checkpoint import CheckpointError, read_checkpoint
from imtnas_mm.files.safetensors_format import read_safetensors, to_safetensors

META = dict(
    cfg='model = dict()\n', epoch=3, seed=0, architecture=dict(layers=['ä', 'b']),
    dataset_meta=dict(classes=('cat', 'dog'), palette=[[1, 2, 3]]))
TYPES = ('float64', 'float32', 'bfloat16', 'float16', 'int64', 'uint8', 'bool')


def state():
    base = torch.randn(4, 6)
    return {
        **{name: torch.randn(3, 2).to(getattr(torch, name)) for name in TYPES},
        'scalar': torch.tensor(7), 'empty': torch.zeros(0, 3), 'nan': torch.tensor([float('nan'), -0., float('inf')]),
        'channels last': torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        'transposed': base.T, 'base': base, 'part': base[1:], 'tied': base,
        'parameter': torch.nn.Parameter(torch.ones(2))
    }


def written(path, **content):
    path.write_bytes(to_safetensors(dict(dict(meta=META, state_dict=state()), **content)))
    return path


def bits(tensor):
    plain = tensor.detach().contiguous()
    return tensor.dtype, tensor.shape, bytes(plain.view(-1).view(torch.uint8).tolist())


def test_round_trip(tmp_path):
    before = state()
    actual = read_safetensors(written(tmp_path / 'a.safetensors', state_dict=before))
    assert actual['meta'] == META and sorted(actual['state_dict']) == sorted(before)
    assert all(bits(before[name]) == bits(actual['state_dict'][name]) for name in before)


def test_shared_tensors_are_stored_once_and_shared_again(tmp_path):
    actual = read_safetensors(written(tmp_path / 'a.safetensors'))['state_dict']
    assert actual['tied'] is actual['base'] and actual['part'].data_ptr() != actual['base'].data_ptr()
    shared = written(tmp_path / 'shared', state_dict=dict.fromkeys('abcd', torch.zeros(1000)))
    assert shared.stat().st_size < 6000


def test_files_of_others_are_their_tensors(tmp_path):
    path = tmp_path / 'a.safetensors'
    path.write_bytes(save(dict(a=torch.ones(2)), dict(format='pt', config='not ours', meta='[')))
    actual = read_checkpoint(str(path))
    assert actual['meta'] == {} and list(actual['state_dict']) == ['a']


@pytest.mark.parametrize('content, message', [
    (dict(state_dict=dict(a=3)), 'state_dict: a: is a int'),
    (dict(state_dict=dict(a=torch.ones(2).to_sparse())), 'state_dict: a: is a Tensor; .*dense'),
    (dict(state_dict=dict(a=torch.ones(2, dtype=torch.complex128))), 'state_dict: .*complex128'),
    (dict(meta=dict(seed=torch.ones(1))), 'meta: meta: JSON cannot hold it: .*Tensor'),
    (dict(meta=dict(loss=float('nan'))), 'meta: meta: JSON cannot hold it'),
])
def test_what_the_format_cannot_hold(content, message):
    with pytest.raises(ValueError, match=f'^{message}'):
        to_safetensors(dict(dict(meta={}, state_dict={}), **content))


def test_malformed_files(tmp_path):
    good = written(tmp_path / 'good').read_bytes()
    bad = dict(
        empty=b'', short=good[:5], text=b'not a safetensors file', header=good[:40], cut=good[:-1], longer=good + b'x',
        huge=(2**60).to_bytes(8, 'little') + good[8:], encoding=good[:8] + b'\xff' + good[9:],
        zipped=b'PK\x03\x04' + good)
    for name, content in bad.items():
        path = tmp_path / f'{name}.safetensors'
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=rf'^{path}: .*{path}: not a whole safetensors file: '):
            read_checkpoint(str(path))
    (tmp_path / 'folder.safetensors').mkdir()
    for name in ('folder', 'none'):
        with pytest.raises(CheckpointError, match=f'{name}.safetensors: cannot be loaded'):
            read_checkpoint(str(tmp_path / f'{name}.safetensors'))


@pytest.mark.parametrize('field, value, message', [
    ('imtnas_mm', '2', "imtnas_mm: '2'; this imtnas_mm reads '1'"),
    ('architecture', '{', 'architecture: is not JSON'),
    ('classes', '{}', 'classes: is a dict; it must be a list'),
    ('meta', '[' * 100_000, 'meta: is not JSON'),
    ('meta', '{"dataset_meta": [1]}', 'meta.dataset_meta: is a list'),
    ('shared', '[]', 'shared: is a list'),
    ('shared', json.dumps(dict(b='c')), "shared.b: 'c'; it must name an entry"),
    ('shared', json.dumps(dict(a='a')), "shared.a: 'a'; it must name an entry of the file for one that it lacks"),
    ('shared', json.dumps(dict(b=['a'])), r"shared.b: \['a'\]; it must name"),
])
def test_malformed_metadata(tmp_path, field, value, message):
    path = tmp_path / 'a.safetensors'
    path.write_bytes(save(dict(a=torch.ones(2)), {**dict(imtnas_mm='1', classes='[]'), field: value}))
    with pytest.raises(RuntimeError, match=f'^{path}: metadata: {message}'):
        read_safetensors(path)
