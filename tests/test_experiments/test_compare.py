"""tools/compare.py with stand-ins for the tools that it calls: what is run, repeated, recorded."""
import fcntl
import os
import shlex
import signal
import time
from pathlib import Path

import pytest

import imtnas_mm
from helpers import tiny_run as tiny
from helpers.forked_tools import exit_code
from helpers.html_page import Read
from helpers.pictures import texts
from helpers.stub_tools import (
    JOINT,
    RETRAIN,
    RETRAIN100,
    SEARCH,
    arguments,
    calls,
    compare,
    records,
    same,
    traces,
    write,
    write_tools,
)
from imtnas_mm.experiments.compare import on_ending

CALLS = ['train.py search.py', 'derive.py search.py', 'train.py c10.py', 'test.py c10.py']


@pytest.fixture
def tools(tmp_path):
    return write_tools(tmp_path / 'tools')


def test_runs_once(tmp_path, tools, capsys):
    experiment = write(tmp_path)
    compare(experiment, tmp_path / 'out', tools)
    assert calls(tools) == CALLS * 4
    assert '49.50 ± 0.71' in Read((tmp_path / 'out' / 'experiment.html').read_text()).cells
    assert f'page: {tmp_path / "out" / "experiment.html"}' in capsys.readouterr().out
    actual = records(tmp_path / 'out')
    assert len(actual) == 4
    for record in actual.values():
        assert record['state'] == 'finished'
        assert record['versions']['imtnas_mm'] == imtnas_mm.__version__ and record['versions']['torch']
        assert record['options']['search']['randomness']['seed'] == record['seed']
        assert set(record['steps']) == {'search', 'derive', 'c10_retrain', 'c10_test'}
        assert all(step['seconds'] > 0 and step['peak_memory'] > 1e6 for step in record['steps'].values())
        assert record['steps']['search']['logged_memory_mb'] == 7
        assert record['steps']['search']['epoch_seconds'] == record['steps']['c10_retrain']['epoch_seconds'] == (
            2 + record['seed'])
        results = record['results']
        assert results['search'] == {'1': {'c10/top1': 10 + record['seed']}}
        assert results['architecture']['space'] == 'darts'
        assert results['c10']['test'] == {'accuracy/top1': 50. + record['seed']}
        assert results['c10']['parameters'] > 1000 and results['c10']['macs'] > results['c10']['parameters']
    compare(experiment, tmp_path / 'out', tools)  # nothing is left to do
    other = tiny.write_config(tmp_path / 'other.py', experiment, title='the same runs in another experiment')
    compare(other, tmp_path / 'out', tools)
    assert calls(tools) == CALLS * 4
    tiny.tool('report').main([str(experiment), '--work-dir', str(tmp_path / 'out')])
    assert '| a | 2 | 49.50 ± 0.71 |' in (tmp_path / 'out' / 'experiment.md').read_text()
    assert capsys.readouterr().out.count('finished: a, seed 0') == 2


def test_the_search_network_and_times_per_epoch(tmp_path, tools):
    """One run, tested once; its rows show the search network after each of its two rounds."""
    tasks = dict(evaluation='search_test', metric='c10/accuracy/top1')
    experiment = write(tmp_path, search_test=True, ours='b', cells=True, rows=[
        dict(name='a', search=SEARCH, round=1, x=1), dict(name='b', search=SEARCH, x=2)], columns=[
            dict(name='network', **tasks), dict(name='D^val', evaluation='search', metric='c10/top1'),
            dict(name='search', metric='search_epoch_time'), dict(name='epochs', metric='search_epochs'),
            dict(name='retraining', evaluation='c10', metric='epoch_time')])
    out = tmp_path / 'out'
    compare(experiment, out, tools)
    assert calls(tools) == ['train.py search.py', 'test.py search.py', *CALLS[1:]] * 2  # of each seed
    told = [trace['arguments'] for trace in traces(tools) if (trace['tool'], Path(trace['config']).stem) == (
        'test.py', 'search')]
    assert [arguments[-2:] for arguments in told] == [['--cfg-options', 'test_cfg.all_rounds=True']] * 2
    searches = sorted(out.glob('runs/*/search'))
    (searches[0] / 'report.html').write_text('the page of a search')
    tiny.tool('report').main([str(experiment), '--work-dir', str(out)])
    page = Read((out / 'experiment.html').read_text())
    assert page.links_to_others() == [f'runs/{searches[0].parent.name}/search/report.html']
    assert {'a', '50.50 ± 0.71', 'D^val'} <= {*page.cells, *page.words} and page.tags.count('figure') == 1
    text = (out / 'experiment.md').read_text()
    assert '| a | 2 | 50.50 ± 0.71 | 0.2952 | 0.2929 | - ± - | - | - | 2.5 | 4 | 2.5 |' in text
    assert '| b | 2 | 51.50 ± 0.71 |  |  | 10.50 ± 0.71 |  |  | 2.5 | 4 | 2.5 |' in text
    assert {'a', 'b'} <= set(texts(out / 'experiment_cells.svg'))


