"""What a search space registers beside its supernet: how its architectures are checked, summarised, built and drawn.

A search space is a supernet (a :class:`SearchSpace`), the network that an
architecture of it stands for (a :class:`DerivedNet`), and a
:class:`SpaceFormat` that is handed to :func:`register_space`. All three may
stand in one file that a config names in ``custom_imports``. Nothing else in the
package knows a space by name.
"""
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmengine.registry import Registry

from .registry import SCOPE


@dataclass(frozen=True, kw_only=True)
class SpaceFormat:
    """The contract between a search space and all that handles its architectures.

    An *architecture* is the dict of that name in an architecture file: JSON
    values alone (dicts with text as keys, lists, text, numbers, booleans,
    ``None``). The supernet's ``derive`` makes it; the other functions get one
    that ``check`` has let pass.

    Args:
        name (str): of the space: ``space`` in architecture files, and what
            ``derive`` of the supernet gives its :class:`Genotype`.
        title (str): of the space, in pictures.
        network (type): a subclass of :class:`DerivedNet`, built as
            ``network(architecture=genotype, **options)``.
        check: ``(architecture, importance, root) -> None``. ``importance`` is
            None, or the softmaxed alphas, which are JSON values too. Both are
            whatever the file holds. ``root`` is the :class:`Place` of the
            file's top; ``root['architecture']['layers'][3].fail(value, right)``
            refuses a value. :func:`check_object` and :func:`check_importance`
            of ``imtnas_mm.genotype`` do most of it.
        summary: ``architecture -> str``, one line for logs.
        stages: ``architecture -> int``, the number of stages of the supernet
            and of the derived network, which ``out_indices`` and
            ``frozen_stages`` count and a fusion joins.
        network_options (tuple[str]): options of the supernet that the derived
            network takes as well, such as its width. They are handed on to
            ``network`` and to ``draw``, and a checkpoint's are compared with
            the config's.
        recorded_options (tuple[str]): options of the supernet that its
            architectures record, which are compared likewise.
        blocks (optional): ``(architecture, number) -> dict[str, str]``, the
            blocks that tasks may share or not, in order: the names of the
            supernet's :meth:`SearchSpace.blocks`, and for pictures what each
            block is, in a few words. A search network may be of several
            depths: ``number`` is that of the blocks in the file; the answer is
            for the nearest number that is legal. Without it a branching of the
            space is refused.
        published (dict[str, dict]): architectures by their published names.
        to_string (optional): ``architecture -> str``, the architecture in the
            notation of the space's benchmark, which tables of accuracies list.
        from_string (optional): ``str -> architecture``, its inverse, or None
            for a text that is not in this notation at all. It raises
            :class:`ValueError` with the wrong part of a text that is. Both are
            registered together; a text that ``from_string`` reads is taken
            wherever a published name is.
        draw (optional): ``(genotype, title, **options) -> Figure`` of
            matplotlib; the options are ``network_options``. Without it the
            space has no picture, and whoever asks for one is told so.
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
    draw: Callable[..., Any] | None = None


_formats: dict[str, SpaceFormat] = {}
# its location is imported once, when the first format is asked for, as those of all the package's registries are
_own_spaces = Registry('space_format', scope=SCOPE, locations=[f'{SCOPE}.spaces'])


def register_space(space_format: SpaceFormat) -> None:
    """Make a space known by its name.

    Raises:
        ValueError: if its name, or one of its published names, is taken; if it has one of ``to_string`` and
            ``from_string`` without the other.
    """
    if (space_format.to_string is None) != (space_format.from_string is None):
        lacking = 'to_string' if space_format.to_string is None else 'from_string'
        raise ValueError(f'SpaceFormat.{lacking} of {space_format.name!r} is missing; to_string and from_string are '
                         'registered together')
    if space_format.name in _formats:
        raise ValueError(f'SpaceFormat.name={space_format.name!r} is registered already; a space needs a name of its '
                         'own')
    for other in _formats.values():
        taken = sorted(set(other.published) & set(space_format.published))
        if taken:
            raise ValueError(f'SpaceFormat.published of {space_format.name!r} has {taken[0]!r}, which {other.name!r} '
                             'has already')
    _formats[space_format.name] = space_format


def registered_spaces() -> Mapping[str, SpaceFormat]:
    """All spaces by name: those of the package, then those that were imported, in the order of their registration."""
    _own_spaces.import_from_location()
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
    """What an error says about a name that is not registered."""
    return (f'known spaces are {", ".join(registered_spaces())}; the space of a file of your own is known once '
            'custom_imports of a config has imported it')
