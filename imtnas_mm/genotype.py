"""The architecture file: what a search found, as versioned JSON that is checked when it is read or written."""
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from .atomic_files import write_whole

FORMAT = 'imtnas_mm.architecture'
VERSION = 1
SHOWN_LENGTH = 80  # characters of a bad value in an error


class GenotypeError(ValueError):
    """``<file>: <field>: <bad value>; <what would be right>``."""


@dataclass(frozen=True)
class Genotype:
    """An architecture of a search space.

    Args:
        space (str): a key of ``SPACES``, which says what the other fields hold.
        architecture (dict): for the MBConv spaces ``{'layers': [choice, ...]}``;
            for the cell spaces ``{'normal': [[[operation, predecessor], [...]],
            ...], 'reduce': ...}``, two inputs for each of the four nodes.
        importance (dict, optional): group of A -> nested lists, the softmaxed
            alphas it was derived from (``prdarts``: activation probabilities).
        source (dict, optional): strings and numbers that tell where it is from.
        sharing (dict, optional): what the tasks' networks have in common, as
            ``{'method': ..., 'tasks': [name, ...], ...}``. ``branching`` has
            ``'blocks': {block: [copy of the first task, copy of the second,
            ...], ...}``, copies counted from 0: tasks of one copy share that
            block's weights. ``fusion`` has ``'edges': [[target task, target
            stage, source task, source stage], ...]``, stages counted from 0:
            the target's network goes on after its stage with the source's, too.
    """
    space: str
    architecture: dict
    importance: dict | None = None
    source: dict | None = None
    sharing: dict | None = None

    def to_dict(self):
        """The content of the architecture file."""
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        return dict(format=FORMAT, version=VERSION, **fields)

    def summary(self):
        """The architecture in one line, for logs."""
        text = SPACES[self.space].summary(self.architecture)
        return text if self.sharing is None else f'{text}  {SHARING[self.sharing["method"]].summary(self.sharing)}'


class _Place:
    """A field of a file, for the errors."""

    def __init__(self, file, field=''):
        self.file = file
        self.field = field

    def __getitem__(self, key):
        if isinstance(key, int):
            return _Place(self.file, f'{self.field}[{key}]')
        key = key or repr(key)
        return _Place(self.file, f'{self.field}.{key}' if self.field else key)

    def fail(self, value, right):
        try:
            shown = repr(value)
        except RecursionError:
            shown = f'a {type(value).__name__} nested too deeply'
        if len(shown) > SHOWN_LENGTH:
            shown = shown[:SHOWN_LENGTH] + '...'
        raise GenotypeError(': '.join(filter(None, (str(self.file), self.field, shown))) + f'; {right}')


def _check_object(value, place, required, optional=()):
    if not isinstance(value, dict):
        place.fail(value, f'it must be an object with {", ".join(required)}')
    for key in value:
        if key not in required and key not in optional:
            place[str(key)].fail(value[key], f'unknown field; known are {", ".join((*required, *optional))}')
    for key in required:
        if key not in value:
            place[key].fail(None, 'this field is missing')


def _check_source(source, place):
    if not isinstance(source, dict):
        place.fail(source, 'it must be an object of strings and numbers')
    for key, value in source.items():
        if not isinstance(value, str) and not _is_finite(value):
            place[str(key)].fail(value, 'the source holds strings and finite numbers')


def _is_finite(value):
    # compared, since math.isfinite fails on whole numbers beyond the floats, which JSON can have
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _check_probabilities(values, shape, place, sums):
    """Nested lists of that shape whose last axis sums to 1 where ``sums``."""
    if not isinstance(values, list) or len(values) != shape[0]:
        place.fail(values, f'it must be a list of {shape[0]}')
    if len(shape) > 1:
        for i, row in enumerate(values):
            _check_probabilities(row, shape[1:], place[i], sums)
        return
    for i, value in enumerate(values):
        if not _is_finite(value) or not 0 <= value <= 1:
            place[i].fail(value, 'a probability must be a finite number from 0 to 1')
    if sums and abs(sum(values) - 1) > 1e-3:  # rows saved in half precision still pass
        place.fail(values, f'the probabilities must sum to 1, not {sum(values):.6g}')