def test_figure_of_the_report(tmp_path, tools, capsys):
    """Drawn as soon as a row has a finished run; before that the table is empty, and it says so."""
    experiment = write(tmp_path, seeds=[0], rows=[dict(name=name, architecture=name, x=x) for name, x in (
        ('pdarts', 1), ('darts_v2', 2))], figure=dict(x='number', left=['error']))
    out = tmp_path / 'out'
    pictures = [out / f'experiment{suffix}' for suffix in ('.svg', '.png')]
    tiny.tool('report').main([str(experiment), '--work-dir', str(out)])
    assert 'no row has a seed whose runs are all finished' in capsys.readouterr().err
    assert not any(path.exists() for path in pictures)
    compare(experiment, out, tools, '--rows', 'pdarts')
    tiny.tool('report').main([str(experiment), '--work-dir', str(out)])
    printed = capsys.readouterr()
    assert not printed.err and all(f'written: {path}' in printed.out for path in pictures)
    assert {'number', 'error'} <= set(texts(pictures[0])) and pictures[1].stat().st_size > 1000


def commands(work_dir, identity):
    """(tool, config, options) of each command that a run gave."""
    lines = (work_dir / 'runs' / identity / 'commands.sh').read_text().splitlines()
    return [(Path(tool).name, Path(config).name, options) for _, tool, config, *options in map(shlex.split, lines)]


def test_without_a_search(tmp_path, tools):
    """A published architecture, and a config's own network; an evaluation that starts from another."""
    pretrained = {'model.backbone.init_cfg': dict(type='Pretrained', checkpoint='nowhere.pth', prefix='backbone.')}
    evaluations = dict(c10=dict(config=RETRAIN, shape=(32, 32)), c100=dict(
        config=RETRAIN100, shape=(32, 32), initial='c10', options=pretrained))
    experiment = write(tmp_path, seeds=[0], evaluations=evaluations, rows=[
        dict(name='published', architecture='pdarts'), dict(name='alone', evaluations=evaluations)])
    out = tmp_path / 'out'
    compare(experiment, out, tools)
    assert calls(tools) == ['train.py c10.py', 'test.py c10.py', 'train.py c100.py', 'test.py c100.py'] * 2
    actual = {bool(record['results'].get('architecture')): record for record in records(out).values()}
    assert actual[True]['results']['architecture']['source']['name'] == 'pdarts'
    assert 'search' not in actual[True]['results'] and 'search' not in actual[False]['results']
    assert actual[True]['results']['c10']['parameters'] != actual[False]['results']['c10']['parameters']
    for named, record in actual.items():
        identity = record['identity']
        folder = out / 'runs' / identity
        own = ['--architecture', str(folder / 'architecture.json')] if named else []
        start = ['--cfg-options', f'model.backbone.init_cfg.checkpoint={folder / "c10" / "epoch_1.pth"}']
        (_, _, c10), (_, _, test), (_, _, c100), _ = commands(out, identity)
        assert c10 == ['--work-dir', str(folder / 'c10'), *own]
        assert c100 == ['--work-dir', str(folder / 'c100'), *own, *start]
        assert test == [str(folder / 'c10' / 'epoch_1.pth'), *own, '--work-dir', str(folder / 'c10_test')]


