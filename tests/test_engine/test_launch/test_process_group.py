"""How the processes of a job find each other, by any launcher."""
import datetime
import os
import stat

import mmengine.dist.utils
import pytest
import torch
from mmengine.config import Config
from mmengine.dist import all_gather, get_dist_info

from helpers import ranks
from imtnas_mm.engine.launch.process_group import job_rank, leave_group, start_group

PORT = '29511'
LAUNCHED = dict(
    pytorch=dict(RANK='1', WORLD_SIZE='2', LOCAL_RANK='1', MASTER_ADDR='localhost', MASTER_PORT=PORT),
    slurm=dict(SLURM_PROCID='1', SLURM_NTASKS='2', SLURM_LOCALID='1', SLURM_NODELIST='localhost'),
    mpi=dict(OMPI_COMM_WORLD_RANK='1', OMPI_COMM_WORLD_SIZE='2', OMPI_COMM_WORLD_LOCAL_RANK='1',
             MASTER_ADDR='localhost'))
RANK = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')
SIZE = dict(pytorch='WORLD_SIZE', slurm='SLURM_NTASKS', mpi='OMPI_COMM_WORLD_SIZE')


def config(launcher, **dist_cfg):
    return Config(dict(launcher=launcher, env_cfg=dict(dist_cfg=dict(backend='nccl', **dist_cfg))))


@pytest.fixture
def environment(monkeypatch):
    """Sets what a launcher sets, and nothing of another's."""
    def use(launcher, **changes):
        for variables in LAUNCHED.values():
            for name in variables:
                monkeypatch.delenv(name, raising=False)
        for name, value in {**LAUNCHED[launcher], **changes}.items():
            monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name, raising=False)
    return use


@pytest.fixture
def initialised(monkeypatch):
    """What torch's init_process_group was called with, in place of calling it."""
    calls = []

    def init_process_group(backend=None, **kwargs):
        calls.append(dict(kwargs, backend=backend, **{
            name: os.environ.get(name) for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')}))
    monkeypatch.setattr(torch.distributed, 'init_process_group', init_process_group)
    return calls


@pytest.mark.parametrize('launcher', LAUNCHED)
def test_two_processes_meet_without_a_gpu(launcher, environment, tmp_path):
    port = str(ranks.free_port())

    def main():
        rank = os.environ['RANK']  # of ranks.start
        environment(launcher, MASTER_PORT=port, **{RANK[launcher]: rank})
        start_group(config(launcher, timeout=60))
        assert get_dist_info() == (int(rank), 2) and torch.distributed.get_backend() == 'gloo'
        assert torch.cat(all_gather(torch.tensor([int(rank)]))).tolist() == [0, 1]
        leave_group()
    ranks.run(2, tmp_path, main)


@pytest.mark.parametrize('launcher', LAUNCHED)
def test_what_the_group_is_told(launcher, environment, initialised):
    environment(launcher)
    start_group(config(launcher, timeout=7))
    start_group(config(launcher))
    assert [call['timeout'] for call in initialised] == [datetime.timedelta(seconds=s) for s in (7, 1800)]
    port = PORT if launcher == 'pytorch' else '29500'
    for call in initialised:
        assert (call['backend'], call['RANK'], call['WORLD_SIZE']) == ('gloo', '1', '2')
        assert (call['MASTER_ADDR'], call['MASTER_PORT']) == ('localhost', port)


def test_slurm_port(environment, initialised):
    environment('slurm')
    start_group(config('slurm', port=29777))
    assert initialised[0]['MASTER_PORT'] == '29777'


def test_first_host_of_slurm(environment, initialised, tmp_path, monkeypatch):
    environment('slurm', SLURM_NODELIST='gpu[03-05,9]')
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(SystemExit, match=r"SLURM_NODELIST='gpu\[03-05,9\]' .*set MASTER_ADDR to it"):
        start_group(config('slurm'))
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/bin/sh\n[ "$*" = "show hostnames gpu[03-05,9]" ] && printf "gpu03\\ngpu04\\n"\n')
    scontrol.chmod(scontrol.stat().st_mode | stat.S_IXUSR)
    start_group(config('slurm'))
    assert initialised[0]['MASTER_ADDR'] == 'gpu03'
    environment('slurm', SLURM_NODELIST='gpu[03-05,9]', MASTER_ADDR='gpu09')
    start_group(config('slurm'))
    assert initialised[1]['MASTER_ADDR'] == 'gpu09'


MISSING = [(launcher, name) for launcher, names in LAUNCHED.items() for name in names if 'LOCAL' not in name]


@pytest.mark.parametrize('gpu', [False, True])
@pytest.mark.parametrize('launcher, name', MISSING)
def test_a_missing_variable_is_named(launcher, name, gpu, environment, initialised, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    environment(launcher, **{name: None})
    with pytest.raises(SystemExit, match=f'--launcher {launcher}: the environment variable {name} is not set; start'):
        start_group(config(launcher))


@pytest.mark.parametrize('launcher', LAUNCHED)
def test_wrong_ranks(launcher, environment, initialised):
    environment(launcher, **{RANK[launcher]: 'first'})
    with pytest.raises(SystemExit, match=f"{RANK[launcher]}='first' must be a whole number"):
        start_group(config(launcher))
    environment(launcher, **{RANK[launcher]: '2'})
    with pytest.raises(SystemExit, match=f'{RANK[launcher]}=2 must be less than {SIZE[launcher]}=2'):
        start_group(config(launcher))
    assert not initialised


@pytest.mark.parametrize('timeout', [0, -1, '60', None, True])
def test_wrong_timeout(timeout, environment, initialised):
    environment('pytorch')
    with pytest.raises(SystemExit, match=f'env_cfg.dist_cfg.timeout={timeout!r} must be a positive number of seconds'):
        start_group(config('pytorch', timeout=timeout))


def test_rank_before_there_is_a_group(environment):
    for launcher in LAUNCHED:
        environment(launcher)
        assert job_rank(launcher) == 1
    assert job_rank('none') == 0


@pytest.mark.parametrize('launcher', LAUNCHED)
def test_with_gpus_it_is_mmengine_that_starts_the_group(launcher, environment, initialised, monkeypatch):
    """Its own path, with the timeout: what mmengine's Runner calls, on a machine that says it has GPUs."""
    devices = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'set_device', devices.append)
    environment(launcher)
    cfg = config(launcher)
    start_group(cfg)
    assert not initialised and not devices
    mmengine.dist.utils.init_dist(cfg.launcher, **cfg.env_cfg.dist_cfg)  # Runner.setup_env
    call, = initialised
    assert (call['backend'], call['timeout']) == ('nccl', datetime.timedelta(seconds=1800))
    assert (call['RANK'], call['WORLD_SIZE'], call['MASTER_ADDR']) == ('1', '2', 'localhost') and devices == [1]


def test_without_a_launcher_there_is_no_group(initialised):
    start_group(Config(dict(launcher='none')))
    assert not initialised
