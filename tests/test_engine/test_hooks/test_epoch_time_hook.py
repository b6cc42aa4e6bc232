"""The seconds of whole epochs, without validations; none of an epoch within which a run was resumed."""
from unittest import mock

from helpers import tiny_run as tiny
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.engine.hooks import epoch_time_hook
from imtnas_mm.experiments.execute import epoch_seconds, validations


class Clock:
    """A clock that goes one second on whenever it is read."""

    def __init__(self):
        self.now = 0.

    def monotonic(self):
        self.now += 1
        return self.now


def test_each_epoch_of_a_search_and_none_that_was_resumed(data, tmp_path):
    fields = tiny.search_fields(data, ('cls', ), max_epochs=3)
    fields['default_hooks']['checkpoint'] = dict(by_epoch=False, interval=1, max_keep_ckpts=-1)
    fields['model']['transfer'] = None
    config = tiny.write_config(tmp_path / 'tiny.py', 'imtnas_demo.py', **fields)
    with mock.patch.object(epoch_time_hook, 'time', Clock()):
        tiny.run('train', config, '--work-dir', tmp_path / 'work')
    lines = [line for line in tiny.scalars(tmp_path / 'work') if 'epoch_time' in line]
    assert [(line['epoch'], line['iter'], line['epoch_time']) for line in lines] == [(1, 2, 1.), (2, 4, 1.), (3, 6, 1.)]
    assert epoch_seconds(tmp_path / 'work') == 1. and len(validations(tmp_path / 'work')) == 3
    assert 'Epoch 2 took 1.0 s' in tiny.log_text(tmp_path / 'work')
    for number in (3, 4):  # within the second epoch, and at its end
        again = tmp_path / f'again{number}'
        tiny.run('train', config, '--work-dir', again, '--resume', tmp_path / 'work' / f'iter_{number}.pth')
        lines = [line for line in tiny.scalars(again) if 'epoch_time' in line]
        assert [line['epoch'] for line in lines] == [3]
    assert epoch_seconds(tmp_path / 'nowhere') is None