def test_a_joint_retraining_fills_the_columns_of_its_tasks(tmp_path):
    """One training and one test; the row's figures stand where those of single retrainings do."""
    actual = tiny.shared_architecture(('c10', 'c100'), lambda i: (0, int(i == 2)), 'darts_v2')
    tools = write_tools(tmp_path / 'tools', actual)
    evaluations = dict(joint=dict(config=JOINT, shape=(32, 32), tasks=dict(c10='c10', c100='c100')))
    experiment = write(tmp_path, seeds=[0], rows=[dict(name='joint', search=SEARCH, evaluations=evaluations)], columns=[
        dict(name='c10 error', evaluation='c10', metric='accuracy/top1', error=True),
        dict(name='c100 error', evaluation='c100', metric='accuracy/top1', error=True),
        dict(name='parameters', evaluation='c10', metric='parameters')])
    compare(experiment, tmp_path / 'out', tools)
    assert calls(tools) == [*CALLS[:2], 'train.py joint.py', 'test.py joint.py']
    (record, ) = records(tmp_path / 'out').values()
    c10, c100 = (record['results'][name] for name in ('c10', 'c100'))
    assert (c10['test'], c100['test']) == ({'accuracy/top1': 50.}, {'accuracy/top1': 51.})
    assert c10['parameters'] == c100['parameters'] and c10['macs'] == c100['macs'] and 'joint' not in record['results']
    tiny.tool('report').main([str(experiment), '--work-dir', str(tmp_path / 'out')])
    text = (tmp_path / 'out' / 'experiment.md').read_text()
    assert f'| joint | 1 | 50.00 ± - | 49.00 ± - | {c10["parameters"]:,} |' in text
    assert 'of tasks retrained together, of all their backbones, what they share once' in text


def test_a_search_in_phases(tmp_path, tools):
    """What is derived is the last phase."""
    experiment = write(tmp_path, seeds=[0], rows=[dict(name='a', search=SEARCH.replace('pcdarts', 'pdarts'))])
    (tools / 'phases').write_text('3')
    compare(experiment, tmp_path / 'out', tools)
    (record, ) = records(tmp_path / 'out').values()
    assert record['results']['search'] == {'1': {'c10/top1': 10}}
    phase = tmp_path / 'out' / 'runs' / record['identity'] / 'search' / 'phase3'
    assert commands(tmp_path / 'out', record['identity'])[1] == (
        'derive.py', 'search.py', [str(phase / 'epoch_1.pth'), '--out', str(phase.parents[1] / 'architecture.json')])


def test_dry_run_and_filters(tmp_path, tools, capsys, monkeypatch):
    # what it builds: test_dry_run.py
    monkeypatch.setattr('imtnas_mm.experiments.compare.dry_runs', lambda experiment, runs: ([], []))
    experiment = write(tmp_path)
    compare(experiment, tmp_path / 'out', tools, '--rows', 'b', '--seeds', '1')
    assert calls(tools) == CALLS
    capsys.readouterr()
    compare(experiment, tmp_path / 'out', tools, '--dry-run')
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ['new', 'new', 'new', 'finished']
    with pytest.raises(SystemExit, match="--rows: 'x'"):
        compare(experiment, tmp_path / 'out', tools, '--rows', 'x')


def test_failure_is_recorded_and_others_continue(tmp_path, tools):
    experiment = write(tmp_path, seeds=[0])
    (tools / 'fail').write_text('c10')
    with pytest.raises(SystemExit, match=r'(?s)a, seed 0.*out of luck.*b, seed 0'):
        compare(experiment, tmp_path / 'out', tools)
    actual = records(tmp_path / 'out').values()
    assert [record['state'] for record in actual] == ['failed'] * 2
    assert all(record['failure'].splitlines() == ['c10_retrain: exit code 1', 'out of luck'] for record in actual)
    (tools / 'fail').unlink()
    before = len(calls(tools))
    with pytest.raises(SystemExit, match='--retry-failed'):
        compare(experiment, tmp_path / 'out', tools)
    assert len(calls(tools)) == before
    compare(experiment, tmp_path / 'out', tools, '--retry-failed')
    assert calls(tools)[before:] == CALLS[2:] * 2
    compare(experiment, tmp_path / 'whole', tools)
    assert same(tmp_path / 'out', tmp_path / 'whole')


