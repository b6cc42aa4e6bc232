"""The log of a search says how much its transfer passes on, and warns once if that is nothing."""
import logging
from types import SimpleNamespace

import pytest

from imtnas_mm.engine import hooks
from imtnas_mm.engine.hooks import TransferHook
from imtnas_mm.transfer import ExampleSimilarity, MMDTransfer


class Log:
    """Notes what the hook logs over iterations with given shares."""

    def __init__(self, monkeypatch, window=3, transfer=None):
        self.hook, self.warnings, self.lines = TransferHook(window), [], []
        monkeypatch.setattr(hooks.transfer_hook, 'print_log',
                            lambda text, _, level: self.warnings.append((level, text)))
        transfer = MMDTransfer(num_examples=2, num_augmentations=2, image_size=8) if transfer is None else transfer
        self.runner = SimpleNamespace(epoch=0, model=SimpleNamespace(transfer=transfer),
                                      logger=SimpleNamespace(info=self.lines.append))

    def epoch(self, *shares):
        for i, (active, different) in enumerate(shares):
            outputs = {'transfer/active': active, 'transfer/different': different}
            self.hook.after_train_iter(self.runner, i, None, outputs)
        self.hook.after_train_epoch(self.runner)
        self.runner.epoch += 1


def test_a_transfer_that_passes_something_is_told_per_epoch(monkeypatch):
    log = Log(monkeypatch)
    log.epoch((0., .5), (.2, 0.), (.1, 1.))
    assert not log.warnings
    assert log.lines == ['Transfer in epoch 1: 10.0% of the pairs active, 50.0% told apart by the teacher']


@pytest.mark.parametrize('share, message', [
    ((0., 0.), 'told no pair of sets apart'),
    ((.2, 0.), 'told no pair of sets apart'),
    ((0., 1.), 'told all pairs of sets apart'),
    ((0., .5), 'no pair was active'),
])
def test_a_transfer_that_is_off_warns_once_and_in_the_line_of_each_epoch(monkeypatch, share, message):
    log = Log(monkeypatch)
    log.epoch(share, share)
    assert not log.warnings and 'off' not in log.lines[0]  # no window yet
    log.epoch(share, share)
    log.epoch(share, share)
    (level, text), = log.warnings
    assert level == logging.WARNING and message in text and 'in the last 3 iterations' in text
    for field in ('threshold', 'statistic', 'num_augmentations', 'augmentations'):
        assert f'model.transfer.{field}' in text
    assert [message in line and 'the transfer is off' in line for line in log.lines] == [False, True, True]


def test_one_live_iteration_in_the_window_is_enough(monkeypatch):
    log = Log(monkeypatch)
    for _ in range(4):
        log.epoch((0., 0.), (0., 1.), (.1, .3))
    assert not log.warnings and not any('off' in line for line in log.lines)
    log.epoch((0., 0.), (0., 0.), (0., 0.))
    log.epoch((.1, .3))
    assert len(log.warnings) == 1 and 'off' in log.lines[-2] and 'off' not in log.lines[-1]


def test_methods_and_transfers_without_these_figures_are_left_alone(monkeypatch):
    log = Log(monkeypatch)
    for outputs in (None, {}, {'transfer/distance': 1.}):
        for i in range(5):
            log.hook.after_train_iter(log.runner, i, None, outputs)
        log.hook.after_train_epoch(log.runner)
    assert not log.warnings and not log.lines


def test_each_transfer_says_what_to_change(monkeypatch):
    log = Log(monkeypatch, 1, ExampleSimilarity(num_examples=2))
    log.epoch((0., 0.))
    (_, text), = log.warnings
    assert 'model.transfer.threshold' in text and 'statistic' not in text


def test_a_window_has_an_iteration():
    with pytest.raises(ValueError, match=r'default_hooks\.transfer\.window=0'):
        TransferHook(0)
