"""Help and refused arguments answer before anything large is imported."""
import json
import subprocess
import sys

import pytest
import tiny_run as tiny

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


@pytest.mark.parametrize('tool', TOOLS)
def test_a_wrong_flag(tool):
    code, modules, printed = ended(tool, 'a', 'b', '--rounds', '3')
    assert (code, modules) == (2, []) and 'unrecognized arguments' in printed


@pytest.mark.parametrize('args, told', [
    (['compare.py', 'a.py', '--executor', 'ssh'], "invalid choice: 'ssh'"),
    (['compare.py', 'a.py', '--executor', 'slurm', '--time', '5', '--slurm', 'nodes=3'], 'nodes is set by'),
    (['derive.py', 'a.py', 'b.pth', '--out', 'c.png'], 'it must end with .json'),
    (['train.py', 'a.py', '--launcher', 'ssh'], "invalid choice: 'ssh'"),
])
def test_a_refused_value(args, told):
    code, modules, printed = ended(*args)
    assert (code, modules) == (2, []) and told in printed


def test_what_large_means():
    """The check sees an import."""
    code, modules, printed = ended('draw.py', 'no_such_architecture')
    assert 'torch' in modules and 'no_such_architecture' in str(code)
