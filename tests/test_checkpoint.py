import pytest
import torch
from torch import nn

from imtnas_mm.checkpoint import (
    CheckpointError,
    check_checkpoint_file,
    check_state_dict,
    read_checkpoint,
    with_later_entries,
)


def weights(**shapes):
    return {name: torch.zeros(shape) for name, shape in shapes.items()}


def test_equal_entries_pass():
    check_state_dict('a.pth', weights(a=(2, 3), b=(1, )), weights(b=(1, ), a=(2, 3)))


@pytest.mark.parametrize('saved, message', [
    (weights(a=2), "it lacks 'b'. Was"),
    ({}, "it lacks 'a' and 1 more. Was"),
    (weights(a=2, b=3, c=1), "it has 'c', unknown to it. Was"),
    (weights(a=2, b=4), r"it has 'b' of shape \(4,\), which is \(3,\) here. Was"),
    (weights(a=1, b=4), r"'a' of shape \(1,\), which is \(2,\) here, and 1 more differ. Was"),
    (weights(b=4, d=1), r"lacks 'a'; it has 'd', unknown to it; it has 'b' of shape \(4,\)"),
])
def test_differences_are_named(saved, message):
    with pytest.raises(CheckpointError, match=rf'^x/a.pth: not a checkpoint of a net: .*{message}'):
        check_state_dict('x/a.pth', saved, weights(a=2, b=3), 'a net')


@pytest.mark.parametrize('inside', ['state_dict', None])
def test_file_against_a_model(tmp_path, inside):
    model, path = nn.Linear(2, 3), tmp_path / 'a.pth'
    state = model.state_dict()
    torch.save({inside: state} if inside else state, path)
    check_checkpoint_file(str(path), model)
    with pytest.raises(CheckpointError, match=r"a.pth: not a checkpoint of Linear: it has 'weight' of shape \(3, 2\)"):
        check_checkpoint_file(str(path), nn.Linear(4, 3))


def test_an_entry_that_earlier_versions_lack_keeps_its_value(tmp_path):
    model, path = nn.Linear(2, 3), tmp_path / 'a.pth'
    model.register_buffer('later', torch.ones(1))
    old = {name: torch.zeros_like(value) for name, value in model.state_dict().items() if name != 'later'}
    torch.save(old, path)
    with pytest.raises(CheckpointError, match="it lacks 'later'"):
        check_checkpoint_file(str(path), model)
    model.later_entries = ('later', 'unheard')
    check_checkpoint_file(str(path), model)
    assert with_later_entries(old, model) == dict(old, later=model.later)
    assert with_later_entries(dict(old, later=2), model)['later'] == 2


def test_what_is_no_checkpoint(tmp_path):
    (tmp_path / 'text.pth').write_text('not a checkpoint')
    (tmp_path / 'empty.pth').touch()
    torch.save(dict(a=torch.zeros(1000)), tmp_path / 'cut.pth')
    with open(tmp_path / 'cut.pth', 'r+b') as file:
        file.truncate(2000)
    torch.save([1, 2], tmp_path / 'list.pth')
    for name in ('text.pth', 'empty.pth', 'cut.pth', 'none.pth'):
        with pytest.raises(CheckpointError, match=f'{name}: cannot be loaded as a checkpoint: '):
            read_checkpoint(str(tmp_path / name))
    with pytest.raises(CheckpointError, match='list.pth: holds a list; a checkpoint is a dict'):
        read_checkpoint(str(tmp_path / 'list.pth'))
