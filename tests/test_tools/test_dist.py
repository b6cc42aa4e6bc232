"""tools/dist_train.sh with two processes on the CPU, and what the other scripts start."""
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from helpers import ranks, retrainings
from helpers import tiny_run as tiny
from helpers.search_state import differences
from helpers.tiny_run import no_pictures  # noqa: F401

pytestmark = pytest.mark.slow

SAVE_RANK = """
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class SaveRank(Hook):
    def __init__(self, folder):
        self.path, self.seen = f'{folder}/rank{get_rank()}.pth', []

    def before_train_iter(self, runner, data_batch, **kwargs):
        self.seen += [sample.img_path for stage in data_batch.stages for sample in stage['train']['data_samples']]

    def after_train(self, runner):
        torch.save(dict(state=runner.model.state_dict(), optimizer=runner.optim_wrapper.state_dict(), seen=self.seen),
                   self.path)
"""

FAIL = """
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class FailOnRankOne(Hook):
    def after_train_iter(self, runner, **kwargs):
        if runner.iter == 1 and get_rank() == 1:
            raise RuntimeError('rank one fails')
"""


def start(script, *args, modules=''):
    """Run a script of tools/ as a user does, from another folder; returns its process."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ['PATH']])
    environment = dict(
        os.environ, PATH=path, PORT=str(port), PYTHONPATH=f'{tiny.ROOT}{os.pathsep}{modules}', OMP_NUM_THREADS='1',
        CUDA_VISIBLE_DEVICES='')
    return subprocess.Popen(
        ['bash', tiny.ROOT / 'tools' / script, *map(str, args)], cwd=modules or None, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def launch(script, *args, modules='', status=0):
    """A script from start to end; returns what it printed."""
    process = start(script, *args, modules=modules)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == status, out[-5000:]
    return out


@pytest.fixture(scope='module')
def search(data, tmp_path_factory):
    """Folder of a search by two ranks."""
    folder = tmp_path_factory.mktemp('search')
    (folder / 'save_rank.py').write_text(SAVE_RANK)
    fields = tiny.search_fields(data)
    for loader in fields['test_dataloader'].values():  # batch statistics are those of one image wherever it is tested
        if isinstance(loader, dict):
            loader['batch_size'] = 1
    tiny.write_config(folder / 'tested.py', 'imtnas_demo.py', **fields)
    config = tiny.write_config(
        folder / 'search.py', 'imtnas_demo.py', **fields,
        custom_imports=dict(imports=['imtnas_mm.algorithms', 'imtnas_mm.engine', 'imtnas_mm.spaces', 'save_rank']),
        custom_hooks=[dict(type='mmengine.SaveRank', folder=str(folder))])
    launch('dist_train.sh', config, 2, '--work-dir', folder / 'work', modules=folder)
    return folder


def same(first, second):
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second


def test_ranks_end_alike_from_unlike_data(search):
    ranks = [tiny.checkpoint(search / f'rank{rank}.pth') for rank in range(2)]
    saved = tiny.checkpoint(search / 'work' / 'epoch_1.pth')
    for rank in ranks:
        assert same(dict(rank['state']), dict(saved['state_dict'])) and same(rank['optimizer'], saved['optimizer'])
    first, second = (rank['seen'] for rank in ranks)
    assert len(first) == len(second) == 2 * (2 * 4 + 2 * 2)  # two iterations of two rounds, four images and two
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_search_is_tested_as_by_one_process(search, tmp_path):
    config, checkpoint = search / 'tested.py', search / 'work' / 'epoch_1.pth'
    ranks.run(2, tmp_path, tiny.run, 'test', config, checkpoint, '--work-dir', tmp_path / 'two', '--launcher',
              'pytorch')
    out, actual = ranks.output(tmp_path, 0), tiny.tested(tmp_path / 'two')
    tiny.run('test', config, checkpoint, '--work-dir', tmp_path / 'one')
    alone = tiny.tested(tmp_path / 'one')
    keys = {key for key in alone if key.startswith(('cls/', 'det/'))}
    assert len(keys) == 8 and {key: actual[key] for key in keys} == {key: alone[key] for key in keys}
    assert 'OneDL' not in out and 'Failed to search registry' not in out
    assert f'cls/accuracy/top1: {alone["cls/accuracy/top1"]:.4f}' in out


def test_retraining_validates_as_one_process_tests(data, tmp_path):
    config = tiny.write_config(tmp_path / 'detector.py', None, **tiny.retrain_fields(data, epochs=2))
    ranks.run(2, tmp_path / 'output', tiny.run, 'train', config, '--work-dir', tmp_path / 'work', '--architecture',
              'fairnas_smallest', '--launcher', 'pytorch')
    tiny.run('test', config, tmp_path / 'work' / 'epoch_2.pth', '--work-dir', tmp_path / 'test', '--architecture',
             'fairnas_smallest')
    keys = [f'coco/bbox_mAP{part}' for part in ('', '_50', '_75', '_s', '_m', '_l')]
    actual, validated = tiny.tested(tmp_path / 'test'), tiny.scalars(tmp_path / 'work')[-1]
    assert [actual[key] for key in keys] == [validated[key] for key in keys]


def test_sigterm_to_the_launcher(data, tmp_path):
    """It hands it on to the processes and, as Slurm would, not to them alone: their workers get it, too."""
    config = retrainings.write_config(tmp_path / 'tiny.py', data, 'dropout', custom_hooks=[], train_cfg=dict(
        max_epochs=500))
    work = tmp_path / 'work'
    process = start('dist_train.sh', config, 2, '--work-dir', work, '--cfg-options', 'train_dataloader.num_workers=1',
                    'train_dataloader.persistent_workers=True', 'default_hooks.checkpoint.max_keep_ckpts=2')
    begin = time.monotonic()
    while not (work / 'last_checkpoint').exists():
        assert process.poll() is None and time.monotonic() - begin < 120
        time.sleep(.1)
    process.terminate()
    begin = time.monotonic()
    out, _ = process.communicate(timeout=60)
    assert time.monotonic() - begin < 25  # torchrun kills after 30 seconds
    assert process.returncode == 1 and 'SIGTERM: the training stops after iteration' in out
    last = Path((work / 'last_checkpoint').read_text())
    done = tiny.checkpoint(last)['meta']['iter']
    assert f'SIGTERM: the training stops after iteration {done}, which {last} holds' in tiny.log_text(work)
    assert done == max(retrainings.logged(work))
    whole = tmp_path / 'whole'
    epochs = done // 2 + 1  # of two iterations
    options = ['--cfg-options', f'train_cfg.max_epochs={epochs}']
    for folder in (work, whole):
        ranks.run(2, folder / 'output', tiny.tool('train').main, [
            str(config), '--work-dir', str(folder), '--resume', '--launcher', 'pytorch', *options])
    states = [retrainings.state(folder / f'epoch_{epochs}.pth') for folder in (work, whole)]
    assert differences(*states) == []


def test_torchrun_ends_with_the_error_of_the_process_that_failed(data, tmp_path):
    (tmp_path / 'fail.py').write_text(FAIL)
    fields = tiny.search_fields(data, ('cls', 'cls2'), rounds=1, epoch_length=1000, val_begin=99)
    config = tiny.write_config(
        tmp_path / 'search.py', 'imtnas_demo.py', **fields,
        custom_imports=dict(imports=['imtnas_mm.algorithms', 'imtnas_mm.engine', 'imtnas_mm.spaces', 'fail']),
        custom_hooks=[dict(type='mmengine.FailOnRankOne')])
    begun = time.monotonic()
    out = launch('dist_train.sh', config, 2, '--work-dir', tmp_path / 'work', modules=tmp_path, status=1)
    assert time.monotonic() - begun < 120  # the timeout is 1800
    summary = out[out.index('Root Cause'):]
    assert 'rank      : 1 ' in summary and 'RuntimeError: rank one fails' in summary


@pytest.mark.parametrize('script, args', [
    ('dist_train.sh', ['a.py']), ('dist_test.sh', ['a.py', 'a.pth']),
    ('slurm_train.sh', ['part', 'name', 'a.py']), ('slurm_test.sh', ['part', 'name', 'a.py'])])
def test_usage(script, args):
    done = subprocess.run(['bash', tiny.ROOT / 'tools' / script, *args], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith(f'usage: bash tools/{script} ')


@pytest.mark.parametrize('name, given', [('train', []), ('test', ['a.pth'])])
def test_what_torchrun_is_asked_for(name, given, tmp_path):
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    environment = dict(os.environ, PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}', PORT='7', NNODES='3',
                       NODE_RANK='1', MASTER_ADDR='host')
    done = subprocess.run(
        ['bash', tiny.ROOT / 'tools' / f'dist_{name}.sh', 'a.py', *given, '2', '--work-dir', 'my work'],
        env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        '-m', 'torch.distributed.run', '--nnodes=3', '--node-rank=1', '--master-addr=host', '--master-port=7',
        '--nproc-per-node=2', str(tiny.ROOT / 'tools' / f'{name}.py'), 'a.py', *given, '--launcher', 'pytorch',
        '--work-dir', 'my work']


@pytest.mark.parametrize('name, given, taken', [
    ('train', 'my work', ['--work-dir', 'my work']), ('test', 'a.pth', ['a.pth'])])
def test_slurm(name, given, taken, tmp_path):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)

    def arguments(**variables):
        environment = dict(os.environ, PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}', **variables)
        done = subprocess.run(
            ['bash', tiny.ROOT / 'tools' / f'slurm_{name}.sh', 'part', 'my job', 'a.py', given, '--amp'],
            env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    program = ['python', '-u', str(tiny.ROOT / 'tools' / f'{name}.py'), 'a.py', *taken, '--launcher', 'slurm', '--amp']
    assert arguments() == [
        '-p', 'part', '--job-name=my job', '--gres=gpu:8', '--ntasks=8', '--ntasks-per-node=8', '--cpus-per-task=5',
        '--kill-on-bad-exit=1', *program]
    assert arguments(GPUS='2', GPUS_PER_NODE='2', CPUS_PER_TASK='1', GRES='', SRUN_ARGS='--time 5') == [
        '-p', 'part', '--job-name=my job', '--ntasks=2', '--ntasks-per-node=2', '--cpus-per-task=1',
        '--kill-on-bad-exit=1', '--time', '5', *program]
