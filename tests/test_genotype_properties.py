"""Properties of all architecture files, on genotypes drawn by hypothesis."""
import copy
import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.genotypes import MBCONV, OWN_LAYOUT, SPACE_NAMES, genotypes
from imtnas_mm.genotype import GenotypeError, genotype_from_dict, load_genotype, resolve_genotype, save_genotype
from imtnas_mm.networks.build import build_network
from imtnas_mm.registry import MODELS

SPACES = {
    **{space: dict(type='MBConvSupernet', layout=space, width_mult=.1)
       for space in ('fairnas19', 'proxyless21', 'nasbench_macro')},
    'mbconv': dict(type='MBConvSupernet', layout=OWN_LAYOUT.to_dict()),
    **{space: dict(type=f'{name}Supernet', channels=8, layers=3)
       for space, name in dict(darts='DARTS', pdarts='PDARTS', pcdarts='PCDARTS', prdarts='PRDARTS').items()},
    'nasbench201': dict(type='NASBench201Supernet', channels=4, cells=1),
}


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    return tmp_path_factory.mktemp('architectures') / 'a.json'


@given(genotype=genotypes())
@settings(max_examples=60)
def test_round_trip(path, genotype):
    save_genotype(genotype, path)
    assert load_genotype(path) == genotype == genotype_from_dict(genotype.to_dict()) == resolve_genotype(genotype)
    text = path.read_text()
    save_genotype(load_genotype(path), path)
    assert path.read_text() == text


@pytest.mark.parametrize('space', SPACE_NAMES)
def test_networks_of_the_file_and_of_the_genotype_are_the_same(path, space):
    options = dict(width_mult=.1) if space in MBCONV else dict(channels=4, cells=1) if space == 'nasbench201' else \
        dict(channels=4, layers=3)

    @given(genotype=genotypes((space, )))
    @settings(max_examples=3)
    def check(genotype):
        genotype = replace(genotype, sharing=None)  # of several networks
        save_genotype(genotype, path)
        states = []
        for same in (genotype, load_genotype(path)):
            torch.manual_seed(0)
            states.append(build_network(same, **options).state_dict())
        assert list(states[0]) == list(states[1])
        assert all(torch.equal(one, other) for one, other in zip(*(s.values() for s in states), strict=True))

    check()


@pytest.mark.parametrize('space', SPACE_NAMES)
def test_what_any_alphas_derive_is_valid(path, space):
    supernet = MODELS.build(dict(SPACES[space], type=f'imtnas_mm.{SPACES[space]["type"]}'))

    @given(seed=st.integers(0, 10**6), scale=st.sampled_from([0, 1e-3, 1, 30]))
    @settings(max_examples=8)
    def check(seed, scale):
        generator = torch.Generator().manual_seed(seed)
        genotype = supernet.derive(
            {name: scale * torch.randn(shape, generator=generator) for name, shape in supernet.alpha_shapes().items()})
        assert genotype.space == space
        save_genotype(genotype, path)
        assert load_genotype(path) == genotype

    check()


WRONG = (None, True, -1, 1.5, 10**400, float('nan'), float('inf'), '', 'none', 'x' * 1000, [], [None], {}, dict(a=1))


def places(value, prefix=()):
    """The paths of all that an architecture file holds, its own first."""
    actual = [prefix]
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        actual += places(entry, (*prefix, key))
    return actual


@st.composite
def mutated(draw):
    """(a genotype's file with one thing wrong, the name of the field that is wrong)."""
    data = json.loads(json.dumps(draw(genotypes()).to_dict()))
    path = draw(st.sampled_from([path for path in places(data) if path and path[0] != 'source']))
    holder = data
    for key in path[:-1]:
        holder = holder[key]
    old = copy.deepcopy(holder[path[-1]])
    kind = draw(st.sampled_from(['value', 'missing', 'extra']))
    of_layout = path[2] if path[:2] == ('architecture', 'layout') and len(path) == 3 else None
    # any number of cells may be searched, and any number of edges be on; a layout has defaults
    edges = data.get('sharing', {}).get('edges')
    unconnected = path[:2] == ('sharing', 'tasks') and len(path) == 3 and edges is not None and not any(
        old in (edge[0], edge[2]) for edge in edges)
    optional = unconnected or path in (('importance', ), ('sharing', )) or path[:2] == ('sharing', 'blocks') or (
        path[:2] == ('sharing', 'edges') and len(path) == 3) or of_layout not in (
            None, 'name', 'widths', 'depths', 'strides')
    if kind == 'missing' and not optional:
        del holder[path[-1]]
    elif kind == 'extra' and isinstance(old, dict):
        holder[path[-1]]['unknown'] = 1
    elif kind == 'extra' and isinstance(old, list) and old:
        holder[path[-1]].append(old[-1])
    else:
        names_a_task = path[:2] == ('sharing', 'tasks') and len(path) == 3  # which any text may
        wrong = [value for value in WRONG if value != old and not (names_a_task and value and isinstance(value, str))
                 and not (path == ('sharing', 'edges') and value == [])
                 and not (of_layout == 'name' and value and isinstance(value, str))
                 and not (of_layout in ('first_width', 'last_width') and value is None)
                 and not (of_layout == 'identity' and value == 'none')]
        holder[path[-1]] = draw(st.sampled_from(wrong))
    return data, next(str(key) for key in path if isinstance(key, str))


@given(wrong=mutated())
@settings(max_examples=200)
def test_a_mutated_file_is_refused_by_file_and_field(path, wrong):
    data, field = wrong
    path.write_text(json.dumps(data))
    with pytest.raises(GenotypeError) as error:
        load_genotype(path)
    assert str(error.value).startswith(f'{path}: {field}')
