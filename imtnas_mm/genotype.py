"""The architecture file: the outcome of a search, as versioned JSON. It is checked whenever it is read or written."""
import copy
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from .files.atomic import write_whole
from .space_format import SpaceFormat, format_of, known_spaces, registered_spaces

FORMAT = 'imtnas_mm.architecture'
VERSION = 1
SHOWN_LENGTH = 80  # characters of a bad value in an error


class GenotypeError(ValueError):
    """``<file>: <field>: <bad value>; <what would be right>``."""


@dataclass(frozen=True)
class Genotype:
    """An architecture of a search space.

    Args:
        space (str): the name of a registered :class:`SpaceFormat`, which
            defines the other fields.
        architecture (dict): the decisions of the search, as JSON values.
        importance (dict, optional): group of A -> nested lists. They are the
            softmaxed alphas of the search; a space may define others.
        source (dict, optional): where the architecture comes from, as strings
            and numbers. ``without`` names an option that the search did not
            derive, whatever its weight.
        sharing (dict, optional): the shared parts of the tasks' networks, as
            ``{'method': ..., 'tasks': [name, ...], ...}``. ``branching`` has
            ``'blocks': {block: [copy of the first task, copy of the second,
            ...], ...}``. Copies count from 0. Tasks that use the same copy
            share the weights of that block. ``fusion`` has ``'edges': [[target
            task, target stage, source task, source stage], ...]``. Stages
            count from 0. The target's network adds the output of the source's
            stage after its own stage.
    """
    space: str
    architecture: dict[str, Any]
    importance: dict[str, Any] | None = None
    source: dict[str, Any] | None = None
    sharing: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The content of the architecture file."""
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        return dict(format=FORMAT, version=VERSION, **fields)

    def described(self, source: dict[str, Any]) -> 'Genotype':
        """The same with more of where it comes from."""
        return replace(self, source={**(self.source or {}), **source})

    @property
    def never_taken(self) -> tuple[str, ...]:
        """tuple[str]: the options that no choice could take: those of the space, and that of the search."""
        without = (self.source or {}).get('without')
        return (*format_of(self.space).never_taken, *([str(without)] if without is not None else ()))

    def summary(self) -> str:
        """The architecture in one line, for logs."""
        text = format_of(self.space).summary(self.architecture)
        return text if self.sharing is None else f'{text}  {SHARING[self.sharing["method"]].summary(self.sharing)}'


def sharing_of(genotype: Genotype) -> dict[str, Any]:
    """The ``sharing`` of a genotype.

    Raises:
        ValueError: if the genotype has none.
    """
    if genotype.sharing is None:
        raise ValueError('architecture: sharing: is missing; it must be the result of a BMTAS or MTL-NAS search, '
                         'which decides on shared parts')
    return genotype.sharing


def contradiction(genotype: Genotype, other: Genotype, sharing: bool = False) -> str | None:
    """Where two architectures build other networks, in words; ``None`` if they build the same network.

    Args:
        genotype, other (Genotype): importance and source are left out.
        sharing (bool): whether ``sharing`` is compared as well; it makes no
            difference to a network of one task.
    """
    names = ('space', 'architecture', *(('sharing', ) if sharing else ()))
    differences = (_difference(getattr(genotype, name), getattr(other, name), name) for name in names)
    return next(filter(None, differences), None)


def _difference(value: object, other: object, field: str) -> str | None:
    if isinstance(value, dict) and isinstance(other, dict) and set(value) == set(other):
        pairs = [(f'{field}.{key}', value[key], other[key]) for key in value]
    elif isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        pairs = [(f'{field}[{i}]', *pair) for i, pair in enumerate(zip(value, other, strict=True))]
    else:
        return None if value == other else f'{field}: {shown(value)}, there {shown(other)}'
    return next(filter(None, (_difference(here, there, name) for name, here, there in pairs)), None)


def shown(value: object) -> str:
    """A value for an error, cut where it is long."""
    try:
        text = repr(value)
    except RecursionError:
        text = f'a {type(value).__name__} nested too deeply'
    return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + '...'


class Place:
    """A field of a file, for errors: ``place['layers'][3]`` is a field below it, and :meth:`fail` refuses its value.

    Args:
        file (str | Path): the name of the file in errors.
        field (str): the path of the field in the file; empty for the top.
    """

    def __init__(self, file: str | Path, field: str = '') -> None:
        self.file = file
        self.field = field

    def __getitem__(self, key: int | str) -> 'Place':
        if isinstance(key, int):
            return Place(self.file, f'{self.field}[{key}]')
        key = key or repr(key)
        return Place(self.file, f'{self.field}.{key}' if self.field else key)

    def fail(self, value: object, right: str) -> NoReturn:
        """Raises :class:`GenotypeError` about a value; ``right`` describes a legal value."""
        raise GenotypeError(': '.join(filter(None, (str(self.file), self.field, shown(value)))) + f'; {right}')


def check_object(value: object, place: Place, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    """Refuses a value that is no dict, lacks a required field, or has a field that is neither required nor optional."""
    if not isinstance(value, dict):
        place.fail(value, f'it must be an object with {", ".join(required)}')
    for key in value:
        if key not in required and key not in optional:
            place[str(key)].fail(value[key], f'unknown field; known are {", ".join((*required, *optional))}')
    for key in required:
        if key not in value:
            place[key].fail(None, 'this field is missing')


def _check_source(source: Any, place: Place) -> None:
    if not isinstance(source, dict):
        place.fail(source, 'it must be an object of strings and numbers')
    for key, value in source.items():
        if not isinstance(value, str) and not is_finite(value):
            place[str(key)].fail(value, 'the source holds strings and finite numbers')


def is_finite(value: object) -> bool:
    """Whether a JSON value is a finite number. A boolean is not a number."""
    # a comparison: math.isfinite fails on whole numbers beyond the floats, and JSON may hold such numbers
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _check_probabilities(values: Any, shape: tuple[int, ...], place: Place, sums: bool) -> None:
    """Refuses anything but nested lists of this shape; with ``sums`` the last axis must sum to 1."""
    if not isinstance(values, list) or len(values) != shape[0]:
        place.fail(values, f'it must be a list of {shape[0]}')
    if len(shape) > 1:
        for i, row in enumerate(values):
            _check_probabilities(row, shape[1:], place[i], sums)
        return
    for i, value in enumerate(values):
        if not is_finite(value) or not 0 <= value <= 1:
            place[i].fail(value, 'a probability must be a finite number from 0 to 1')
    if sums and abs(sum(values) - 1) > 1e-3:  # rows saved in half precision still pass
        place.fail(values, f'the probabilities must sum to 1, not {sum(values):.6g}')


def check_importance(importance: Any, shapes: dict[str, tuple[int, ...]], place: Place, sums: bool = True) -> None:
    """Refuses importance weights that are not groups of nested lists of these shapes, with numbers in [0, 1].

    Args:
        importance: the value in the file.
        shapes (dict[str, tuple[int]]): the groups of A.
        place (Place): the place of the field.
        sums (bool): whether the last axis sums to 1, as a softmax does.
    """
    check_object(importance, place, tuple(shapes))
    for name, shape in shapes.items():
        _check_probabilities(importance[name], shape, place[name], sums)


def _check_sharing(sharing: Any, space_format: SpaceFormat, architecture: dict[str, Any], place: Place) -> None:
    if not isinstance(sharing, dict):
        place.fail(sharing, 'it must be an object with method, tasks and the shared parts')
    method = sharing.get('method')
    if not isinstance(method, str) or method not in SHARING:
        place['method'].fail(method, f'known methods are {", ".join(map(repr, SHARING))}')
    check_object(sharing, place, ('method', 'tasks', SHARING[method].field))
    tasks = sharing['tasks']
    if not isinstance(tasks, list) or not tasks or any(not isinstance(t, str) or not t for t in tasks) or \
            len(set(tasks)) != len(tasks):
        place['tasks'].fail(tasks, 'it must be a list of different names of tasks')
    field = SHARING[method].field
    SHARING[method].check(sharing[field], tasks, space_format, architecture, place[field])


def _check_branching(blocks: Any, tasks: list[str], space_format: SpaceFormat, architecture: dict[str, Any],
                     place: Place) -> None:
    if space_format.blocks is None:
        place.fail(blocks, f'the space {space_format.name} has no blocks that tasks could share')
    names = space_format.blocks(architecture, len(blocks) if isinstance(blocks, dict) else 0)
    check_object(blocks, place, tuple(names))
    for name, row in blocks.items():
        if not isinstance(row, list) or len(row) != len(tasks) or \
                any(isinstance(c, bool) or not isinstance(c, int) or not 0 <= c < len(tasks) for c in row):
            place[name].fail(row, f'it must be a list of {len(tasks)} copies, one per task, from 0 to {len(tasks) - 1}')


def _summarise_branching(sharing: dict[str, Any]) -> str:
    """``branches of cls,det stem:00 layer01:01 ...``"""
    copies = ' '.join(f'{block}:{"".join(map(str, row))}' for block, row in sharing['blocks'].items())
    return f'branches of {",".join(sharing["tasks"])} {copies}'


def _check_fusion(edges: Any, tasks: list[str], space_format: SpaceFormat, architecture: dict[str, Any],
                  place: Place) -> None:
    stages = space_format.stages(architecture)
    if not isinstance(edges, list):
        place.fail(edges, 'it must be a list of [target task, target stage, source task, source stage]')
    seen = set()
    for i, edge in enumerate(edges):
        if not isinstance(edge, list) or len(edge) != 4:
            place[i].fail(edge, 'it must be [target task, target stage, source task, source stage]')
        target, stage, source, source_stage = edge
        for j, task in ((0, target), (2, source)):
            if task not in tasks:
                place[i][j].fail(task, f'sharing.tasks has {", ".join(tasks)}')
        for j, number, last in ((1, stage, stages - 1), (3, source_stage, stage)):
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= last:
                place[i][j].fail(number, f'the stages of {space_format.name} that it may be are 0 to {last}')
        if target == source:
            place[i][2].fail(source, 'an edge comes from the network of another task')
        if tuple(edge) in seen:
            place[i].fail(edge, 'it must be there once')
        seen.add(tuple(edge))


def _summarise_fusion(sharing: dict[str, Any]) -> str:
    """``fusion of cls,det cls.1>det.3 det.0>cls.0 ...``, each source before its target; ``none`` without edges."""
    edges = [f'{source}.{source_stage}>{target}.{stage}' for target, stage, source, source_stage in sharing['edges']]
    return f'fusion of {",".join(sharing["tasks"])} {" ".join(edges) or "none"}'


class _Sharing(NamedTuple):
    field: str  # the field of ``sharing`` beside method and tasks
    # (value of the field, tasks, SpaceFormat, architecture, place of the field) -> None; fails there or below
    check: Callable[[Any, list[str], SpaceFormat, dict[str, Any], Place], None]
    summary: Callable[[dict[str, Any]], str]  # sharing -> a part of the line for logs


SHARING = {
    'branching': _Sharing('blocks', _check_branching, _summarise_branching),
    'fusion': _Sharing('edges', _check_fusion, _summarise_fusion),
}


def genotype_from_dict(data: Any, file: str | Path = 'architecture') -> Genotype:
    """The content of an architecture file -> :class:`Genotype`.

    Args:
        data (dict): the content, as :meth:`Genotype.to_dict` returns it.
        file (str): the name of the file in errors.

    Raises:
        GenotypeError: if anything in ``data`` breaks the format.
    """
    root = Place(file)
    if not isinstance(data, dict):
        root.fail(data, f'the top of an architecture file must be an object with "format": "{FORMAT}"')
    if data.get('format') != FORMAT:
        root['format'].fail(data.get('format'), f'an architecture file has "format": "{FORMAT}"')
    version = data.get('version')
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        root['version'].fail(version, f'it must be a whole number from 1 to {VERSION}')
    if version > VERSION:
        root['version'].fail(version, f'made by a newer imtnas_mm; this version reads up to {VERSION}')
    check_object(data, root, ('format', 'version', 'space', 'architecture'), ('importance', 'source', 'sharing'))
    space = data['space']
    if not isinstance(space, str) or space not in registered_spaces():
        root['space'].fail(space, known_spaces())
    space_format = format_of(space)
    for key in ('importance', 'source', 'sharing'):
        if key in data and data[key] is None:
            root[key].fail(None, 'leave the field out, or put an object there')
    source = data.get('source')
    if source is not None:
        _check_source(source, root['source'])
    space_format.check(data['architecture'], data.get('importance'), root)
    sharing = data.get('sharing')
    if sharing is not None:
        _check_sharing(sharing, space_format, data['architecture'], root['sharing'])
    return Genotype(space, data['architecture'], data.get('importance'), source, sharing)


def load_genotype(path: str | Path) -> Genotype:
    """Read and check an architecture file. Raises :class:`GenotypeError`."""
    try:
        text = Path(path).read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise GenotypeError(f'{path}: cannot be read as text: {error}') from error

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise GenotypeError(f'{path}: {twice}: is there twice in an object; it must be there once')
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


def save_genotype(genotype: Genotype, path: str | Path) -> None:
    """Check and write an architecture file. A crash leaves the old file or the whole new one at ``path``."""
    path = Path(path)
    data = plain(genotype.to_dict())
    genotype_from_dict(data, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, _text(data) + '\n')


def _text(value: Any, pad: str = '\n  ') -> str:
    """Indented JSON. A list with numbers, such as a layer's importance or an edge, stays on one line."""
    if isinstance(value, dict) and value:
        items, ends = [f'{json.dumps(key)}: {_text(item, pad + "  ")}' for key, item in value.items()], '{}'
    elif isinstance(value, list) and value and not any(isinstance(item, int | float) for item in value):
        items, ends = [_text(item, pad + '  ') for item in value], '[]'
    else:
        return json.dumps(value, allow_nan=False)
    return ends[0] + ','.join(pad + item for item in items) + pad[:-2] + ends[1]


