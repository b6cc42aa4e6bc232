"""The console gets short lines; the log file keeps all of them."""
import io
import logging
from types import SimpleNamespace

import pytest
from mmengine.logging import HistoryBuffer, MMLogger

from imtnas_mm.engine.console import LONG, ConsoleFormatter, TwoTexts, shorten_console
from imtnas_mm.engine.log_processor import SearchLogProcessor
from imtnas_mm.engine.loops.trial import TrialSeconds


@pytest.fixture
def outputs(tmp_path):
    """A logger of mmengine that writes a file, and a function that returns (console, file)."""
    file, console = tmp_path / 'run.log', io.StringIO()
    logger = MMLogger(str(tmp_path), log_file=str(file))  # not in mmengine's list of loggers
    logger.handlers[0].setStream(console)
    shorten_console(logger)
    yield logger, lambda: (console.getvalue(), file.read_text())
    logger.handlers[1].close()


def test_a_line_with_a_short_form(outputs):
    logger, read = outputs
    logger.info(TwoTexts('all the figures', 'one figure'))
    console, file = read()
    assert console.endswith('INFO - one figure\n') and 'all the figures' not in console
    assert file.endswith('INFO - all the figures\n')


@pytest.mark.parametrize('lines, level, whole', [
    (LONG, logging.INFO, True), (LONG + 1, logging.INFO, False), (LONG + 1, logging.WARNING, True)])
def test_a_long_text(outputs, lines, level, whole):
    logger, read = outputs
    text = 'Table:\n' + '\n'.join(f'line{i} = {i}' for i in range(1, lines))
    logger.log(level, text)
    console, file = read()
    assert text in file
    assert (text in console) == whole
    if not whole:
        assert f'Table: {lines} lines in ' in console and 'run.log' in console and 'line1 ' not in console


@pytest.mark.parametrize('text', ['Config:\na = 1', '\n----\nSystem environment:\n    a: 1\n----\n',
                                  'paramwise_options -- backbone.bn.weight:weight_decay=0.0'])
def test_what_comes_before_a_run_is_in_the_file_alone(outputs, text):
    logger, read = outputs
    logger.info(text)
    console, file = read()
    assert text in file and not console
    logger.warning(text)
    assert not read()[0]
    logger.error(text)
    assert text in read()[0]


def test_without_a_file_everything_stays():
    logger = logging.Logger('no file')
    logger.addHandler(logging.StreamHandler())
    shorten_console(logger)
    assert not isinstance(logger.handlers[0].formatter, ConsoleFormatter)


def runner_at(epoch, warmup=0, trial=None):
    """A runner whose iterations of the warm-up took 1 second each, and those after it 3 seconds."""
    loop = SimpleNamespace(epoch=epoch, max_epochs=12, dataloader=range(25), warmup_epochs=warmup, trial=trial)
    done = 25 * epoch + 10 if epoch < 2 else 25 * epoch + 25
    seconds = [1.] * min(done, 25 * warmup) + [3.] * max(done - 25 * warmup, 0)
    times = HistoryBuffer(seconds, [1] * done)
    return SimpleNamespace(train_loop=loop, model=SimpleNamespace(order=('c100', 'c10'), rounds=2),
                           message_hub=SimpleNamespace(get_scalar=dict({'train/time': times}).__getitem__))


def test_the_short_line_of_a_search():
    processor = SearchLogProcessor(window_size=10)
    figures = {'r1.c100/loss': 4.5, 'r2.c100/loss': 4.25, 'r1.c10/loss': 2., 'c100/val_loss': 4.3,
               'architecture/entropy': 1.6, 'transfer/active': .25, 'transfer/different': .5, 'time': 1.234}
    line = processor.short_line(runner_at(0, warmup=2), 9, figures)
    assert line == ('epoch  1/12 [10/25] | c100 4.2500 (val 4.3000)  c10 2.0000 | entropy of A 1.6000 | '
                    "transfer 25% active, 50% told apart | 1.23 s/iter | eta 0:04:50 without A's steps, from epoch 3")
    line = processor.short_line(runner_at(0, warmup=2, trial=TrialSeconds(1.1, 3.1)), 9, figures)
    assert line.endswith(" | eta 0:13:10 with A's steps, from epoch 3")  # 290 seconds, and 2 more for each of 250
    figures['architecture/entropy'] = 1.5875
    line = processor.short_line(runner_at(2, warmup=2, trial=TrialSeconds(1.1, 3.1)), 24, figures)
    assert line.startswith('epoch  3/12 [25/25] | ') and 'entropy of A 1.5875 (-0.0125) | ' in line
    assert line.endswith('eta 0:11:15')  # 225 iterations with a step of A
    runner = runner_at(2)
    runner.model.cost = SimpleNamespace(quantity='MACs')
    line = processor.short_line(runner, 24, {**figures, 'cost/derived': 301056., 'cost/expected': 298765.4})
    assert ' | MACs 301,056 (expected 298,765) | ' in line
    runner.model.cost = SimpleNamespace(quantity='Latency')
    line = processor.short_line(runner, 24, {**figures, 'cost/derived': 3.25, 'cost/expected': 2.8764})
    assert ' | Latency 3.250 ms (expected 2.876 ms) | ' in line


def test_a_line_leaves_out_what_there_is_not():
    line = SearchLogProcessor().short_line(runner_at(0), 0, {'r1.c10/loss': 2.})
    assert line == 'epoch  1/12 [1/25] | c10 2.0000'
