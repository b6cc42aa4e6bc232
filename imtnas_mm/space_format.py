"""Registry of search spaces: functions that check, summarise, build and draw the architectures of each space.

A search space consists of a supernet (a :class:`SearchSpace`), a derived network
(a :class:`DerivedNet`), which is built from an architecture, and a
:class:`SpaceFormat`, which :func:`register_space` registers. All three may be in
one file that a config names in ``custom_imports``. No other code knows a space by
name.
"""
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mmengine.registry import Registry

from .registry import SCOPE

Candidate = tuple[Any, ...]  # a name, such as that of a group of A, then indices


@dataclass(frozen=True, kw_only=True)
class CostFormat:
    """How the cost of a network is the sum of a fixed part and of the costs of its chosen candidates.

    Args:
        cover: ``architecture -> list[architecture]``: architectures of the
            same space. Together they choose every candidate at least once,
            except those in ``alike``.
        chosen: ``architecture -> list[candidate]``. A candidate without a
            module, such as ``none``, costs nothing.
        modules: ``network -> dict[str, candidate]``, the path of each module
            of the derived network that belongs to a candidate. A candidate may
            have several.
        alike (dict[candidate, candidate]): candidates that ``cover`` leaves
            out, and for each of them a candidate of the same cost.
    """
    cover: Callable[[dict], list[dict]]
    chosen: Callable[[dict], list[Candidate]]
    modules: Callable[[Any], dict[str, Candidate]]
    alike: Mapping[Candidate, Candidate] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PhaseFormat:
    """What a space that is searched in phases does with the candidates of a phase.

    The candidates are those of the supernet's :meth:`SearchSpace.candidates`, as JSON values.

    Args:
        check: ``candidates -> None``. It raises :class:`ValueError` for
            candidates of a damaged record.
        draw (optional): ``(phases, title, genotype) -> Figure`` of matplotlib.
            Each phase has ``candidates`` and ``importance``; the genotype is
            the result of the last.
    """
    check: Callable[[dict], object]
    draw: Callable[..., Any] | None = None


