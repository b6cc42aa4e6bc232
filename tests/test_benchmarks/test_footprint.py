"""Memory counted without computing is what a search that computes holds."""
import functools
import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / 'benchmarks'))
import footprint  # noqa: E402
import paper_searches  # noqa: E402

paper_searches.imports()


@functools.cache
def peak(name, mode, recompute, fake=True):
    cfg = paper_searches.tiny(name)
    return footprint.peak(cfg, mode, paper_searches.Data(cfg, small=True), fake=fake, recompute=recompute).peak


def test_what_is_held():
    counter = footprint.memory_counter()
    with counter:
        x = torch.zeros(1000)
        y = x.view(10, 100)
        z = y + 1
        del x
        assert counter.held == 8000  # the view holds the memory
        del y, z
    assert counter.held == 0
    assert counter.peak == 8000


@pytest.mark.slow
@pytest.mark.parametrize('search', [('darts', 'first_order', 'views'), ('cls_det', 'first_order', 'none')])
def test_counted_as_computed(search):
    assert peak(*search) == pytest.approx(peak(*search, fake=False), rel=.01)


@pytest.mark.slow
def test_recomputing_takes_less():
    assert peak('darts', 'first_order', 'views') < .8 * peak('darts', 'first_order', 'none')


@pytest.mark.slow
def test_the_command(tmp_path, capsys):
    out = tmp_path / 'figures.json'
    footprint.main(['--small', '--only', 'darts_first_order', '--recompute', 'views', '--out', str(out)])
    assert json.loads(out.read_text()).keys() == {'darts_first_order_gib_views'}
    assert capsys.readouterr().out.startswith('darts_first_order_gib_views ')


def test_the_widest_paths():
    cfg = paper_searches.config('cls_det', small=True)
    model = paper_searches.build(cfg, 'exact', rounds=1)
    model.start_iteration(0)
    footprint.take_widest(model)
    for layer in model.space.searched:
        gates = model.gates.on_host[f'gates.{layer.name}']
        assert {layer.choices[i] for i in gates.nonzero()[0]} == {'mbconv_5x5_e6', 'mbconv_7x7_e6'}
