"""The wheel holds the package, its tools and its configs, and its commands run the tools."""
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from helpers.tiny_run import ROOT
from imtnas_mm import command_line, shipped

SCRIPTS = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['scripts']


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The folder into which a wheel of the checkout is unpacked; the build backend runs without a network."""
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'
    for name in ('imtnas_mm', 'configs', 'tools'):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('pyproject.toml', 'setup.py', 'MANIFEST.in', 'model-index.yml', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, source)
    code = "from setuptools.build_meta import build_wheel; build_wheel('.')"
    subprocess.run([sys.executable, '-c', code], cwd=source, check=True, capture_output=True)
    file, = source.glob('*.whl')
    zipfile.ZipFile(file).extractall(folder / 'installed')
    return folder / 'installed'


def files_below(folder, pattern):
    return {str(path.relative_to(folder)) for path in Path(folder).rglob(pattern)}


def test_the_wheel_has_package_tools_and_configs(wheel):
    mim = wheel / 'imtnas_mm' / '.mim'
    assert files_below(mim / 'configs', '*.py') == files_below(ROOT / 'configs', '*.py')
    assert files_below(mim, '*.yml') == {'model-index.yml'} | {
        f'configs/{name}' for name in files_below(ROOT / 'configs', '*.yml')}
    assert files_below(ROOT / 'imtnas_mm', '*.py') == files_below(wheel / 'imtnas_mm', '*.py') - {
        str(path.relative_to(wheel / 'imtnas_mm')) for path in mim.rglob('*.py')}
    assert {f'{name}.py' for name in tools_of_scripts()} <= files_below(mim / 'tools', '*.py')
    assert 'dist_train.sh' in files_below(mim / 'tools', '*.sh') and not (mim / 'tools' / 'setup.sh').exists()
    scripts, = wheel.glob('*.dist-info/entry_points.txt')
    for name, target in SCRIPTS.items():
        assert f'{name} = {target}' in scripts.read_text()


def tools_of_scripts():
    return [target.partition(':')[2] for target in SCRIPTS.values() if not target.endswith(':configs')]


def test_the_commands_of_the_wheel_run_outside_the_checkout(wheel, tmp_path):
    def run(code):
        return subprocess.run([sys.executable, '-S', '-c', code], cwd=tmp_path, capture_output=True, text=True,
                              env={**os.environ, 'PYTHONPATH': str(wheel)})

    done = run("import sys; from imtnas_mm.command_line import configs, train; configs(); "
               "sys.argv[1:] = ['none.py']; train()")
    assert done.returncode == 1 and done.stdout.strip() == str(wheel / 'imtnas_mm' / '.mim' / 'configs')
    assert done.stderr.strip() == "config: 'none.py' is not a file"


@pytest.mark.parametrize('name', sorted(SCRIPTS))
def test_each_command_runs_its_tool(name, monkeypatch, capsys):
    function = getattr(command_line, SCRIPTS[name].partition(':')[2])
    monkeypatch.setattr(sys, 'argv', [name, '--help'])
    if name == 'imtnas-configs':
        function()
        assert capsys.readouterr().out.strip() == str(ROOT / 'configs')
        return
    with pytest.raises(SystemExit) as stopped:
        function()
    out = capsys.readouterr().out
    assert stopped.value.code == 0 and out.startswith(f'usage: {function.__name__}.py')


def test_a_folder_that_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, 'PACKAGE', tmp_path / 'imtnas_mm')
    with pytest.raises(FileNotFoundError, match='tools: neither .*/.mim/tools nor .*/tools is a folder'):
        shipped.shipped_folder('tools')
