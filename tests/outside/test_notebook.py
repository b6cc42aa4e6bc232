"""examples/demo.ipynb: it holds no outputs, and its cells run."""
import json

import matplotlib.pyplot as plt
import pytest

from helpers.scopes import own_scope
from helpers.tiny_run import ROOT

NOTEBOOK = json.loads((ROOT / 'examples' / 'demo.ipynb').read_text(encoding='utf-8'))
CELLS = [cell for cell in NOTEBOOK['cells'] if cell['cell_type'] == 'code']


def test_it_is_stripped():
    assert NOTEBOOK['nbformat'] == 4 and len({cell['id'] for cell in NOTEBOOK['cells']}) == len(NOTEBOOK['cells'])
    assert all(cell['outputs'] == [] and cell['execution_count'] is None for cell in CELLS)
    assert [cell['metadata'].get('tags') for cell in CELLS].count(['parameters']) == 1


def test_its_cells_run(tmp_path, monkeypatch, capsys):
    """In this process, at a tiny size: the values of its cell ``parameters`` are replaced."""
    monkeypatch.chdir(tmp_path)  # is put back after the notebook's own
    monkeypatch.setattr(plt, 'show', lambda: plt.close('all'))
    names = {}
    with own_scope():
        for number, cell in enumerate(CELLS):
            exec(compile(''.join(cell['source']), f'demo.ipynb, code cell {number + 1}', 'exec'), names)
            if cell['metadata'].get('tags') == ['parameters']:
                assert names['FOLDER'] == ROOT
                names.update(FOLDER=tmp_path, EPOCHS=2, ITERATIONS=2, STEPS=2)
    assert {'config.py', 'architecture.json', 'epoch_2.pth', 'report.html'} <= {
        path.name.replace('imtnas_digits', 'config') for path in (tmp_path / 'work_dirs' / 'notebook').iterdir()}
    printed = capsys.readouterr().out
    assert names['found'].genotype.summary() in printed and '[(1, 32, 4, 4), (1, 64, 2, 2)]' in printed
    assert '7 choices' in printed and 'held-out digits' in printed
    assert names['history'][0]['iteration'] == 0 and names['history'][-1]['iteration'] == 4
    assert names['loss'].item() == pytest.approx(2.3, abs=.7) and not plt.get_fignums()
