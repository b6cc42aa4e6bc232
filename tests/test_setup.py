"""tools/setup.sh: what it refuses, mends, and leaves behind. No test downloads or compiles anything."""
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = ('tools/setup.sh', 'requirements-build.txt', 'requirements.txt', 'requirements-dev.txt',
         'requirements-slurm.txt', 'requirements-onnx.txt')
# what setup.sh calls, so that a PATH can hold these and no compiler
PROGRAMS = ('bash', 'cat', 'chmod', 'cksum', 'cut', 'dirname', 'flock', 'grep', 'mkdir', 'mv', 'rm', 'sed', 'sleep',
            'tail', 'tr', 'uname', 'wc')
COMPILER = os.environ.get('CXX', 'c++')  # conda's compilers are known by CXX alone


@pytest.fixture
def checkout(tmp_path):
    """A folder with the files that setup.sh reads, and no environment."""
    root = tmp_path / 'checkout'
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture
def bare_path(tmp_path):
    """A PATH with Python and the usual programs but no compiler."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for name in PROGRAMS:
        if shutil.which(name):
            (folder / name).symlink_to(shutil.which(name))
    write_program(folder / 'python3', f'exec {sys.executable} "$@"')
    return folder


def write_program(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('#!/bin/sh\n' + textwrap.dedent(body) + '\n')
    path.chmod(0o755)


def environment(**changes):
    env = {k: v for k, v in os.environ.items() if k not in ('PYTHON', 'MAX_JOBS', 'PYTHONPATH', 'PIP_FIND_LINKS')}
    return {**env, **{k: str(v) for k, v in changes.items()}}


def setup(checkout, **env):
    return subprocess.run(['bash', checkout / 'tools/setup.sh'], env=environment(**env), capture_output=True, text=True)


def call(checkout, function, **env):
    """Source setup.sh and call one of its functions."""
    return subprocess.run(['bash', '-c', f'source tools/setup.sh; LOG=/dev/stdout; {function}'], cwd=checkout,
                          env=environment(**env), capture_output=True, text=True)


def test_no_compiler_stops_before_anything_is_made(checkout, bare_path):
    done = setup(checkout, PATH=bare_path, CXX='c++')
    assert done.returncode == 1
    assert "no C++ compiler: 'c++' is not on PATH" in done.stderr
    for package in ('apt-get install g++', 'dnf install gcc-c++', 'conda-forge cxx-compiler'):
        assert package in done.stderr
    assert not (checkout / '.venv').exists()


def test_compiler_without_cpp20_is_refused(checkout, bare_path):
    write_program(bare_path / 'c++', 'exit 1')
    done = setup(checkout, PATH=bare_path, CXX='c++')
    assert done.returncode == 1
    assert "'c++' cannot compile C++20" in done.stderr
    assert not (checkout / '.venv').exists()


def test_missing_python_headers_are_named(checkout, tmp_path):
    write_program(tmp_path / 'python', 'case "$2" in *sysconfig*) echo /nowhere;; *) echo 3.11;; esac')
    done = call(checkout, f'check_compiler {tmp_path}/python')
    assert done.returncode == 1
    assert 'no /nowhere/Python.h' in done.stderr
    assert 'apt-get install python3.11-dev' in done.stderr
    assert 'dnf install python3.11-devel' in done.stderr


@pytest.mark.skipif(sys.platform != 'linux', reason='cv2 needs libGL on Linux only')
def test_missing_libgl_is_named(checkout, tmp_path):
    write_program(tmp_path / 'python', 'exit 1')
    done = call(checkout, f'check_libraries {tmp_path}/python')
    assert done.returncode == 1
    assert 'libGL.so.1 is missing' in done.stderr
    assert 'apt-get install libgl1 libglib2.0-0' in done.stderr


@pytest.mark.parametrize('version, supported', [('3.10', False), ('3.11', True), ('3.12', True), ('3.13', False)])
def test_python_versions(checkout, tmp_path, version, supported):
    """A stand-in Python that answers the version question for another version."""
    major, minor = version.split('.')
    write_program(tmp_path / 'python', f'''\
        code=${{2#import sys; }}
        case "$code" in
            *version_info*) exec {sys.executable} -c "import sys; sys.version_info = ({major}, {minor}); $code";;
        esac''')
    done = call(checkout, 'choose_python; echo chosen $PY', PYTHON=tmp_path / 'python')
    if supported:
        assert done.stdout == f'chosen {tmp_path}/python\n'
    else:
        assert done.returncode == 1
        assert f'Python 3.11 or 3.12 is needed; {tmp_path}/python is {version}.' in done.stderr
        assert 'make setup PYTHON=/path/to/python3.12' in done.stderr


def test_python_that_does_not_run(checkout):
    done = setup(checkout, PYTHON='/nowhere/python')
    assert done.returncode == 1
    assert 'Python 3.11 or 3.12 is needed; /nowhere/python does not run.' in done.stderr


def test_other_python_than_the_environments_is_refused(checkout, tmp_path):
    write_program(checkout / '.venv/bin/python', 'case "$2" in *print*) echo 3.11;; esac')
    write_program(tmp_path / 'python', 'case "$2" in *print*) echo 3.12;; esac')
    done = setup(checkout, PYTHON=tmp_path / 'python')
    assert done.returncode == 1
    assert 'is 3.12, but' in done.stderr and 'was made with Python 3.11' in done.stderr
    assert f"rm -rf '{checkout}/.venv'" in done.stderr


TORCH = '''
def tensor(x): return x
class cuda:
    is_available = staticmethod(lambda: {gpu})
'''
OPS = '''
class List(list):
    tolist = lambda self: list(self)
def nms(boxes, scores, threshold): return None, List({kept})
def get_compiling_cuda_version(): return 'not available'
'''


@pytest.mark.parametrize('ops, gpu, message', [
    (None, False, "No module named 'mmcv._ext'"),
    ([2, 1, 0], False, 'kept [2, 1, 0]; right: [2, 1]'),
    ([2, 1], True, 'compiled for the CPU only'),
    ([2, 1], False, ''),
])
def test_check_ops(checkout, ops, gpu, message):
    """A fake mmcv in an empty environment: without ops, with wrong ones, with CPU ones beside a GPU, right."""
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', checkout / '.venv'], check=True)
    site, = (checkout / '.venv/lib').glob('python3.*/site-packages')
    (site / 'torch.py').write_text(TORCH.format(gpu=gpu))
    (site / 'mmcv/ops').mkdir(parents=True)
    (site / 'mmcv/__init__.py').touch()
    (site / 'mmcv/ops/__init__.py').write_text('import mmcv._ext' if ops is None else OPS.format(kept=ops))
    done = call(checkout, 'check_ops')
    assert (done.returncode == 0) == (message == '')
    assert message in done.stdout


# Stands in for .venv/bin/python: logs every pip call, answers checks from files, passes the rest to a real Python
STAND_IN = f'''\
here=$(dirname "$0")/..
case "$*" in
    *'-m pip --version'*) ;;
    *'-m pip install'*)
        echo "$@" >>"$here/pip.calls"
        echo "CXX=$CXX at $(command -v $CXX) MAX_JOBS=$MAX_JOBS" >>"$here/pip.env"
        if [ -e "$here/pip.hangs" ]; then sleep 60 & echo $! >"$here/pip.child"; wait; fi
        fails=$(cat "$here/pip.fails" 2>/dev/null || echo 'no such call')
        case "$*" in *"$fails"*) echo 'error: refused'; exit 1;; esac;;
    *'-m pip download'*) exec {sys.executable} "$@";;
    *'-m pip'*) echo "$@" >>"$here/pip.calls";;
    *mmcv.ops.nms*)
        left=$(cat "$here/bad_ops" 2>/dev/null || echo 0)
        [ "$left" -eq 0 ] || {{ echo $((left - 1)) >"$here/bad_ops"; exit 1; }};;
    *'import torch'* | *'import mmdet'*) ;;
    *) exec {sys.executable} "$@";;
esac'''


@pytest.fixture
def stand_in(checkout):
    """A checkout whose environment is a stand-in: setup.sh runs all its steps on it in a few seconds."""
    write_program(checkout / '.venv/bin/python', STAND_IN)
    (checkout / '.venv/bin/activate').write_text(f'VIRTUAL_ENV={checkout}/.venv')
    extension = checkout / '.venv/lib/python3.11/site-packages/mmcv/_ext.so'
    extension.parent.mkdir(parents=True)
    extension.touch()
    return checkout


def pip_calls(checkout):
    return (checkout / '.venv/pip.calls').read_text().splitlines()


def test_steps_in_order_then_stamp_then_nothing(stand_in):
    done = setup(stand_in)
    assert done.returncode == 0, done.stderr
    first, second, third = pip_calls(stand_in)
    assert first.endswith(f'-r {stand_in}/requirements-build.txt') and '-r ' not in first.replace('-r ', '', 1)
    assert '--no-build-isolation' in second
    assert f'-r {stand_in}/requirements.txt -r {stand_in}/requirements-dev.txt' in second
    assert '--no-deps' in third and third.endswith(f'-e {stand_in}')
    wrapper = stand_in / '.venv/bin/ops-c++'
    assert (stand_in / '.venv/pip.env').read_text().splitlines() == [f'CXX=ops-c++ at {wrapper} MAX_JOBS=2'] * 3
    assert wrapper.read_text() == f'#!/bin/sh\nexec {COMPILER} "$@" -std=c++20 -g0 -O1\n'

    start = time.perf_counter()
    again = setup(stand_in)
    assert 'is up to date' in again.stdout and len(pip_calls(stand_in)) == 3
    assert time.perf_counter() - start < 2

    with open(stand_in / 'requirements.txt', 'a') as file:
        file.write('# changed\n')
    assert setup(stand_in).returncode == 0
    assert len(pip_calls(stand_in)) == 6


def write_wheel(folder, name, version, tag):
    """A wheel of an empty package."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f'{name}-{version}-{tag}.whl', 'w') as file:
        info = f'{name}-{version}.dist-info'
        file.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
        file.writestr(f'{info}/WHEEL', f'Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n')
        file.writestr(f'{info}/RECORD', '')