class Choice(NamedTuple):
    """The names of a choice and of its options, as ``('layer 3', ('3x3 e3', '3x3 e6'))``."""
    name: str
    options: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SpaceFormat:
    """The contract between a search space and the code that handles its architectures.

    An *architecture* is the dict of that name in an architecture file. It holds
    only JSON values (dicts with text as keys, lists, text, numbers, booleans,
    ``None``). The supernet's ``derive`` makes it; ``check`` checks it before
    the other functions get it.

    Args:
        name (str): of the space: ``space`` in architecture files and in the
            :class:`Genotype` from the supernet's ``derive``.
        title (str): of the space, in pictures.
        network (type): a subclass of :class:`DerivedNet`, built as
            ``network(architecture=genotype, **options)``.
        check: ``(architecture, importance, root) -> None``. ``importance`` is
            None or the softmaxed alphas, as JSON values. Both are unchecked
            content of the file. ``root`` is the :class:`Place` of the file's
            top; ``root['architecture']['layers'][3].fail(value, right)``
            refuses a value. Most checks can be left to :func:`check_object`
            and :func:`check_importance` of ``imtnas_mm.genotype``.
        summary: ``architecture -> str``, one line for logs.
        stages: ``architecture -> int``, the number of stages of the backbone
            (supernet and derived network), to which ``out_indices``,
            ``frozen_stages`` and fusions refer.
        network_options (tuple[str]): options that the supernet and the derived
            network have in common, such as the width. ``network`` and ``draw``
            get them, and a checkpoint's are compared with the config's.
        recorded_options (tuple[str]): options of the supernet that its
            architectures record; they are compared in the same way.
        blocks (optional): ``(architecture, number) -> dict[str, str]``, the
            blocks that tasks may share, in order: the names of the supernet's
            :meth:`SearchSpace.blocks`, each with a short description for
            pictures. A supernet may have several depths: ``number`` is the
            number of blocks in the file, and the result is for the nearest
            legal number. Without it a branching of the space is refused.
        published (dict[str, dict]): architectures by their published names.
        to_string (optional): ``architecture -> str``, the architecture in the
            notation of the space's benchmark, as in tables of accuracies.
        from_string (optional): ``str -> architecture``, its inverse; None for a
            text in another notation. It raises :class:`ValueError` that names
            the wrong part of a text in this notation. Both are registered
            together; such a text is valid wherever a published name is.
        choices (optional): ``architecture -> dict[str, list[Choice]]``, the
            names of choices and options for the page of a search: group of the
            importance -> a :class:`Choice` per row, in the order of the rows.
            Without it the page numbers them.
        never_taken (tuple[str]): the options in ``choices`` that no
            architecture takes, such as ``none`` in DARTS: a choice needs no
            lead over them.
        draw (optional): ``(genotype, title, **options) -> Figure`` of
            matplotlib; the options are ``network_options``. Without it the
            space has no picture, and code that needs one says so.
        sheet (optional): ``(title, genotypes) -> Figure``, the architectures
            of several rows below each other, row -> genotype.
        phases (PhaseFormat, optional): how a search in phases is recorded.
            Without it ``phases`` of a config is refused.
        cost (CostFormat, optional): how costs are counted. Without it
            ``model.cost`` of a search is refused.
    """
    name: str
    title: str
    network: type
    check: Callable[[Any, Any, Any], None]
    summary: Callable[[dict], str]
    stages: Callable[[dict], int]
    network_options: tuple[str, ...] = ()
    recorded_options: tuple[str, ...] = ()
    blocks: Callable[[dict, int], dict[str, str]] | None = None
    published: Mapping[str, dict] = field(default_factory=dict)
    to_string: Callable[[dict], str] | None = None
    from_string: Callable[[str], dict | None] | None = None
    choices: Callable[[dict], dict[str, list[Choice]]] | None = None
    never_taken: tuple[str, ...] = ()
    draw: Callable[..., Any] | None = None
    sheet: Callable[[str, Mapping[str, Any]], Any] | None = None
    phases: PhaseFormat | None = None
    cost: CostFormat | None = None


_formats: dict[str, SpaceFormat] = {}
# imports the package's spaces once, at the first look-up, as the package's other registries do
_package_spaces = Registry('space_format', scope=SCOPE, locations=[f'{SCOPE}.spaces'])


def register_space(space_format: SpaceFormat) -> None:
    """Make a space known by its name.

    Raises:
        ValueError: if its name or a published name is taken, or if ``to_string`` or ``from_string`` is missing while
            the other is there.
    """
    if (space_format.to_string is None) != (space_format.from_string is None):
        lacking = 'to_string' if space_format.to_string is None else 'from_string'
        raise ValueError(f'SpaceFormat.{lacking} of {space_format.name!r} is missing; to_string and from_string are '
                         'registered together')
    if space_format.name in _formats:
        raise ValueError(f'SpaceFormat.name={space_format.name!r} is registered already; each space needs another '
                         'name')
    for other in _formats.values():
        taken = sorted(set(other.published) & set(space_format.published))
        if taken:
            raise ValueError(f'SpaceFormat.published of {space_format.name!r} has {taken[0]!r}, which {other.name!r} '
                             'has already')
    _formats[space_format.name] = space_format


def registered_spaces() -> Mapping[str, SpaceFormat]:
    """All spaces by name: the package's spaces, then imported ones, in the order of their registration."""
    _package_spaces.import_from_location()
    return _formats


def format_of(space: str) -> SpaceFormat:
    """The format of a space.

    Raises:
        ValueError: if no space of that name is registered.
    """
    formats = registered_spaces()
    if space not in formats:
        raise ValueError(f'space={space!r} is not registered; {known_spaces()}')
    return formats[space]


def known_spaces() -> str:
    """The end of an error about an unknown name."""
    return (f'known spaces are {", ".join(registered_spaces())}; a space in a file of yours is known once '
            'custom_imports of a config has imported it')
