"""Runs as jobs of submitit: by its local executor really, on a Slurm cluster by stand-ins of Slurm's programs."""
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from helpers import tiny_run as tiny
from helpers.stub_tools import RETRAIN, calls, compare, records, same, traces, write, write_tools
from imtnas_mm.experiments import cluster as module
from imtnas_mm.experiments import compare as compare_module
from imtnas_mm.experiments import load_experiment, plan_runs
from imtnas_mm.experiments.cards import Card, CardError, Cards
from imtnas_mm.experiments.cluster import Cluster, RunJob, blocked_signals
from imtnas_mm.experiments.compare import outcome
from imtnas_mm.experiments.execute import Processes


@pytest.fixture
def tools(tmp_path):
    return write_tools(tmp_path / 'tools')


@pytest.fixture
def experiment(tmp_path):
    """One run: a retraining and a test."""
    return write(tmp_path, seeds=[0], rows=[dict(name='a', architecture='pdarts')])


def await_file(path, seconds=100):
    begin = time.monotonic()
    while not path.exists() or not path.read_text():
        assert time.monotonic() - begin < seconds
        time.sleep(.05)
    return path.read_text()


@pytest.mark.slow
def test_a_preempted_job_is_queued_again_and_resumes(tmp_path, tools, experiment, monkeypatch, capsys):
    """The signal of submitit in the midst of a retraining: it gets a SIGTERM, leaves its checkpoint, and is resumed."""
    monkeypatch.setenv('PYTHONPATH', str(tiny.ROOT))
    (tools / 'wait').write_text('c10')
    seen = []

    def preempt():
        training, job = map(int, await_file(tools / 'waiting').split())
        for pid in (training, job):  # Slurm signals all processes of a job
            seen.append(Path(f'/proc/{pid}/cmdline').read_bytes().split(b'\0')[1:3])
            if pid == job:
                (tools / 'wait').unlink()
            os.kill(pid, signal.SIGUSR2)

    other = threading.Thread(target=preempt)
    other.start()
    compare(experiment, tmp_path / 'out', tools, '--executor', 'local')
    other.join()
    assert seen[0][0].endswith(b'train.py') and seen[1] == [b'-u', b'-m']
    run, = plan_runs(load_experiment(experiment))
    folder = tmp_path / 'out' / 'runs' / run.identity
    log, = (folder / 'jobs').glob('*_log.out')
    assert log.read_text().count('Calling checkpoint method') == log.read_text().count('Requeued job') == 1
    assert calls(tools) == ['train.py c10.py', 'train.py c10.py', 'test.py c10.py']
    first, again, _ = (folder / 'commands.sh').read_text().splitlines()
    assert again == first.replace(f'{folder / "c10"} ', f'{folder / "c10"} --resume ')  # from its checkpoint
    assert (folder / 'c10' / 'iter_1.pth').exists()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith('job ') and printed[1] == f'finished: a, seed 0 ({run.identity})'
    compare(experiment, tmp_path / 'whole', tools)
    assert same(tmp_path / 'out', tmp_path / 'whole')


def test_how_a_job_ended(tmp_path, experiment, capsys):
    run, = plan_runs(load_experiment(experiment))

    def ended(error=None, **record):
        return outcome(run, SimpleNamespace(job_id='7', exception=lambda: error, result=lambda: record))

    called = f'a, seed 0 ({run.identity})'
    assert ended(state='finished') is None and capsys.readouterr().out == f'finished: {called}\n'
    assert ended(state='failed', failure='out of luck') == f'{called}: out of luck'
    assert ended(RuntimeError('lost')) == f'{called}: job 7: lost'


def job_of(experiment, tmp_path, tools):
    run, = plan_runs(load_experiment(experiment))
    return run, RunJob(run, tmp_path / 'out', tools, cards=dict())


