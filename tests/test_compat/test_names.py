"""Every undocumented name exists, is recorded in compat, and is used nowhere else."""
import ast
import importlib
import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.model import ImgDataPreprocessor
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.visualization import Visualizer
from mmpretrain.models import ClsDataPreprocessor
from torch.utils.data import DataLoader

from imtnas_mm import compat
from imtnas_mm.compat import operators

OF_INSTANCES = {
    '_channel_conversion': [ImgDataPreprocessor()],
    '_enable_normalize': [ImgDataPreprocessor(), ClsDataPreprocessor()],
    '_iterator': [DataLoader([0])],
    '_forward_cls': [torch.autograd.Function._backward_cls],
    '_modules': [torch.nn.ModuleDict(), torch.nn.ModuleList()],
    '_parameters': [torch.nn.Linear(1, 1)],
    '_vis_backends': [Visualizer()],
    '_metadata': [torch.nn.Linear(1, 1).state_dict()],
}
SET_WHERE_BUILT = (Runner, OptimWrapper, EpochBasedTrainLoop)  # an instance takes much to build
OWN = {'_fields', '_replace', '_value_', '_exit', '_tell_spaces'}  # documented by Python, or a name of this package


@pytest.mark.parametrize('entry', compat.NAMES, ids=lambda entry: entry.name)
def test_names_of_the_libraries_exist(entry):
    owner, _, name = entry.name.rpartition('.')
    place = pydoc.locate(owner)
    if place in SET_WHERE_BUILT:
        assert hasattr(place, name) or f'self.{name} ' in inspect.getsource(place), entry.name
    else:
        for owning in OF_INSTANCES.get(name, [place]):
            assert hasattr(owning, name) or pydoc.locate(entry.name), entry.name
    assert entry.reason and entry.seen


def test_a_version_counts_changes_in_place():
    tensor = torch.zeros(4)
    before = tensor._version
    tensor[1:][0] = 1
    assert tensor._version > before


@pytest.mark.parametrize('entry', compat.OPERATORS.values(), ids=lambda entry: entry.name)
def test_operators_are_those_of_torch(entry):
    assert getattr(compat, entry.name) is getattr(torch.ops.aten, entry.name)
    assert entry.reason and entry.seen


@pytest.mark.parametrize('entry', [
    compat.Private('mm', '(self, other) -> 1', ''),
    compat.Private('mm', '(self, mat2) -> 2', ''),
    compat.Private('no_such_operator', '(self) -> 1', ''),
], ids=str)
def test_an_operator_of_another_torch_is_refused(entry, monkeypatch):
    monkeypatch.setitem(compat.OPERATORS, entry.name, entry)
    with pytest.raises(ImportError, match=rf'aten::{entry.name} is .* was written for {re.escape(entry.signature)}'):
        operators._operator(entry.name)


PACKAGE = Path(compat.__file__).parents[1]
FILES = [file for file in sorted(PACKAGE.rglob('*.py')) if 'compat' not in file.relative_to(PACKAGE).parts]


def test_no_other_file_names_operators():
    assert len(FILES) > 100
    assert [str(file) for file in FILES if re.search(r'\btorch\.(ops|_C)\b', file.read_text())] == []


def private_names(tree):
    """Names with an underscore that code reads from or sets on what is not its own, or imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.match('_[^_]', node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in ('self', 'cls')):
                yield node.attr
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (part for part in (node.module or '').split('.') if re.match('_[^_]', part))
            yield from (alias.name for alias in node.names if re.match('_[^_]', alias.name))


MADE_BY_METACLASSES = {'_abc_impl', '_backward_cls', '_is_protocol'}


def source(cls):
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):  # of C, or made by a decorator
        return ''


def of_libraries(cls):
    """The names with an underscore that the bases of a class from outside the package have or set."""
    names = set()
    for base in cls.__mro__:
        if base.__module__.split('.')[0] in ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain'):
            names |= set(vars(base)) | set(re.findall(r'self\.(_[a-zA-Z]\w*)', source(base)))
    return {name for name in names if re.match('_[^_]', name)} - MADE_BY_METACLASSES


def test_private_names_of_base_classes_have_an_entry():
    """Those that a class of the package reads, sets or overrides."""
    known = {entry.name.rpartition('.')[2] for entry in compat.NAMES} | OWN
    missing, classes = set(), 0
    for file in FILES:
        module = importlib.import_module('.'.join(
            ('imtnas_mm', *file.relative_to(PACKAGE).with_suffix('').parts)).removesuffix('.__init__'))
        for cls in vars(module).values():
            if inspect.isclass(cls) and cls.__module__ == module.__name__ and (theirs := of_libraries(cls)):
                classes += 1
                used = set(vars(cls)) | set(re.findall(r'self\.(_[a-zA-Z]\w*)', source(cls)))
                missing |= {(cls.__name__, name) for name in used & theirs - known}
    assert classes > 50
    assert sorted(missing) == []


def test_private_names_have_an_entry():
    known = {entry.name.rpartition('.')[2] for entry in compat.NAMES} | OWN
    used = {(name, file.name) for file in FILES for name in private_names(ast.parse(file.read_text()))}
    assert {(name, file) for name, file in used if name not in known} == set()


@pytest.mark.parametrize('word', ['unittest', 'redirect_stdout', 'redirect_stderr'])
def test_nothing_else_patches_or_silences(word):
    assert [str(file) for file in FILES if word in file.read_text()] == []


def test_importing_changes_no_loader():
    script = ('import mmdet.models, mmpretrain.models\n'
              'from mmengine.runner import CheckpointLoader, checkpoint\n'
              'before = dict(CheckpointLoader._schemes), checkpoint.get_torch_safe_globals\n'
              'import imtnas_mm.engine, imtnas_mm.algorithms, imtnas_mm.compat as compat\n'
              'assert (dict(CheckpointLoader._schemes), checkpoint.get_torch_safe_globals) == before\n'
              'compat.install()\n'
              'after = dict(CheckpointLoader._schemes)\n'
              'compat.install()\n'
              'assert all(loader.is_safe for loader in after.values()) and after == CheckpointLoader._schemes')
    subprocess.run([sys.executable, '-c', script], check=True)