def _check_importance(importance, shapes, place, sums=True):
    _check_object(importance, place, tuple(shapes))
    for name, shape in shapes.items():
        _check_probabilities(importance[name], shape, place[name], sums)


def _check_mbconv(space, architecture, importance, root):
    from .spaces.mbconv_layout import searched_layers  # not above: the spaces import this module
    layers = searched_layers(space)
    _check_object(architecture, root['architecture'], ('layers', ))
    choices, place = architecture['layers'], root['architecture']['layers']
    if not isinstance(choices, list) or len(choices) != len(layers):
        got = f'{len(choices)} of them' if isinstance(choices, list) else type(choices).__name__
        place.fail(choices, f'{space} takes a list of {len(layers)} choices, one a layer, not {got}')
    for i, (choice, layer) in enumerate(zip(choices, layers, strict=True)):
        if choice not in layer.choices:
            place[i].fail(choice, f'{layer.name} of {space} takes one of {", ".join(layer.choices)}')
    if importance is not None:
        _check_importance(importance, {layer.name: (len(layer.choices), ) for layer in layers}, root['importance'])


def _check_cells(space, architecture, importance, root):
    from .spaces.cell_layout import CELLS, EDGES, NODES, OPERATIONS
    _check_object(architecture, root['architecture'], CELLS)
    for cell in CELLS:
        nodes, place = architecture[cell], root['architecture'][cell]
        if not isinstance(nodes, list) or len(nodes) != NODES:
            place.fail(nodes, f'a cell is a list of {NODES} nodes, each two [operation, predecessor]')
        for i, node in enumerate(nodes):
            _check_node(i, node, space, place[i])
    if importance is None:
        return
    shapes = {cell: (len(EDGES), len(OPERATIONS)) for cell in CELLS}
    if space == 'pcdarts':
        shapes.update({f'{cell}_edges{i}': (i + 2, ) for cell in CELLS for i in range(NODES)})
    _check_importance(importance, shapes, root['importance'], sums=space != 'prdarts')


def _check_node(index, node, space, place):
    from .spaces.cell_layout import NONE, OPERATIONS
    operations = [operation for operation in OPERATIONS if operation != NONE]
    if not isinstance(node, list) or len(node) != 2:
        place.fail(node, 'a node is a list of two [operation, predecessor]')
    for j, pair in enumerate(node):
        if not isinstance(pair, list) or len(pair) != 2:
            place[j].fail(pair, 'it must be [operation, predecessor]')
        operation, predecessor = pair
        if operation not in operations:
            place[j][0].fail(operation, f'known operations are {", ".join(operations)}')
        if isinstance(predecessor, bool) or not isinstance(predecessor, int) or not 0 <= predecessor < index + 2:
            place[j][1].fail(predecessor, f'the predecessors of node {index} are the states 0 to {index + 1}')
    if node[0] == node[1]:
        place.fail(node, 'the two inputs of a node must differ')
    if node[0][1] == node[1][1] and space != 'prdarts':
        place.fail(node, f'the two inputs of a node of {space} come from two predecessors')


def _summarise_cells(architecture):
    """``normal sep3-1 sep3-0 | skip-0 sep3-1 | ... reduce max-0 ...``"""
    cells = []
    for cell, nodes in architecture.items():
        nodes = [' '.join(f'{short_name(operation)}-{state}' for operation, state in node) for node in nodes]
        cells.append(f'{cell} {" | ".join(nodes)}')
    return '  '.join(cells)


def short_name(operation):
    """``'sep_conv_3x3'`` -> ``'sep3'``, ``'skip_connect'`` -> ``'skip'``; a pool's kernel is always 3."""
    kind = operation.split('_')[0]
    return f'{kind}{operation[-1]}' if 'conv' in operation else kind


def _summarise_mbconv(architecture):
    """``3x3e6 identity 5x5e3 ...``"""
    return ' '.join(choice.removeprefix('mbconv_').replace('_', '') for choice in architecture['layers'])


