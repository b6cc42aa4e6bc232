"""The chain knows nothing of searches: it imports PyTorch alone."""
import ast
import subprocess
import sys
from pathlib import Path

import imtnas_mm.chain

FOLDER = Path(imtnas_mm.chain.__file__).parent


def test_it_imports_nothing_of_a_search():
    names = set()
    for path in FOLDER.glob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level != 1:
                names.add(node.module.split('.')[0])
            elif isinstance(node, ast.Import):
                names.update(alias.name.split('.')[0] for alias in node.names)
    assert names <= {'torch', 'abc', 'collections', 'dataclasses', 'typing'}


def test_it_loads_no_library_but_pytorch():
    code = 'import imtnas_mm.chain, sys; print({name.split(".")[0] for name in sys.modules})'
    loaded = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
    assert 'torch' in loaded
    assert not [name for name in ('mmengine', 'mmcv', 'mmdet', 'mmpretrain') if f"'{name}'" in loaded]
