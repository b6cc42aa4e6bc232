"""Every public function of the package and the tools has types: of its arguments and of its result.

Public classes are what passes between the folders: none of their attributes, arguments and results is ``Any`` but for
a few with a reason.
"""
import ast

from helpers.tiny_run import ROOT

WITHOUT_TYPE = {
    'the libraries declare no types of the attributes that are read': [
        'AnchorLoss.__init__(head)', 'Normalisation.__init__(preprocessor)', 'TIMMPyramid.timm_model',
        'Task.data_preprocessor', 'Task.template'],
    'what the libraries take here differs, and their types are wrong or private': [
        'EpochBatches.__init__(batches)', 'LocalCIFAR.CLASSES', 'ResumableLoop.dataloader',
        'RetrainLoop.run_iter(batch)', 'SearchRunner.build_param_scheduler(scheduler)'],
    'an example, or the index of one, as the dataset and its sampler make them': [
        'BuiltDataset.__getitem__', 'Position.index', 'SeededDataset.__getitem__',
        'SeededDataset.__getitem__(position)'],
    'tensors in any containers': ['CudaGraph.__call__', 'Recordings.__call__(data)'],
    'a job of submitit, which is optional': ['Cluster.current', 'Cluster.submit', 'RunJob.checkpoint'],
    'a value of a config': ['SearchFolder.setting'],
}


def untyped(node, public=True):
    """(line, name) of the public functions in a body without a type somewhere; those of private classes aren't public.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from untyped(child, not child.name.startswith('_'))
        elif isinstance(child, ast.FunctionDef) and public and (
                not child.name.startswith('_') or child.name == '__init__'):
            signature = child.args
            arguments = [*signature.posonlyargs, *signature.args, *signature.kwonlyargs]
            arguments += [argument for argument in (signature.vararg, signature.kwarg) if argument]
            missing = [argument.arg for argument in arguments
                       if argument.annotation is None and argument.arg not in ('self', 'cls')]
            if missing or child.returns is None:
                yield child.lineno, child.name


def is_any(annotation):
    return isinstance(annotation, ast.Name) and annotation.id == 'Any'


def any_in_classes(body, path=''):
    """Attributes, arguments and results of public classes that are ``Any``, as ``Class.method(argument)``."""
    for child in body:
        if isinstance(child, ast.ClassDef) and not child.name.startswith('_'):
            yield from any_in_classes(child.body, f'{path}{child.name}.')
        elif path and isinstance(child, ast.AnnAssign) and is_any(child.annotation):
            yield path + ast.unparse(child.target)
        elif path and isinstance(child, ast.FunctionDef) and (
                not child.name.startswith('_') or child.name in ('__init__', '__call__', '__getitem__')):
            signature = child.args
            yield from (f'{path}{child.name}({argument.arg})' for argument in (
                *signature.posonlyargs, *signature.args, *signature.kwonlyargs) if is_any(argument.annotation))
            if is_any(child.returns):
                yield path + child.name


def test_public_functions_have_types():
    files = [*(ROOT / 'imtnas_mm').rglob('*.py'), *(ROOT / 'tools').glob('*.py')]
    assert len(files) > 200
    assert [f'{path.relative_to(ROOT)}:{line} {name}' for path in files
            for line, name in untyped(ast.parse(path.read_text()))] == []


def test_a_missing_type_is_found():
    text = ('def a(x: int, *y) -> int: ...\ndef b(x: int): ...\ndef c(x: int) -> int: ...\n'
            'class _D:\n    def e(x): ...\n')
    assert [name for _, name in untyped(ast.parse(text))] == ['a', 'b']


def test_public_classes_have_real_types():
    found = [name for path in (ROOT / 'imtnas_mm').rglob('*.py')
             for name in any_in_classes(ast.parse(path.read_text()).body)]
    assert sorted(found) == sorted(name for names in WITHOUT_TYPE.values() for name in names)


def test_any_in_a_class_is_found():
    text = ('def a(x: Any) -> Any: ...\nclass B:\n    c: Any\n    d: list[Any]\n'
            '    def e(self, x: Any, *y: Any) -> Any: ...\n    def _f(self, x: Any): ...\nclass _G:\n    h: Any\n')
    assert list(any_in_classes(ast.parse(text).body)) == ['B.c', 'B.e(x)', 'B.e']
