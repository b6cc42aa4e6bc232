"""Help and refused arguments answer before anything large is imported."""
import json
import subprocess
import sys

import pytest

from helpers import tiny_run as tiny

TOOLS = sorted(path.name for path in (tiny.ROOT / 'tools').glob('*.py'))
LARGE = ('torch', 'numpy', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'matplotlib', 'submitit')
# runs the program that is named first, and prints which large modules it has imported
PROGRAM = f'''
import json, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name='__main__')
except SystemExit as error:
    print(json.dumps([error.code, [name for name in {LARGE} if name in sys.modules]]))
'''


def ended(tool, *args):
    """(exit code, large modules, what it printed) of a tool."""
    done = subprocess.run([sys.executable, '-c', PROGRAM, str(tiny.ROOT / 'tools' / tool), *args], text=True,
                          capture_output=True, check=True)
    *printed, last = done.stdout.splitlines()
    code, modules = json.loads(last)
    return code, modules, '\n'.join(printed) + done.stderr


@pytest.mark.parametrize('tool', TOOLS)
def test_help(tool):
    code, modules, printed = ended(tool, '--help')
    assert (code or 0, modules) == (0, []) and printed.startswith(f'usage: {tool}')


@pytest.mark.parametrize('tool', [tool for tool in TOOLS if tool != 'mm.py'])  # it hands its flags on
def test_a_wrong_flag(tool):
    code, modules, printed = ended(tool, 'a', 'b', '--rounds', '3')
    assert (code, modules) == (2, []) and 'unrecognized arguments' in printed


@pytest.mark.parametrize('args, told', [
    (['compare.py', 'a.py', '--executor', 'ssh'], "invalid choice: 'ssh'"),
    (['compare.py', 'a.py', '--executor', 'slurm', '--time', '5', '--slurm', 'nodes=3'], 'nodes is set by'),
    (['derive.py', 'a.py', 'b.pth', '--out', 'c.png'], 'it must end with .json'),
    (['train.py', 'a.py', '--launcher', 'ssh'], "invalid choice: 'ssh'"),
    (['train.py', 'a.py', '--cfg-options', 'b=1', 'c'], '--cfg-options: c: it must be key=value'),
    (['draw.py', 'a.pth', '--cfg-options', 'b=1'], '--cfg-options needs --config'),
    (['lookup.py', 'darts_v2'], '--table: it is missing'),
    (['mm.py', 'browse', 'a.py'], "invalid choice: 'browse'"),
    (['report_search.py', '.', '--analyze-logs', 'a.txt'], 'reads files whose name ends with .json'),
])
def test_a_refused_value(args, told):
    code, modules, printed = ended(*args)
    assert (code, modules) == (2, []) and told in printed


@pytest.mark.parametrize('args, told', [
    (['train.py', 'none.py'], "config: 'none.py' is not a file"),
    (['train.py', __file__, '--resume', 'none.pth'], "--resume: 'none.pth' is not a file"),
    (['test.py', __file__, 'none.pth'], "checkpoint: 'none.pth' is not a file"),
    (['test.py', __file__, __file__, '--out', 'a.txt'], '--out a.txt: the dump is a pickle; name a .pkl file'),
    (['derive.py', 'none.py', __file__], "config: 'none.py' is not a file"),
    (['draw.py', __file__, '--config', 'none.py'], "--config: 'none.py' is not a file"),
    (['export.py', 'none.pth', 'a.pth'], "checkpoint: 'none.pth' is not a file"),
    (['compare.py', 'none.py'], "experiment: 'none.py' is not a file"),
    (['report.py', 'none.py'], "experiment: 'none.py' is not a file"),
    (['check_data.py', 'none.py'], "config: 'none.py' is not a file"),
    (['mm.py', 'print_config', 'none.py'], "config: 'none.py' is not a file"),
    (['lookup.py', 'a', '--table', 'none.csv'], "--table: 'none.csv' is not a file"),
    (['measure_latency.py', 'none.py'], "config: 'none.py' is not a file"),
    (['report_search.py', 'none'], 'work_dir: none is not a folder'),
])
def test_a_missing_file(args, told):
    code, modules, _ = ended(*args)
    assert modules == [] and told in code


def test_what_large_means(tmp_path):
    """The check sees an import."""
    (tmp_path / 'a.py').write_text('import numpy\nraise SystemExit(3)')
    assert ended(tmp_path / 'a.py') == (3, ['numpy'], '')
