"""docker/: the images hold what the set-up pins and reads. No image is built here."""
import importlib.metadata
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETUP = (ROOT / 'tools/setup.sh').read_text()
FILES = ('Dockerfile', 'Dockerfile.cuda')


def instructions(name):
    """[(instruction, its text)] of a file of docker/, with defaults of the arguments before FROM in place."""
    text = re.sub(r'^#.*\n', '', (ROOT / 'docker' / name).read_text(), flags=re.M).replace('\\\n', ' ')
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    defaults = dict(rest.split('=', 1) for word, rest in lines if word == 'ARG' and '=' in rest)
    return [(word, re.sub(r'\$\{(\w+)\}', lambda match: defaults.get(match[1], match[0]), rest) if word == 'FROM' else
             rest) for word, rest in lines]


def copied_before_setup(name):
    """[(source, folder)] of the files that are there when the set-up runs."""
    copies = []
    for word, rest in instructions(name):
        if word == 'RUN' and 'tools/setup.sh' in rest:
            return copies
        if word == 'COPY':
            *patterns, folder = rest.split()
            sources = [sorted(ROOT.glob(pattern)) for pattern in patterns]
            assert all(sources), f'{name}: COPY {rest}: a file is missing'
            copies += [(source, folder) for group in sources for source in group]
    raise AssertionError(f'{name} runs no set-up')


@pytest.mark.parametrize('name', FILES)
def test_the_packages_are_those_of_the_set_up(name):
    """By the requirement files alone; the set-up installs all of them, and the package, from what is copied."""
    text = (ROOT / 'docker' / name).read_text()
    assert not re.search(r'pip3? install|[a-z]==', text)
    names = {source.name for source, _ in copied_before_setup(name)}
    read = set(re.findall(r'requirements[-\w]*\.txt', SETUP))
    assert {'requirements.txt', 'requirements-build.txt', 'requirements-dev.txt'} <= read <= names


@pytest.mark.parametrize('name', FILES)
def test_python_and_system_packages(name):
    lines = instructions(name)
    run = next(rest for word, rest in lines if word == 'RUN')
    command = run.partition('apt-get install')[2].partition('&&')[0]
    packages = {word.removesuffix('t64') for word in shlex.split(command)}
    assert {'g++', 'libgl1', 'libglib2.0-0'} <= packages  # as setup.sh asks for them
    assert 'apt-get install libgl1 libglib2.0-0' in SETUP and 'apt-get install g++' in SETUP
    image = next(rest for word, rest in lines if word == 'FROM')
    if name == 'Dockerfile':
        python = re.fullmatch(r'python:(3\.\d+)-slim-bookworm', image)[1]
    else:  # that of Ubuntu 24.04
        assert image.endswith('-ubuntu24.04') and {'python3.12-dev', 'python3.12-venv'} <= packages
        python = '3.12'
    low, high = re.fullmatch(r'>=3\.(\d+),<3\.(\d+)', tomllib.loads(
        (ROOT / 'pyproject.toml').read_text())['project']['requires-python']).groups()
    assert int(low) <= int(python[2:]) < int(high)


def test_cuda_is_that_of_the_pinned_torch():
    """mmcv's operators are compiled by the image's nvcc, and PyTorch refuses another major version than its own."""
    pinned = re.search(r'^torch==(\S+)', (ROOT / 'requirements-build.txt').read_text(), re.M)[1]
    assert importlib.metadata.version('torch').partition('+')[0] == pinned
    toolkit = [match[1] for line in importlib.metadata.requires('torch')
               if (match := re.match(r'cuda-toolkit.*==(\d+\.\d+)', line))]
    if not toolkit:
        pytest.skip('this PyTorch is one for the CPU, which names no CUDA')
    image = next(rest for word, rest in instructions('Dockerfile.cuda') if word == 'FROM')
    assert image.startswith(f'nvidia/cuda:{toolkit[0]}.') and '-devel-' in image


def test_the_package_installs_from_what_is_copied(tmp_path):
    """The set-up's last step, an editable installation, is before the sources are there."""
    for source, folder in copied_before_setup('Dockerfile'):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tmp_path / folder)
    code = ("from setuptools.build_meta import build_editable; import zipfile; "
            "print(*zipfile.ZipFile(build_editable('.')).namelist())")
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and 'entry_points.txt' in done.stdout, done.stderr
    assert copied_before_setup('Dockerfile') == copied_before_setup('Dockerfile.cuda')


def test_nothing_large_or_private_goes_into_an_image():
    ignored = (ROOT / '.dockerignore').read_text().split()
    assert {'.git', '.venv', 'data', 'work_dirs'} <= set(ignored)
    needed = {source.relative_to(ROOT).parts[0] for source, _ in copied_before_setup('Dockerfile')}
    assert not needed & set(ignored)
