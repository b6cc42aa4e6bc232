"""tools/compare.py on a machine with GPUs, by stand-ins for the tools: which card and how many processes a step has."""
import gc
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
import torch

from helpers import tiny_run as tiny
from helpers.stub_tools import RETRAIN, SEARCH, calls, compare, records, traces, write, write_tools
from imtnas_mm.engine.hooks.termination_hook import STOPPED
from imtnas_mm.experiments import load_experiment, plan_runs
from imtnas_mm.experiments.cards import Card, Cards
from imtnas_mm.experiments.checks import refusals, unchecked
from imtnas_mm.experiments.execute import Processes, Stopped, execute, terminated


@pytest.fixture
def tools(tmp_path):
    return write_tools(tmp_path / 'tools')


@pytest.fixture(autouse=True)
def four_cards(monkeypatch, tmp_path):
    """Visible as 4 to 7, with their locks in a folder of the test."""
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 4)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,5,6,7')
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    return tmp_path / 'imtnas_mm-gpus'


def one_gpu(**fields):
    """Fields of an experiment of evaluations alone, whose steps are of one process."""
    evaluations = dict(c10=dict(config=RETRAIN, shape=(32, 32), **fields))
    return dict(evaluations=evaluations, rows=[dict(name=name, architecture=name) for name in ('pdarts', 'darts_v2')])


def overlapping(steps):
    """Pairs of processes that ran at the same time."""
    return [(trace, other) for i, trace in enumerate(steps) for other in steps[:i]
            if trace['begin'] < other['end'] and other['begin'] < trace['end']]


def test_each_run_has_its_card(tmp_path, tools):
    (tools / 'slow').write_text('.4')
    compare(write(tmp_path, **one_gpu()), tmp_path / 'out', tools, '--gpus', '1,3')
    steps = traces(tools)
    assert len(steps) == 8 and {trace['CUDA_VISIBLE_DEVICES'] for trace in steps} == {'5', '7'}
    together = overlapping(steps)
    assert together and all(trace['CUDA_VISIBLE_DEVICES'] != other['CUDA_VISIBLE_DEVICES'] for trace, other in together)
    for record in records(tmp_path / 'out').values():
        for step in record['steps'].values():
            assert step['gpus'][0]['id'] in ('5', '7') and step['processes'] == 1 and step['machine'] == os.uname()[1]
    for line in next((tmp_path / 'out').glob('runs/*/commands.sh')).read_text().splitlines():
        assert line.split()[0] in ('CUDA_VISIBLE_DEVICES=5', 'CUDA_VISIBLE_DEVICES=7')


def test_a_recorded_command_can_be_run_by_hand(tmp_path, tools):
    compare(write(tmp_path, **one_gpu()), tmp_path / 'out', tools, '--gpus', '2,', '--rows', 'pdarts', '--seeds', '0')
    script = next((tmp_path / 'out').glob('runs/*/commands.sh'))
    before = traces(tools)
    subprocess.run(['bash', script], check=True, env={**os.environ, 'CUDA_VISIBLE_DEVICES': '0'})
    for trace, again in zip(before, traces(tools)[len(before):], strict=True):
        assert {**trace, 'begin': 0, 'end': 0} == {**again, 'begin': 0, 'end': 0}


def test_runs_that_share_a_card_if_asked(tmp_path, tools):
    (tools / 'slow').write_text('.4')
    compare(write(tmp_path, **one_gpu()), tmp_path / 'out', tools, '--gpus', '1', '--runs-per-gpu', '2')
    assert {trace['CUDA_VISIBLE_DEVICES'] for trace in traces(tools)} == {'4'} and overlapping(traces(tools))


def test_jobs_are_as_many_as_the_cards_hold(tmp_path, tools):
    (tools / 'slow').write_text('.4')
    experiment = write(tmp_path, **one_gpu())
    with pytest.raises(SystemExit, match=r'--jobs 5: 4 GPU\(s\) .* hold 4; it must be at most that'):
        compare(experiment, tmp_path / 'out', tools, '--jobs', '5')
    with pytest.raises(SystemExit, match=r'--jobs 3: 4 GPU\(s\) with 1 run\(s\) on each and 2 for each run hold 2'):
        compare(experiment, tmp_path / 'out', tools, '--jobs', '3', '--gpus-per-run', '2')
    compare(experiment, tmp_path / 'out', tools, '--jobs', '1')
    assert not overlapping(traces(tools))