def published_names() -> list[str]:
    """The names of the published architectures of all registered spaces."""
    return [name for space_format in registered_spaces().values() for name in space_format.published]


def published_genotype(name: str) -> Genotype:
    """An architecture by its published name.

    Raises:
        GenotypeError: if no registered space publishes an architecture of that name.
    """
    for space_format in registered_spaces().values():
        if name in space_format.published:
            return Genotype(space_format.name, copy.deepcopy(space_format.published[name]), source=dict(name=name))
    raise GenotypeError(f'{name!r} is not a published architecture; known are {", ".join(published_names())}')


def genotype_from_string(text: str) -> Genotype | None:
    """An architecture in the notation of a benchmark, as ``|nor_conv_3x3~0|+|...|`` -> :class:`Genotype`.

    Returns None if ``text`` is in no registered space's notation.

    Raises:
        GenotypeError: if ``text`` is in a space's notation and a part of it is wrong.
    """
    for space_format in registered_spaces().values():
        if space_format.from_string is None:
            continue
        try:
            architecture = space_format.from_string(text)
        except ValueError as error:
            raise GenotypeError(f'architecture: {text!r}: {error}') from error
        if architecture is not None:
            return Genotype(space_format.name, architecture, source=dict(name=text))
    return None


def resolve_genotype(spec: Genotype | dict[str, Any] | str | Path) -> Genotype:
    """The ``architecture`` of a config or of a command line -> :class:`Genotype`.

    Args:
        spec (Genotype | dict | str | Path): a genotype; the content of an
            architecture file; the path of an architecture file; a published
            name; or a string in the notation of a benchmark.

    Raises:
        GenotypeError: if ``spec`` is something else, or the file is not valid.
    """
    if isinstance(spec, Genotype):
        return genotype_from_dict(plain(spec.to_dict()), 'genotype')
    if isinstance(spec, dict):
        return genotype_from_dict(plain(spec))
    if isinstance(spec, str) and spec in published_names():
        return published_genotype(spec)
    if isinstance(spec, str | Path) and Path(spec).is_file():
        return load_genotype(spec)
    if isinstance(spec, str) and (genotype := genotype_from_string(spec)) is not None:
        return genotype
    raise GenotypeError(f'architecture: {spec!r}; it must be the path of an existing architecture file, its content '
                        f'as a dict, or one of the names {", ".join(published_names())}')


def plain(value: Any) -> Any:
    """A setting as JSON values: configs hold subclasses of dict, and tuples instead of lists."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
