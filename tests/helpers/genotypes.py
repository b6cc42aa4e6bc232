"""A Hypothesis strategy for valid genotypes of all spaces, with all fields of an architecture file."""
from hypothesis import strategies as st

from imtnas_mm.genotype import Genotype
from imtnas_mm.networks.fusion_edges import fusion_edges
from imtnas_mm.spaces.cells.layout import CELLS, EDGES, NODES, NONE, OPERATIONS, STAGES
from imtnas_mm.spaces.mbconv.layout import LAYOUTS, Candidate, Layout, mbconv_blocks, searched_layers
from imtnas_mm.spaces.nasbench201 import layout as nasbench201

SPACE_NAMES = ('fairnas19', 'proxyless21', 'nasbench_macro', 'mbconv', 'darts', 'pdarts', 'pcdarts', 'prdarts',
               'nasbench201')
OWN_LAYOUT = Layout(  # of the space mbconv, whose files record it
    'own', widths=(8, 16), depths=(2, 3), strides=(1, 2), candidates=(Candidate(3, 1), Candidate(5, 4)),
    identity='projection', stem_width=8, first_width=None, last_width=24, activation='SiLU')
MBCONV = {**LAYOUTS, 'mbconv': OWN_LAYOUT}  # by space
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-10**30, 10**30)
sources = st.dictionaries(st.text(max_size=8), st.text(max_size=8) | numbers, max_size=3)
tasks = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4, unique=True)


def probabilities(rng, size, sums=True):
    """A row of that size from 0 to 1, one-hot now and then, which sums to 1 where ``sums``."""
    if rng.random() < .2:
        return [float(i == size // 2) for i in range(size)]
    row = [rng.random() for _ in range(size)]
    return [x / sum(row) for x in row] if sums else row


def importance_of(rng, space):
    if space in MBCONV:
        return {layer.name: probabilities(rng, len(layer.choices)) for layer in searched_layers(MBCONV[space])}
    if space == 'nasbench201':
        return dict(cell=[probabilities(rng, 5) for _ in nasbench201.EDGES])
    groups = {cell: [probabilities(rng, len(OPERATIONS), space != 'prdarts') for _ in EDGES] for cell in CELLS}
    if space == 'pcdarts':
        groups.update({f'{cell}_edges{i}': probabilities(rng, i + 2) for cell in CELLS for i in range(NODES)})
    return groups


def nodes_of(rng, space):
    operations = [operation for operation in OPERATIONS if operation != NONE]
    nodes = []
    for node in range(NODES):
        if space == 'prdarts':  # there, two operations of one state are legal
            pairs = rng.sample([(operation, state) for operation in operations for state in range(node + 2)], 2)
        else:
            pairs = [(rng.choice(operations), state) for state in rng.sample(range(node + 2), 2)]
        nodes.append([list(pair) for pair in pairs])
    return nodes


@st.composite
def branchings(draw, space):
    rng, names = draw(st.randoms(use_true_random=True)), draw(tasks)
    number = 3 * draw(st.integers(1, 3)) + 2 if space == 'nasbench201' else draw(st.integers(3, 9))
    blocks = mbconv_blocks(MBCONV[space]) if space in MBCONV else \
        ('stem', *(f'cell{i + 1}' for i in range(number)))
    copies = {block: [rng.randrange(len(names)) for _ in names] for block in blocks}
    return dict(method='branching', tasks=names, blocks=copies)


@st.composite
def fusions(draw, space):
    rng, names = draw(st.randoms(use_true_random=True)), draw(tasks)
    every = sum(fusion_edges(len(names), len(MBCONV[space].widths) if space in MBCONV else STAGES), ())
    on = rng.sample(every, rng.randrange(min(len(every), 9) + 1))
    edges = [[names[edge.target], edge.stage, names[edge.source], edge.source_stage] for edge in on]
    return dict(method='fusion', tasks=names, edges=sorted(edges))


@st.composite
def genotypes(draw, spaces=SPACE_NAMES):
    """A genotype of one of the spaces; importance, source and sharing are there or not."""
    space, rng = draw(st.sampled_from(spaces)), draw(st.randoms(use_true_random=True))
    if space in MBCONV:
        architecture = dict(layers=[rng.choice(layer.choices) for layer in searched_layers(MBCONV[space])])
        if space == 'mbconv':
            architecture = dict(layout=OWN_LAYOUT.to_dict(), **architecture)
    elif space == 'nasbench201':
        architecture = dict(cell=[[[rng.choice(nasbench201.OPERATIONS), source] for source in range(state)]
                                  for state in range(1, nasbench201.STATES)])
    else:
        architecture = {cell: nodes_of(rng, space) for cell in CELLS}
    importance = importance_of(rng, space) if draw(st.booleans()) else None
    sharing = draw(st.none() | branchings(space) | fusions(space))
    return Genotype(space, architecture, importance, draw(st.none() | sources), sharing)
