"""The names of choices fit A of every registered space, and the charts of a choice show its weights."""
from pathlib import Path

import pytest

from imtnas_mm.architecture import Architecture
from imtnas_mm.genotype import plain
from imtnas_mm.registry import MODELS
from imtnas_mm.search_report.choices import choice_names, sharpening_choices
from imtnas_mm.search_report.work_dir import SearchFolder, read_search

SPACES = {
    'MBConvSupernet': dict(width_mult=.1), 'NASBench201Supernet': dict(channels=4, cells=1),
    **{name: dict(channels=8, layers=3) for name in ('DARTSSupernet', 'PDARTSSupernet', 'PCDARTSSupernet',
                                                     'PRDARTSSupernet')}}


@pytest.mark.parametrize('name', SPACES)
def test_names_fit_the_rows(name):
    space = MODELS.build(dict(type=f'imtnas_mm.{name}', **SPACES[name]))
    genotype = space.derive(Architecture(space.alpha_shapes(), init_std=1.).named_alphas())
    names = choice_names(genotype)
    assert {group: (len(rows), {len(row.options) for row in rows}) for group, rows in names.items()} == {
        group: ((1, *shape)[-2], {shape[-1]}) for group, shape in space.alpha_shapes().items()}
    flat = [row.name for rows in names.values() for row in rows]
    assert len(flat) == len(set(flat))
    choices = sharpening_choices(SearchFolder(Path(), genotype=genotype, history=[
        dict(iteration=0, importance=plain(genotype.importance))]))
    assert [choice.name for choice in choices] == [row.name for group in genotype.importance for row in names[group]
                                                   if len(row.options) > 1]
    if name == 'MBConvSupernet':  # its summary names the blocks that the charts find the largest
        layers = [choice.best for choice in choices]
        assert [label.replace('×', 'x').split()[-1] for label in layers] == [
            layer.split('_')[1] if '_' in layer else layer for layer in genotype.architecture['layers']]


def test_weights_over_time(folder):
    search = read_search(folder)
    choices = sharpening_choices(search)
    assert [choice.name for choice in choices] == ['0 to 1', '0 to 2', '1 to 2', '0 to 3', '1 to 3', '2 to 3']
    last = search.history[-1]['importance']['cell']
    for choice, row in zip(choices, last, strict=True):
        assert list(choice.last.values()) == row and choice.last[choice.best] == max(row) and choice.sums
        assert [curve.points[-1] for curve in choice.relative] == [(12, 5 * weight) for weight in row]


def test_dropped_options_and_single_ones_do_not_count():
    history = [dict(iteration=i, importance=dict(a=[.5, .5 - .1 * i, 0., .1 * i], b=[1.], c=[[.9, .8], [.5, .5]]))
               for i in range(3)]
    a, first, second = sharpening_choices(SearchFolder(Path(), history=history))
    assert list(a.last) == ['option 1', 'option 2', 'option 4'] and a.name == 'a'
    assert (first.name, first.sums, second.name, second.sums) == ('c 1', False, 'c 2', True)
    assert first.relative == first.curves and second.relative != second.curves