def start_and_wait(tmp_path, tools, experiment):
    """A comparison in a process, whose first retraining waits."""
    (tools / 'wait').write_text('c10')
    with open(tmp_path / 'log', 'w') as log:
        process = os.fork()
        if not process:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's tests ignore it
            os._exit(exit_code(tiny.ROOT / 'tools' / 'compare.py', arguments(experiment, tmp_path / 'out', tools), log))
    begin = time.monotonic()
    while not (tools / 'waiting').exists():
        assert os.waitpid(process, os.WNOHANG) == (0, 0) and time.monotonic() - begin < 60
        time.sleep(.05)
    return process


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
def test_interrupted_continues_to_the_same_records(tmp_path, tools, number):
    """In a retraining; in a search, too: test_interrupted.py. SIGHUP: its terminal was closed."""
    experiment = write(tmp_path, seeds=[0])
    process = start_and_wait(tmp_path, tools, experiment)
    os.kill(process, number)
    begin = time.monotonic()
    _, status = os.waitpid(process, 0)
    assert time.monotonic() - begin < 20  # long before the step would end by itself
    errors = (tmp_path / 'log').read_text()
    assert os.waitstatus_to_exitcode(status) == 1 and 'a, seed 0' in errors and 'stopped' in errors
    (record, ) = records(tmp_path / 'out').values()
    assert record['state'] == 'started' and record['steps']['c10_retrain']['state'] == 'unfinished'
    (tools / 'wait').unlink()
    before = len(calls(tools))
    compare(experiment, tmp_path / 'out', tools)
    assert calls(tools)[before:] == CALLS[before - 1:] + CALLS  # the interrupted step again, none before it
    compare(experiment, tmp_path / 'whole', tools)
    assert same(tmp_path / 'out', tmp_path / 'whole')


def test_nohup(monkeypatch):
    """An ignored SIGHUP stays ignored."""
    set_for = {}
    monkeypatch.setattr(signal, 'signal', set_for.__setitem__)
    for before, numbers in ((signal.SIG_IGN, {signal.SIGTERM}), (signal.SIG_DFL, {signal.SIGTERM, signal.SIGHUP})):
        set_for.clear()
        monkeypatch.setattr(signal, 'getsignal', lambda _, before=before: before)
        on_ending(print)
        assert set(set_for) == numbers


def test_the_time_of_a_killed_comparison_counts(tmp_path, tools):
    """It can't note the end of its step, which goes on: the time counts to the last line of the step's log."""
    experiment = write(tmp_path, seeds=[0])
    process = start_and_wait(tmp_path, tools, experiment)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    os.killpg(int((tools / 'waiting').read_text().split()[0]), signal.SIGTERM)
    (record, ), (log, ) = records(tmp_path / 'out').values(), (tmp_path / 'out').glob('runs/*/c10_retrain.log')
    with open(log.with_name('lock')) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the training has it until it ends
    begun = record['steps']['c10_retrain']['begun']
    os.utime(log, (begun + 1000, begun + 1000))
    (tools / 'wait').unlink()
    compare(experiment, tmp_path / 'out', tools, '--rows', 'a')
    (record, ) = (one for one in records(tmp_path / 'out').values() if one['state'] == 'finished')
    step = record['steps']['c10_retrain']
    assert step['state'] == 'finished' and 1000 < step['seconds'] < 1100 and 'begun' not in step


def test_damaged_record(tmp_path, tools):
    experiment = write(tmp_path, seeds=[0])
    compare(experiment, tmp_path / 'out', tools, '--rows', 'a')
    (path, ) = (tmp_path / 'out').glob('runs/*/record.json')
    path.write_text(path.read_text()[:100])
    with pytest.raises(SystemExit, match='record.json: is not JSON'):
        compare(experiment, tmp_path / 'out', tools)
