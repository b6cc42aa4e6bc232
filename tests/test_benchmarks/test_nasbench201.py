"""The benchmark of searches on NAS-Bench-201 times both supernets, with a transfer that passes something."""
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / 'benchmarks'))
import nasbench201  # noqa: E402


@pytest.mark.slow
def test_the_command(tmp_path):
    out = tmp_path / 'figures.json'
    nasbench201.main(['--repeats', '1', '--out', str(out)])
    figures = json.loads(out.read_text())
    assert figures.keys() == {f'{method}_{figure}' for method in ('mtl_sao', 'imtnas')
                              for figure in ('seconds', 'over_plain')} | {'imtnas_active'}
    assert all(value > 0 for value in figures.values())