HERE = f'cp{sys.version_info.major}{sys.version_info.minor}'


@pytest.mark.parametrize('version, tag, taken', [
    ('2.3.6', f'{HERE}-none-any', True),
    ('2.3.6', 'cp39-none-any', False),  # of another Python
    ('2.3.5', f'{HERE}-none-any', False),
])
def test_a_wheel_of_mmcv_is_taken_without_a_compiler(stand_in, bare_path, tmp_path, version, tag, taken):
    """pip itself looks for it; without a wheel that fits the compiler is asked for before anything is installed."""
    write_wheel(tmp_path / 'wheels', 'onedl_mmcv', version, tag)
    done = setup(stand_in, PATH=bare_path, CXX='c++', PIP_FIND_LINKS=tmp_path / 'wheels')
    line = f"mmcv's ops are taken from PIP_FIND_LINKS, not compiled: onedl_mmcv-2.3.6-{tag}.whl"
    assert (line in done.stdout) == taken == (done.returncode == 0), done.stderr
    assert '9 min on 2 cores' not in done.stdout
    if taken:
        assert len(pip_calls(stand_in)) == 3
    else:
        assert 'PIP_FIND_LINKS has no wheel of onedl-mmcv==2.3.6 for Python 3.' in done.stdout
        assert 'no C++ compiler' in done.stderr
        assert not (stand_in / '.venv/pip.calls').exists()