def _check_sharing(sharing, space, place):
    if not isinstance(sharing, dict):
        place.fail(sharing, 'it must be an object with method, tasks and what the method shares')
    method = sharing.get('method')
    if not isinstance(method, str) or method not in SHARING:
        place['method'].fail(method, f'known methods are {", ".join(map(repr, SHARING))}')
    _check_object(sharing, place, ('method', 'tasks', SHARING[method].field))
    tasks = sharing['tasks']
    if not isinstance(tasks, list) or not tasks or any(not isinstance(t, str) or not t for t in tasks) or \
            len(set(tasks)) != len(tasks):
        place['tasks'].fail(tasks, 'it must be a list of different names of tasks')
    field = SHARING[method].field
    SHARING[method].check(sharing[field], tasks, space, place[field])


def _check_branching(blocks, tasks, space, place):
    from .spaces.mbconv_layout import LAYOUTS, mbconv_blocks, searched_layers
    if space in LAYOUTS:
        _check_object(blocks, place, tuple(mbconv_blocks(searched_layers(space))))
    else:
        cells = max(len(blocks) - 1, 3) if isinstance(blocks, dict) else 3
        _check_object(blocks, place, ('stem', *(f'cell{i + 1}' for i in range(cells))))
    for name, row in blocks.items():
        if not isinstance(row, list) or len(row) != len(tasks) or \
                any(isinstance(c, bool) or not isinstance(c, int) or not 0 <= c < len(tasks) for c in row):
            place[name].fail(row, f'it must be a list of {len(tasks)} copies, one a task, from 0 to {len(tasks) - 1}')


def _summarise_branching(sharing):
    """``branches of cls,det stem:00 layer01:01 ...``"""
    copies = ' '.join(f'{block}:{"".join(map(str, row))}' for block, row in sharing['blocks'].items())
    return f'branches of {",".join(sharing["tasks"])} {copies}'


def _check_fusion(edges, tasks, space, place):
    from .spaces.cell_layout import STAGES
    from .spaces.mbconv_layout import LAYOUTS
    stages = len(LAYOUTS[space].widths) if space in LAYOUTS else STAGES
    if not isinstance(edges, list):
        place.fail(edges, 'it must be a list of [target task, target stage, source task, source stage]')
    found = set()
    for i, edge in enumerate(edges):
        if not isinstance(edge, list) or len(edge) != 4:
            place[i].fail(edge, 'it must be [target task, target stage, source task, source stage]')
        target, stage, source, source_stage = edge
        for j, task in ((0, target), (2, source)):
            if task not in tasks:
                place[i][j].fail(task, f'sharing.tasks has {", ".join(tasks)}')
        for j, number, last in ((1, stage, stages - 1), (3, source_stage, stage)):
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= last:
                place[i][j].fail(number, f'the stages of {space} that it may be are 0 to {last}')
        if target == source:
            place[i][2].fail(source, 'an edge comes from the network of another task')
        if tuple(edge) in found:
            place[i].fail(edge, 'it must be there once')
        found.add(tuple(edge))


def _summarise_fusion(sharing):
    """``fusion of cls,det cls.1>det.3 det.0>cls.0 ...``, each source before its target; ``none`` without edges."""
    edges = [f'{source}.{source_stage}>{target}.{stage}' for target, stage, source, source_stage in sharing['edges']]
    return f'fusion of {",".join(sharing["tasks"])} {" ".join(edges) or "none"}'


class _Sharing(NamedTuple):
    field: str  # beside method and tasks
    check: Callable  # (value of the field, tasks, space, its place) -> None; fails there or below
    summary: Callable  # sharing -> str


SHARING = {
    'branching': _Sharing('blocks', _check_branching, _summarise_branching),
    'fusion': _Sharing('edges', _check_fusion, _summarise_fusion),
}


class _Space(NamedTuple):
    check: Callable  # (space, architecture, importance, root) -> None; fails at a place below root
    summary: Callable  # architecture -> str


SPACES = {
    'fairnas19': _Space(_check_mbconv, _summarise_mbconv),
    'proxyless21': _Space(_check_mbconv, _summarise_mbconv),
    **{space: _Space(_check_cells, _summarise_cells) for space in ('darts', 'pdarts', 'pcdarts', 'prdarts')},
}


