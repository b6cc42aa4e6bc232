"""The chain knows nothing of searches: it imports PyTorch and one helper of the package."""
import ast
from pathlib import Path

import imtnas_mm.chain

FOLDER = Path(imtnas_mm.chain.__file__).parent
OUTSIDE = {'transport'}  # tensors of a structure


def test_it_imports_nothing_of_a_search():
    names = set()
    for path in FOLDER.glob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level != 1:
                names.add(node.module.split('.')[0])
            elif isinstance(node, ast.Import):
                names.update(alias.name.split('.')[0] for alias in node.names)
    assert names <= {'torch', 'abc', 'collections', 'dataclasses', 'typing'} | OUTSIDE