def test_the_time_of_compiling_is_said_beforehand(stand_in):
    done = setup(stand_in, MAX_JOBS=3)
    assert done.stdout.index('9 min on 2 cores (here: MAX_JOBS=3)') < done.stdout.index('step 1')


def test_lost_ops_are_noticed_in_spite_of_the_stamp(stand_in):
    setup(stand_in)
    (stand_in / '.venv/lib/python3.11/site-packages/mmcv/_ext.so').unlink()
    assert 'is up to date' not in setup(stand_in).stdout


def test_mmcv_without_ops_is_compiled_anew(stand_in):
    (stand_in / '.venv/bad_ops').write_text('1')
    done = setup(stand_in)
    assert done.returncode == 0, done.stderr
    removal, mend = pip_calls(stand_in)[3:]
    assert removal == '-m pip cache remove onedl_mmcv'
    for option in ('--no-build-isolation', '--no-cache-dir', '--force-reinstall', '--no-deps', 'onedl-mmcv==2.3.6'):
        assert option in mend.split()
    assert (stand_in / '.venv/setup.stamp').exists()


def test_ops_that_cannot_be_mended_fail_loudly(stand_in):
    (stand_in / '.venv/bad_ops').write_text('2')
    done = setup(stand_in)
    assert done.returncode == 1
    assert 'mmcv has no working ops even after it was compiled anew' in done.stderr
    assert len(pip_calls(stand_in)) == 5
    assert not (stand_in / '.venv/setup.stamp').exists()


@pytest.mark.parametrize('call_that_fails', ['requirements-build.txt', 'requirements-dev.txt', '--no-deps'])
def test_failing_pip_leaves_no_stamp_and_shows_the_log(stand_in, call_that_fails):
    setup(stand_in)
    assert (stand_in / '.venv/setup.stamp').exists()
    (stand_in / 'requirements.txt').write_text('# changed\n')
    (stand_in / '.venv/pip.fails').write_text(call_that_fails)
    done = setup(stand_in)
    assert done.returncode == 1
    assert 'error: refused' in done.stderr and 'could not be installed' in done.stderr
    assert not (stand_in / '.venv/setup.stamp').exists()


def test_interrupt_ends_pip_and_the_next_run_goes_on(stand_in):
    (stand_in / '.venv/pip.hangs').touch()
    process = subprocess.Popen(['bash', stand_in / 'tools/setup.sh'], env=environment(), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child = stand_in / '.venv/pip.child'
    deadline = time.monotonic() + 20
    while not (child.exists() and child.read_text().strip()):
        assert time.monotonic() < deadline, 'pip was not started'
        time.sleep(.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1 and 'interrupted' in errors
    assert not (stand_in / '.venv/setup.stamp').exists()
    deadline = time.monotonic() + 10
    while alive(int(child.read_text())):
        assert time.monotonic() < deadline, "pip's child outlived the set-up"
        time.sleep(.05)
    (stand_in / '.venv/pip.hangs').unlink()
    assert setup(stand_in).returncode == 0


def alive(pid):
    """A process that runs; one that has ended and waits for its parent does not count."""
    state = subprocess.run(['ps', '-o', 'stat=', '-p', str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith('Z')