def genotype_from_dict(data, file='architecture'):
    """The :class:`Genotype` that the content of an architecture file stands for.

    Args:
        data (dict): as :meth:`Genotype.to_dict` gives it.
        file (str): what the errors call it.

    Raises:
        GenotypeError: on anything that is not of the format.
    """
    root = _Place(file)
    if not isinstance(data, dict):
        root.fail(data, f'the top of an architecture file must be an object with "format": "{FORMAT}"')
    if data.get('format') != FORMAT:
        root['format'].fail(data.get('format'), f'an architecture file has "format": "{FORMAT}"')
    version = data.get('version')
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        root['version'].fail(version, f'it must be a whole number from 1 to {VERSION}')
    if version > VERSION:
        root['version'].fail(version, f'made by a newer imtnas_mm; this one reads up to {VERSION}')
    _check_object(data, root, ('format', 'version', 'space', 'architecture'), ('importance', 'source', 'sharing'))
    space = data['space']
    if not isinstance(space, str) or space not in SPACES:
        root['space'].fail(space, f'known spaces are {", ".join(SPACES)}')
    for key in ('importance', 'source', 'sharing'):
        if key in data and data[key] is None:
            root[key].fail(None, 'leave it out where there is none')
    source = data.get('source')
    if source is not None:
        _check_source(source, root['source'])
    SPACES[space].check(space, data['architecture'], data.get('importance'), root)
    sharing = data.get('sharing')
    if sharing is not None:
        _check_sharing(sharing, space, root['sharing'])
    return Genotype(space, data['architecture'], data.get('importance'), source, sharing)


def load_genotype(path):
    """Read and check an architecture file. Raises :class:`GenotypeError`."""
    try:
        text = Path(path).read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise GenotypeError(f'{path}: cannot be read as text: {error}') from error

    def unique(pairs):
        fields = dict(pairs)
        if len(fields) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise GenotypeError(f'{path}: {twice}: is there twice in one object; it must be there once')
        return fields

    try:
        data = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise GenotypeError(f'{path}: line {error.lineno} column {error.colno}: {error.msg}; '
                            'an architecture file is JSON') from error
    except RecursionError as error:
        raise GenotypeError(f'{path}: is nested too deeply; an architecture file has lists of lists at most') from error
    except ValueError as error:
        if isinstance(error, GenotypeError):
            raise
        raise GenotypeError(f'{path}: {error}; an architecture file is JSON') from error  # a number of 5000 digits
    return genotype_from_dict(data, path)


def save_genotype(genotype, path):
    """Check and write an architecture file; what stands at ``path`` is the old file or the whole new one."""
    path = Path(path)
    data = _plain(genotype.to_dict())
    genotype_from_dict(data, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, _text(data) + '\n')


def _text(value, pad='\n  '):
    """Indented JSON in which a list with numbers, a layer's importance or an edge, is one line."""
    if isinstance(value, dict) and value:
        items, ends = [f'{json.dumps(key)}: {_text(item, pad + "  ")}' for key, item in value.items()], '{}'
    elif isinstance(value, list) and value and not any(isinstance(item, int | float) for item in value):
        items, ends = [_text(item, pad + '  ') for item in value], '[]'
    else:
        return json.dumps(value, allow_nan=False)
    return ends[0] + ','.join(pad + item for item in items) + pad[:-2] + ends[1]


