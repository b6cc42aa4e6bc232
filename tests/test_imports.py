"""Imports run one way: those at the top of files make no circle of modules or folders, and no function imports."""
import ast
from os.path import commonprefix
from pathlib import Path

import imtnas_mm

PACKAGE = Path(imtnas_mm.__file__).parent
OPTIONAL = {'onnxruntime', 'onnxscript', 'submitit'}
LATE = {('arguments.py', 'mmengine')}  # tools parse their arguments before mmengine is imported


def modules():
    """Name from the package's root, such as ``('spaces', 'base')`` -> file."""
    return {tuple(path.relative_to(PACKAGE).with_suffix('').parts): path for path in PACKAGE.rglob('*.py')}


def imported(name, node, known):
    """The modules of the package that an import statement of the module ``name`` loads."""
    folder = name[:-1]
    base = folder[:len(folder) - node.level + 1] + tuple((node.module or '').split('.') if node.module else ())
    for alias in node.names:
        for target in (base + (alias.name, ), base + (alias.name, '__init__'), base, base + ('__init__', )):
            if target in known:
                yield target
                break


def graph():
    known = modules()
    edges = {}
    for name, path in known.items():
        tree = ast.parse(path.read_text())
        edges[name] = {target for node in tree.body if isinstance(node, ast.ImportFrom) and node.level
                       for target in imported(name, node, known)}
    return edges


def circle(edges):
    """The nodes of a circle; empty if there is none."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):]
        if node in done:
            return []
        path.append(node)
        for target in sorted(edges.get(node, ())):
            members = visit(target)
            if members:
                return members
        path.pop()
        done.add(node)
        return []

    return next(filter(None, map(visit, sorted(edges))), [])


def test_a_circle_is_found():
    assert circle({'a': {'b'}, 'b': {'c'}, 'c': {'b'}}) == ['b', 'c'] and circle({'a': {'b'}, 'b': set()}) == []


def test_no_circle_of_modules():
    assert circle(graph()) == []


def test_no_circle_of_folders():
    """What stands in one folder, modules and folders alike, imports one way."""
    inside = {}
    for name, targets in graph().items():
        for target in targets:
            shared = len(commonprefix([name[:-1], target[:-1]]))
            first, second = name[:shared + 1], target[:shared + 1]
            if first != second:
                inside.setdefault(name[:shared], {}).setdefault(first, set()).add(second)
    assert ('algorithms', ) in inside and {folder: circle(edges) for folder, edges in inside.items()} == {
        folder: [] for folder in inside}


def test_no_imports_in_functions():
    late = set()
    for path in modules().values():
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.ImportFrom):
                        late.add((path.name, '.' if node.level else node.module.split('.')[0]))
                    elif isinstance(node, ast.Import):
                        late.update((path.name, alias.name.split('.')[0]) for alias in node.names)
    assert {(file, name) for file, name in late if name not in OPTIONAL} == LATE
