"""Every public function of the package and the tools has types: of its arguments and of its result."""
import ast

from helpers.tiny_run import ROOT


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


def test_public_functions_have_types():
    files = [*(ROOT / 'imtnas_mm').rglob('*.py'), *(ROOT / 'tools').glob('*.py')]
    assert len(files) > 200
    assert [f'{path.relative_to(ROOT)}:{line} {name}' for path in files
            for line, name in untyped(ast.parse(path.read_text()))] == []


def test_a_missing_type_is_found():
    text = ('def a(x: int, *y) -> int: ...\ndef b(x: int): ...\ndef c(x: int) -> int: ...\n'
            'class _D:\n    def e(x): ...\n')
    assert [name for _, name in untyped(ast.parse(text))] == ['a', 'b']
