"""A space of four choices of three, with a notation, ``grid:conv-none-skip-conv``, and a table of all 81 architectures.

It has no supernet: searches of it are those of helpers/stub_tools.py.
"""
import gzip
import itertools

from imtnas_mm.genotype import Genotype, check_object
from imtnas_mm.networks import DerivedNet
from imtnas_mm.space_format import SpaceFormat, register_space

OPERATIONS = ('none', 'skip', 'conv')


def to_string(architecture):
    return 'grid:' + '-'.join(architecture['edges'])


def from_string(text):
    if not text.startswith('grid:'):
        return None
    names = text[5:].split('-')
    for name in names:
        if name not in OPERATIONS:
            raise ValueError(f'{name!r}; an operation is one of {", ".join(OPERATIONS)}')
    if len(names) != 4:
        raise ValueError(f'{len(names)} edges; there are 4')
    return dict(edges=names)


def check(architecture, importance, root):
    check_object(architecture, root['architecture'], ('edges', ))


register_space(SpaceFormat(
    name='grid', title='Grid', network=DerivedNet, check=check, stages=lambda architecture: 1,
    summary=lambda architecture: ' '.join(architecture['edges']), to_string=to_string, from_string=from_string,
    published=dict(grid_conv=dict(edges=['conv'] * 4))))

ARCHITECTURES = [dict(edges=list(edges)) for edges in itertools.product(OPERATIONS, repeat=4)]


def genotype(*edges, **fields):
    return Genotype('grid', dict(edges=list(edges)), **fields)


def accuracies(edges):
    """(c10, c100): chance unless an edge does something; the first edge weighs most, so that no two are equal."""
    score = sum(OPERATIONS.index(name) * 3**(3 - i) for i, name in enumerate(edges))
    return 10. + score, 1. + score / 2


def write_table(path, rows=None, header='index,architecture,c10,c100'):
    """All architectures, or those rows of text."""
    if rows is None:
        rows = [','.join([str(i), to_string(one), *map(str, accuracies(one['edges']))])
                for i, one in enumerate(ARCHITECTURES)]
    text = '\n'.join([header, *rows]) + '\n'
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == '.gz' else text.encode())
    return path