def test_the_signal_does_not_reach_a_training(tmp_path, tools, experiment):
    """It is blocked there, and not in the job, which handles it."""
    (tools / 'wait').write_text('c10')
    _, job = job_of(experiment, tmp_path, tools)
    blocked = {}

    def look():
        training, _ = map(int, await_file(tools / 'waiting').split())
        for name, pid in (('training', training), ('job', os.getpid())):
            status = Path(f'/proc/{pid}/status').read_text()
            mask = int(next(line for line in status.splitlines() if line.startswith('SigBlk')).split()[1], 16)
            blocked[name] = bool(mask >> signal.SIGUSR2 - 1 & 1)
        os.kill(training, signal.SIGUSR2)
        time.sleep(.2)
        blocked['alive'] = Path(f'/proc/{training}/stat').read_text().split()[2] == 'S'
        job.processes.stop()

    other = threading.Thread(target=look)
    other.start()
    with pytest.raises(module.Stopped):
        job()
    other.join()
    assert blocked == dict(training=True, job=False, alive=True)


def test_a_job_whose_gpus_are_missing_does_not_run_on_cpus(tmp_path, tools, experiment, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    run, = plan_runs(load_experiment(experiment))
    with pytest.raises(CardError, match='the job was to have a GPU, and PyTorch sees none; .* --gpus 0'):
        RunJob(run, tmp_path / 'out', tools)()
    assert calls(tools) == []


def test_a_job_has_the_gpus_that_it_was_given(tmp_path, tools, experiment, monkeypatch):
    """No lock keeps it from them: Slurm numbers those of each job from 0."""
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0,1')
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    run, = plan_runs(load_experiment(experiment))
    with Cards([Card('0', '0'), Card('1', '1')]).lease(2):
        RunJob(run, tmp_path / 'out', tools)()
    assert [one['CUDA_VISIBLE_DEVICES'] for one in traces(tools)] == ['0', '0']


def test_the_signal_may_be_another(monkeypatch):
    assert blocked_signals() == {signal.SIGUSR2}
    monkeypatch.setenv('SUBMITIT_PREEMPT_SIGNAL', 'USR1')
    assert blocked_signals() == {signal.SIGUSR1}
    monkeypatch.setenv('SUBMITIT_PREEMPT_SIGNAL', 'TERM')  # a training must get it
    assert blocked_signals() == set()


def test_what_is_queued_again_is_the_same_job(tmp_path, tools, experiment):
    """Before it began, too; and nothing of this process goes with it."""
    _, job = job_of(experiment, tmp_path, tools)
    again = job.checkpoint()
    assert again.function.arguments == job.arguments and again.function is not job
    job.processes, job.worker = Processes(), threading.Thread(target=lambda: None)
    assert job.checkpoint().function.__dict__.keys() == {'arguments'} and job.processes.stopped


def test_a_terminated_training_of_slurm_waits_for_the_end(tmp_path, tools, experiment, monkeypatch):
    """A job that is preempted must not end by itself: Slurm would not queue it again."""
    (tools / 'wait').write_text('c10')
    run, job = job_of(experiment, tmp_path, tools)
    monkeypatch.setattr(module, 'END', .5)

    def terminate():
        os.kill(int(await_file(tools / 'waiting').split()[0]), signal.SIGTERM)

    for variable, waited in ((None, False), ('SLURM_JOB_ID', True)):
        if variable:
            monkeypatch.setenv(variable, '7')
        slept = []
        monkeypatch.setattr(module, 'time', type('Time', (), dict(
            sleep=lambda seconds, slept=slept: slept.append(seconds) or time.sleep(seconds))))
        (tools / 'waiting').unlink(missing_ok=True)
        other = threading.Thread(target=terminate)
        other.start()
        with pytest.raises(module.Stopped):
            job()
        other.join()
        assert (.5 in slept) == waited
    assert json.loads((tmp_path / 'out' / 'runs' / run.identity / 'record.json').read_text())['state'] == 'started'


SLURM = '''#!{python}
import json, os, sys
from pathlib import Path
from types import SimpleNamespace
here = Path(__file__).parent
name = Path(sys.argv[0]).name
with open(here / 'slurm.txt', 'a') as file:
    file.write(json.dumps([name, *sys.argv[1:]]) + '\\n')
if name == 'sbatch':
    (here / 'script').write_text(Path(sys.argv[1]).read_text())
    number = (here / 'slurm.txt').read_text().count('["sbatch"') + 76
    print(f'Submitted batch job {{number}}')
if name == 'sacct':
    print('JobID|State|NodeList')
    for number in (77, 78):
        print(f'{{number}}|' + (here / 'state').read_text() + '|node1')
'''


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Folder with stand-ins of Slurm's programs, of jobs 77 and 78 in the state that its file ``state`` says."""
    folder = tmp_path / 'slurm'
    folder.mkdir()
    for name in ('srun', 'sbatch', 'sacct'):
        (folder / name).write_text(SLURM.format(python=sys.executable))
        (folder / name).chmod(0o755)
    (folder / 'state').write_text('PENDING')
    monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')
    return folder


def sbatch_options(folder):
    lines = (folder / 'script').read_text().splitlines()
    return dict(line.removeprefix('#SBATCH --').partition('=')[::2] for line in lines if line.startswith('#SBATCH'))


def asked_of(slurm, program):
    file = slurm / 'slurm.txt'
    return [line for line in map(json.loads, file.read_text().splitlines()) if line[0] == program]


def interrupted(monkeypatch, *args):
    """What a comparison says that Ctrl-C ends as soon as it waits for its jobs."""
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(compare_module.time, 'sleep', stop)
    with pytest.raises(SystemExit) as error:
        tiny.tool('compare').main([str(arg) for arg in args])
    monkeypatch.undo()
    return str(error.value)


@pytest.mark.slow
def test_a_slurm_job(tmp_path, tools, slurm, experiment, monkeypatch, capsys):
    """What sbatch is asked for; Ctrl-C leaves the job alone, and another comparison waits for it, not for a new one."""
    run, = plan_runs(load_experiment(experiment))
    command = [experiment, '--work-dir', tmp_path / 'out', '--tools', tools, '--executor', 'slurm', '--partition',
               'gpu', '--time', '240', '--cpus', '6', '--slurm', 'account=me', 'mem=64GB', '--gpus-per-run', '2']
    path = os.environ['PATH']
    with pytest.raises(SystemExit, match='In evaluations.c10.options, set train_dataloader.batch_size=24'):
        tiny.tool('compare').main([str(arg) for arg in command])
    experiment = write(tmp_path, seeds=[0], rows=[dict(name='a', architecture='pdarts')], evaluations=dict(c10=dict(
        config=RETRAIN, shape=(32, 32), options={'train_dataloader.batch_size': 24})))
    run, = plan_runs(load_experiment(experiment))
    said = interrupted(monkeypatch, *command)
    assert f'a, seed 0 ({run.identity}): job 77 goes on; started again, this waits for it, and scancel 77' in said
    os.environ['PATH'] = path
    options = sbatch_options(slurm)
    expected = dict(account='me', mem='64GB', partition='gpu', time='240', nodes='1', signal='USR2@120')
    expected |= {'gpus-per-node': '2', 'cpus-per-task': '12', 'ntasks-per-node': '1', 'open-mode': 'append'}
    assert expected.items() <= options.items()
    assert run.identity in options['job-name']
    monkeypatch.setenv('PATH', f'{slurm}{os.pathsep}{path}')
    capsys.readouterr()
    with monkeypatch.context() as patch:
        # what it builds: test_dry_run.py
        patch.setattr('imtnas_mm.experiments.compare.dry_runs', lambda experiment, runs: ([], []))
        tiny.tool('compare').main([str(arg) for arg in (*command, '--dry-run')])
    assert capsys.readouterr().out.rstrip().endswith('new       a, seed 0  (job 77)')
    # another one without GPUs, as Slurm would start it
    (folder := tmp_path / 'out' / 'runs' / run.identity / 'job.json').unlink()
    command.extend(('--gpus', '0'))
    assert 'job 78 goes on' in interrupted(monkeypatch, *command)
    monkeypatch.setenv('PATH', f'{slurm}{os.pathsep}{path}')
    assert 'gpus-per-node' not in sbatch_options(slurm)
    process = subprocess.run([sys.executable, '-m', 'submitit.core._submit', folder.parent / 'jobs'], env={
        **os.environ, 'SUBMITIT_EXECUTOR': 'slurm', 'SLURM_JOB_ID': '78', 'PYTHONPATH': str(tiny.ROOT)})
    assert process.returncode == 0
    tiny.tool('compare').main([str(arg) for arg in command])
    assert f'finished: a, seed 0 ({run.identity})' in capsys.readouterr().out
    assert len(asked_of(slurm, 'sbatch')) == 2
    (record, ) = records(tmp_path / 'out').values()
    assert {step['processes'] for step in record['steps'].values()} == {2}
    assert {one['CUDA_VISIBLE_DEVICES'] for one in traces(tools)} == {''}


def test_a_job_that_is_gone_is_submitted_again(tmp_path, tools, slurm, experiment):
    run, job = job_of(experiment, tmp_path, tools)
    cluster = Cluster('slurm', tmp_path / 'out', minutes=10)
    assert cluster.current(run) is None
    cluster.submit(run, job, gpus=0, processes=1)
    assert 'gpus-per-node' not in sbatch_options(slurm) and 'cpus-per-task' not in sbatch_options(slurm)
    for state, there in (('PENDING', True), ('RUNNING', True), ('REQUEUED', True), ('CANCELLED', False),
                         ('NODE_FAIL', False)):
        (slurm / 'state').write_text(state)
        module.load_submitit().SlurmJob.watcher.clear()
        assert (cluster.current(run) is not None) == there


def test_what_sbatch_refuses(tmp_path, tools, slurm, experiment):
    (slurm / 'sbatch').write_text('#!/bin/sh\necho "sbatch: error: invalid partition" >&2\nexit 1')
    with pytest.raises(SystemExit, match='(?s)compare: --executor slurm: .*sbatch: error: invalid partition'):
        compare(experiment, tmp_path / 'out', tools, '--executor', 'slurm', '--time', '9', '--partition', 'none')


@pytest.mark.parametrize('args, message', [
    (('--executor', 'slurm'), '--time: it is missing'),
    (('--partition', 'gpu'), '--partition: it is of Slurm jobs; add --executor slurm'),
    (('--executor', 'local', '--slurm', 'a=b'), '--slurm: it is of Slurm jobs'),
    (('--executor', 'slurm', '--time', '9', '--gpus', '2'), '--gpus 2: Slurm chooses the GPUs of a job'),
    (('--executor', 'slurm', '--time', '9', '--runs-per-gpu', '2'), '--runs-per-gpu 2: a Slurm job has its GPUs'),
    (('--executor', 'slurm', '--time', '9', '--slurm', 'account'), '--slurm account: it must be OPTION=VALUE'),
    (('--executor', 'slurm', '--time', '9', '--slurm', 'nodes=2'), '--slurm nodes=2: nodes is set by --partition'),
    (('--gpus-per-run', '0'), '--gpus-per-run 0: it must be at least 1'), (('--jobs', '0'), '--jobs 0: it must be'),
])
def test_options_that_do_not_go_together(tools, tmp_path, experiment, capsys, args, message):
    with pytest.raises(SystemExit) as error:
        compare(experiment, tmp_path / 'out', tools, *args)
    assert error.value.code == 2 and message in capsys.readouterr().err


def test_its_import_leaves_log_files_open(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split('.')[0] == 'submitit']:
        monkeypatch.delitem(sys.modules, name)
    logger, handler = logging.getLogger('a_training'), logging.FileHandler(tmp_path / 'log.txt', 'w')
    logger.addHandler(handler)
    logger.warning('before')
    before = dict(os.environ)
    module.load_submitit()
    logger.warning('after')
    logger.removeHandler(handler)
    handler.close()
    assert (tmp_path / 'log.txt').read_text().split() == ['before', 'after'] and dict(os.environ) == before


def test_without_slurm_or_without_submitit(tmp_path, tools, experiment, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    args = (experiment, tmp_path / 'out', tools, '--executor', 'slurm', '--time', '9')
    with pytest.raises(SystemExit, match='compare: --executor slurm: Could not detect "srun"'):
        compare(*args)
    monkeypatch.setitem(sys.modules, 'submitit', None)
    with pytest.raises(SystemExit, match='submitit is not installed; pip install -r requirements-slurm.txt'):
        compare(*args)
    assert 'submitit' not in vars(module)
    compare(experiment, tmp_path / 'out', tools)  # without jobs nothing needs it
