"""A process that fails, dies or hangs ends all of its job within the timeout, and its own error is seen."""
import json
import os
import re
import shutil
import signal
import time

import pytest
from mmengine.registry import RUNNERS

from helpers import ranks
from helpers import tiny_run as tiny
from helpers.tiny_run import no_pictures  # noqa: F401
from imtnas_mm.algorithms import IMTNAS
from imtnas_mm.engine.loops.search_loop import InterleavedSearchLoop

TIMEOUT = 4  # seconds
SLACK = 20  # for a busy machine
LOST = re.compile('closed by peer|Connection reset|Timed out')  # what gloo says of another process


def on_rank_one():
    return os.environ['RANK'] == '1'


def at_iteration(number, act):
    """Has this process do something once its search has done so many iterations."""
    run_iter = InterleavedSearchLoop.run_iter

    def acting(self, *args):
        if self.iter == number:
            act()
        run_iter(self, *args)
    InterleavedSearchLoop.run_iter = acting


def fail_in_a_loss():
    task_loss = IMTNAS.task_loss

    def failing(self, *args):
        if self.iteration == 2:
            raise RuntimeError('this loss fails')
        return task_loss(self, *args)
    IMTNAS.task_loss = failing


def fail_in_building():
    def build(cfg):
        raise RuntimeError('this build fails')
    RUNNERS.build = build


FAILURES = dict(
    loss=(fail_in_a_loss, 'RuntimeError: this loss fails'),
    building=(fail_in_building, 'RuntimeError: this build fails'),
    killed=(lambda: at_iteration(2, lambda: os.kill(os.getpid(), signal.SIGKILL)), None),
    hanging=(lambda: at_iteration(2, lambda: time.sleep(600)), None))


def write_config(data, folder):
    """A search over two classification tasks of more iterations than anyone waits for."""
    fields = tiny.search_fields(data, ('cls', 'cls2'), rounds=1, epoch_length=1000, val_begin=99)
    return tiny.write_config(folder / 'search.py', 'imtnas_demo.py', **fields,
                             env_cfg=dict(dist_cfg=dict(timeout=TIMEOUT)))


def start(config, folder, prepare, tool='train'):
    """A job of two processes, of which the second is prepared to fail."""
    def main():
        if on_rank_one():
            prepare()
        tiny.run(tool, config, '--work-dir', folder / 'work', '--launcher', 'pytorch')
    return ranks.start(2, folder, main)


def assert_ends(processes, folder, failed=1, error=None):
    """Both processes end, not by being killed here; the one that failed says why, the other that it lost it."""
    codes = ranks.join(processes, timeout=120)
    assert 0 not in codes and codes[1 - failed] == 1, codes
    if error is not None:
        assert codes[failed] == 1 and error in ranks.output(folder, failed)
    other = ranks.output(folder, 1 - failed)
    assert LOST.search(other), other[-2000:]


@pytest.mark.parametrize('name', FAILURES)
def test_a_search_ends(name, data, tmp_path):
    prepare, error = FAILURES[name]
    processes = start(write_config(data, tmp_path), tmp_path, prepare)
    if name == 'hanging':
        processes[0].join(120)
        processes[1].kill()
    assert_ends(processes, tmp_path, error=error)
    log = ranks.output(tmp_path, 0)
    assert ('Timed out' in log) == (name == 'hanging')


def test_an_image_that_cannot_be_decoded(data, tmp_path):
    """It is of one task's examples, and comes to the one process or the other; that one's error has its name."""
    shutil.copytree(data, tmp_path / 'data')
    (tmp_path / 'data' / 'imagenet' / 'train' / 'red' / 'red0.png').write_bytes(b'no image')
    config = write_config(tmp_path / 'data', tmp_path)
    processes = start(config, tmp_path, lambda: None)
    codes = ranks.join(processes, timeout=120)
    assert codes == [1, 1]
    named = [re.search('DataError: .*red0.png', ranks.output(tmp_path, rank)) for rank in range(2)]
    assert any(named)
    for rank, own in enumerate(named):
        assert own or LOST.search(ranks.output(tmp_path, rank))


def test_data_that_the_first_process_refuses(data, tmp_path):
    """It alone checks the data of a retraining, while the other waits for it to make a group."""
    fields = tiny.retrain_fields(data)
    broken = tmp_path / 'broken.json'
    broken.write_text(json.dumps(dict(images=[], annotations=[])))
    fields['train_dataloader']['dataset']['ann_file'] = str(broken)
    config = tiny.write_config(tmp_path / 'retrain.py', None, **fields, env_cfg=dict(
        dist_cfg=dict(backend='nccl', timeout=TIMEOUT)))
    begun = time.monotonic()
    processes = start(config, tmp_path, lambda: None)
    codes = ranks.join(processes, timeout=120)
    assert codes == [1, 1] and time.monotonic() - begun < TIMEOUT + SLACK
    assert 'broken.json' in ranks.output(tmp_path, 0)
    assert 'imed out' in ranks.output(tmp_path, 1)