def test_on_cpus_if_asked(tmp_path, tools):
    """The cards are hidden, so that no step takes one."""
    compare(write(tmp_path, **one_gpu()), tmp_path / 'out', tools, '--gpus', '0', '--seeds', '0')
    assert {trace['CUDA_VISIBLE_DEVICES'] for trace in traces(tools)} == {''}
    assert all(step['gpus'] == [] for record in records(tmp_path / 'out').values() for step in record['steps'].values())


def test_without_gpus_nothing_is_changed(tmp_path, tools, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES')
    (tools / 'slow').write_text('.2')
    experiment = write(tmp_path, **one_gpu())
    with pytest.raises(SystemExit, match=r'--gpus 1: this process sees 0 GPU\(s\); it must be at most 0'):
        compare(experiment, tmp_path / 'out', tools, '--gpus', '1')
    compare(experiment, tmp_path / 'out', tools, '--seeds', '0')
    assert {trace['CUDA_VISIBLE_DEVICES'] for trace in traces(tools)} == {None} and not overlapping(traces(tools))


def test_derive_has_no_card(tmp_path, tools):
    compare(write(tmp_path, seeds=[0]), tmp_path / 'out', tools, '--rows', 'a')
    seen = {trace['tool']: trace['CUDA_VISIBLE_DEVICES'] for trace in traces(tools)}
    assert seen == {'train.py': '4', 'derive.py': '', 'test.py': '4'}


def test_a_card_of_another_comparison_is_left_alone(tmp_path, tools, four_cards):
    with Cards([Card('4', '4'), Card('6', '6')], folder=four_cards).lease(2):
        compare(write(tmp_path, **one_gpu()), tmp_path / 'out', tools, '--seeds', '0')
    assert {trace['CUDA_VISIBLE_DEVICES'] for trace in traces(tools)} <= {'5', '7'}


def test_several_processes_by_torchrun(tmp_path, tools):
    """Two processes of torchrun on two cards, and the batch of each is half of the config's 48."""
    experiment = write(tmp_path, **one_gpu(options={'train_dataloader.batch_size': 24}))
    compare(experiment, tmp_path / 'out', tools, '--gpus-per-run', '2', '--gpus', '1,2', '--rows', 'pdarts', '--seeds',
            '0')
    steps = traces(tools)
    assert sorted((trace['tool'], trace['RANK'], trace['WORLD_SIZE']) for trace in steps) == [
        (f'{tool}.py', str(rank), '2') for tool in ('test', 'train') for rank in (0, 1)]
    assert {trace['CUDA_VISIBLE_DEVICES'] for trace in steps} == {'5,6'}
    assert all(trace['arguments'][-2:] == ['--launcher', 'pytorch'] for trace in steps)
    (record, ) = records(tmp_path / 'out').values()
    assert record['state'] == 'finished'
    for step in record['steps'].values():
        assert step['processes'] == 2 and [card['id'] for card in step['gpus']] == ['5', '6']


@pytest.mark.slow
def test_several_processes_that_a_sigterm_stopped_are_not_failed(tmp_path, tools):
    """torchrun got it, from something else than the comparison, and leaves with 1; the next start resumes."""
    run, *_ = plan_runs(load_experiment(write(tmp_path, **one_gpu(options={'train_dataloader.batch_size': 24}))))
    (tools / 'wait').write_text('c10')

    def terminate():
        while not (tools / 'waiting').exists() or not (tools / 'waiting').read_text():
            time.sleep(.05)
        os.kill(int((tools / 'waiting').read_text().split()[1]), signal.SIGTERM)

    other = threading.Thread(target=terminate)
    other.start()
    with pytest.raises(Stopped):
        execute(run, tmp_path / 'out', Processes(), tools, gpus_per_run=2)
    other.join()
    (record, ) = records(tmp_path / 'out').values()
    assert record['state'] == 'started' and record['steps']['c10_retrain']['state'] == 'unfinished'
    (tools / 'wait').unlink()
    assert execute(run, tmp_path / 'out', Processes(), tools, gpus_per_run=2)['state'] == 'finished'
    commands = (tmp_path / 'out' / 'runs' / run.identity / 'commands.sh').read_text().splitlines()
    assert [' --resume ' in line for line in commands] == [False, True, False]


@pytest.mark.parametrize('code, text, count, expected', [
    (143, '', 1, True), (-15, '', 1, True), (1, STOPPED, 1, False), (1, '', 1, False),
    (1, f'12:00 - {STOPPED} after iteration 3', 8, True), (1, 'SignalException: Process 7 got signal: 15', 8, True),
    (1, 'ValueError: train_cfg', 8, False),
])
def test_which_steps_a_sigterm_ended(code, text, count, expected):
    assert terminated(code, text, count) == expected


def test_gpus_that_an_experiment_declares(tmp_path):
    """An evaluation's number goes before a row's, that before the experiment's, and --gpus-per-run before all."""
    evaluations = dict(c10=dict(config=RETRAIN, shape=(32, 32), gpus=3), c100=dict(config=RETRAIN, shape=(32, 32)))
    runs = plan_runs(load_experiment(write(tmp_path, gpus=2, seeds=[0], evaluations=evaluations, rows=[
        dict(name='a', search=SEARCH), dict(name='b', search=SEARCH, gpus=4)])))
    steps = [{name: run.processes(name) for name in run.trainings()} for run in runs]
    assert steps == [dict(search=2, c10=3, c100=2), dict(search=4, c10=3, c100=4)]
    assert {run.processes(name, 5) for run in runs for name in run.trainings()} == {5}
    plain, = plan_runs(load_experiment(write(tmp_path, seeds=[0], rows=[dict(name='a', search=SEARCH)])))
    assert {plain.processes(name) for name in plain.trainings()} == {1}
    assert runs[0].identity == runs[1].identity  # the record is the same with any number


BATCH = ('{name}: {loader}.batch_size: {size}; with {count} an iteration has {total} examples, but the config was '
         'written for {right} ({declared}). In {where}, set {loader}.batch_size={own}, or {declared}={total} if '
         '{total} is meant; or use --gpus-per-run {gpus}')


def test_another_total_batch_stops_before_it_starts(tmp_path, tools):
    experiment = write(tmp_path, seeds=[0])
    search = [BATCH.format(
        name='search', loader=f'train_dataloader.{task}', size=32, count='2 processes', total=64, right=32,
        declared=f'auto_scale_lr.base_batch_size.{task}', own=16, where="the row's options", gpus=1)
        for task in ('c10', 'c100')]
    retraining = BATCH.format(
        name='c10', loader='train_dataloader', size=48, count='2 processes', total=96, right=48,
        declared='auto_scale_lr.base_batch_size', own=24, where='evaluations.c10.options', gpus=1)
    for options in ([], ['--dry-run']):
        with pytest.raises(SystemExit) as error:
            compare(experiment, tmp_path / 'out', tools, '--gpus-per-run', '2', *options)
        assert error.value.code.splitlines() == ['compare: nothing is started:', *(
            f'a, seed 0 (and 1 more): {text}' for text in (*search, retraining))]
    assert calls(tools) == [] and not (tmp_path / 'out').exists()


def test_each_way_out_that_the_refusal_names_is_one(tmp_path, tools):
    def experiment(**options):
        return write(tmp_path, **one_gpu(options={f'{name.replace("__", ".")}': value for name, value in
                                                  options.items()}))

    def refused(*args, **options):
            return refusals(plan_runs(load_experiment(experiment(**options))), *args)

    eighth = dict(train_dataloader__batch_size=6)
    text, = refused(None, 8, **eighth)
    assert 'pdarts, seed 0 (and 3 more): c10: train_dataloader.batch_size: 6; with 1 process' in text
    assert text.endswith('In evaluations.c10.options, set train_dataloader.batch_size=48, or auto_scale_lr.'
                         'base_batch_size=6 if 6 is meant; or use --gpus-per-run 8')
    assert not refused(None, 8) and not refused(8, 8, **eighth)
    assert not refused(None, 8, **eighth, auto_scale_lr__base_batch_size=6)
    assert '--gpus-per-run' not in refused(None, 4, **eighth)[0]  # there are but 4
    assert refused(8, 4, **eighth) == [
        'pdarts, seed 0 (and 3 more): c10: it has 8 GPUs, and there are 4. With --gpus-per-run 4, set '
        'train_dataloader.batch_size=12 in evaluations.c10.options']
    assert not refused(4, 4, train_dataloader__batch_size=12)
    assert refused(7, 8)[0].endswith('In evaluations.c10.options, set auto_scale_lr.base_batch_size=336 if 336 is '
                                     'meant; or use --gpus-per-run 1')


def test_the_example_of_the_documentation(tmp_path):
    """An experiment for 8 GPUs, changed for 4: the totals are the same."""
    text = (tiny.ROOT / 'docs' / 'comparisons.md').read_text()
    example = text[text.index("_base_ = ['figure1_right_paper.py']"):].partition('```')[0]
    shutil.copytree(tiny.ROOT / 'configs', tmp_path / 'configs')
    file = tmp_path / 'configs' / 'experiments' / 'four.py'
    file.write_text(example)
    runs = plan_runs(load_experiment(file))
    assert {run.processes(name) for run in runs for name in run.trainings()} == {4}
    assert {len(run.trainings()) for run in runs} == {3} and refusals(runs, None, 4) == []
    eight, = refusals(runs[:1], 8, 8)[:1]
    assert 'train_dataloader.cls.batch_size: 256; with 8 processes an iteration has 2048 examples' in eight


def test_finished_runs_are_not_refused(tmp_path, tools, capsys):
    experiment = write(tmp_path, **one_gpu(), seeds=[0])
    compare(experiment, tmp_path / 'out', tools)
    compare(experiment, tmp_path / 'out', tools, '--gpus-per-run', '2')
    assert len(calls(tools)) == 4 and capsys.readouterr().out.count('finished: pdarts, seed 0') == 2


def test_an_undeclared_total_is_said_to_be_unchecked(tmp_path):
    runs = plan_runs(load_experiment(write(tmp_path, **one_gpu(options={'auto_scale_lr': None}), seeds=[0])))
    for run in runs:
        run.evaluations['c10'].auto_scale_lr = dict()
    assert unchecked(runs) == [] and refusals(runs, 2) == []
    assert unchecked(runs, 2) == [
        'pdarts, seed 0 (and 1 more): c10: train_dataloader: 2 processes of 48 examples; the config declares no '
        'auto_scale_lr.base_batch_size to compare them with']


def test_a_process_is_reaped_by_nothing_else(tmp_path):
    """subprocess reaps what was collected, when the next process starts."""
    processes = Processes()
    ended = [sleeper(processes, tmp_path, f'exit {code}') for code in range(3)]
    for pid in ended:
        while Path(f'/proc/{pid}/stat').read_text().split()[2] != 'Z':
            time.sleep(.01)
    gc.collect()
    subprocess.run(['true'])
    assert [processes.wait(pid)[0] for pid in ended] == [0, 1, 2]


def sleeper(processes, folder, code):
    with open(folder / 'log', 'ab') as log:
        return processes.start(['bash', '-c', code], log)


def test_processes_without_waitid(tmp_path, monkeypatch):
    """macOS has no os.waitid before Python 3.13."""
    monkeypatch.delattr(os, 'waitid', raising=False)
    processes = Processes()
    code, peak = processes.wait(sleeper(processes, tmp_path, 'sleep .2; exit 3'))
    assert code == 3 and peak > 1e6 and not processes.running
    pid = sleeper(processes, tmp_path, 'sleep 100')
    processes.stop()
    assert processes.wait(pid)[0] == -15


def test_a_number_that_was_reaped_is_not_signalled(tmp_path, monkeypatch):
    signalled = []
    monkeypatch.setattr(os, 'killpg', lambda pid, number: signalled.append(pid))
    processes = Processes()
    pid = sleeper(processes, tmp_path, 'exit 0')
    processes.wait(pid)
    processes.stop()
    assert signalled == []
    processes = Processes()
    pid = sleeper(processes, tmp_path, 'exit 0')
    while Path(f'/proc/{pid}/stat').read_text().split()[2] != 'Z':
        time.sleep(.01)
    processes.stop()  # not reaped: its number is still its own
    assert signalled == [pid] and processes.wait(pid)[0] == 0