# kernel/expansion of the 19 layers; Chu et al., 2019 (FairNAS). The last two bound the space.
_FAIRNAS = {
    'fairnas_a': '7/3 3/3  7/3 3/6 7/6 3/3  3/3 7/6 7/6 5/3  3/6 5/3 5/3 3/6  3/6 7/6 3/6 7/6  5/6',
    'fairnas_b': '5/3 3/3  5/3 3/3 3/6 5/3  7/3 3/3 3/6 5/3  3/3 3/6 7/3 3/3  7/6 5/6 7/6 3/6  5/6',
    'fairnas_c': '5/3 3/3  7/3 3/3 3/3 3/3  3/3 3/3 3/3 3/6  3/3 3/3 3/3 3/3  7/6 7/6 3/6 3/6  5/6',
    'fairnas_smallest': ' '.join(['3/3'] * 19),
    'fairnas_largest': ' '.join(['7/6'] * 19),
}
# space, normal cell, reduction cell as short_name-predecessor. Liu et al., 2019 (DARTS, first and second order); Chen
# et al., 2019 (P-DARTS); Xu et al., 2020 (PC-DARTS); Zhou et al., 2020 (PR-DARTS)
_CELLS = {
    'darts_v1': ('darts', 'sep3-1 sep3-0 | skip-0 sep3-1 | skip-0 sep3-1 | sep3-0 skip-2',
                 'max-0 max-1 | skip-2 max-0 | max-0 skip-2 | skip-2 avg-0'),
    'darts_v2': ('darts', 'sep3-0 sep3-1 | sep3-0 sep3-1 | sep3-1 skip-0 | skip-0 dil3-2',
                 'max-0 max-1 | skip-2 max-1 | max-0 skip-2 | skip-2 max-1'),
    'pdarts': ('pdarts', 'skip-0 dil3-1 | skip-0 sep3-1 | sep3-1 sep3-3 | sep3-0 dil5-4',
               'avg-0 sep5-1 | sep3-0 dil5-2 | max-0 dil3-1 | dil3-1 dil5-3'),
    'pc_darts_cifar': ('pcdarts', 'sep3-1 skip-0 | sep3-0 dil3-1 | sep5-0 sep3-1 | avg-0 dil3-1',
                       'sep5-1 max-0 | sep5-1 sep5-2 | sep3-0 sep3-3 | sep3-1 sep3-2'),
    'pc_darts_image': ('pcdarts', 'skip-1 sep3-0 | sep3-0 skip-1 | sep3-1 sep3-3 | sep3-1 dil5-4',
                       'sep3-0 skip-1 | dil5-2 max-1 | sep3-2 sep3-1 | sep5-0 sep3-3'),
    'pr_darts': ('prdarts', 'skip-0 sep3-1 | dil3-2 sep3-0 | dil3-3 sep3-1 | dil3-4 dil3-1',
                 'avg-0 dil5-1 | sep3-0 dil5-2 | sep5-1 dil3-3 | dil5-4 dil5-1'),
}


def published_names():
    return [*_FAIRNAS, *_CELLS]


def published_genotype(name):
    """An architecture by its name: those of the papers, and the two ends of the FairNAS space without identities."""
    if name in _FAIRNAS:
        pairs = (pair.split('/') for pair in _FAIRNAS[name].split())
        return Genotype('fairnas19', dict(layers=[f'mbconv_{k}x{k}_e{e}' for k, e in pairs]), source=dict(name=name))
    if name not in _CELLS:
        raise GenotypeError(f'{name!r} is not a published architecture; known are {", ".join(published_names())}')
    space, normal, reduce = _CELLS[name]
    return Genotype(space, dict(normal=_read_cell(normal), reduce=_read_cell(reduce)), source=dict(name=name))


def _read_cell(text):
    """``'sep3-1 sep3-0 | ...'`` -> ``[[['sep_conv_3x3', 1], ['sep_conv_3x3', 0]], ...]``"""
    from .spaces.cell_layout import OPERATIONS
    long_names = {short_name(operation): operation for operation in OPERATIONS}
    pairs = [[pair.split('-') for pair in node.split()] for node in text.split('|')]
    return [[[long_names[name], int(state)] for name, state in node] for node in pairs]


def resolve_genotype(spec):
    """What a config or a command line may give for an architecture -> :class:`Genotype`.

    Args:
        spec (Genotype | dict | str | Path): a genotype; the content of an
            architecture file; the path of one; or a published name.

    Raises:
        GenotypeError: if it is none of them, or the file is not valid.
    """
    if isinstance(spec, Genotype):
        return genotype_from_dict(_plain(spec.to_dict()), 'genotype')
    if isinstance(spec, dict):
        return genotype_from_dict(_plain(spec))
    if isinstance(spec, str) and spec in published_names():
        return published_genotype(spec)
    if isinstance(spec, str | Path) and Path(spec).is_file():
        return load_genotype(spec)
    raise GenotypeError(f'architecture: {spec!r}; it must be the path of an existing architecture file, its content '
                        f'as a dict, or one of the names {", ".join(published_names())}')


def _plain(value):
    """Configs hold subclasses of dict, and tuples where JSON has lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
