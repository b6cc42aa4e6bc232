"""Pictures of the architectures of any space that registers a drawer, as SVG and PNG."""
import logging
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from ..genotype import Genotype
from ..space_format import format_of
from .draw_sharing import sharing_figure
from .picture import write_picture


def draw_genotype(genotype: Genotype, path_stem: str | Path, title: str | None = None, **options: Any
                  ) -> tuple[Path, ...]:
    """Draw an architecture.

    Args:
        genotype (Genotype): of any registered space. Where the space has no
            picture, a warning says so and the picture is left out.
        path_stem (str | Path): the files are this with ``.svg`` and ``.png``.
        title (str, optional): goes behind the name of the space; by default
            what the genotype's source says.
        options: the space's ``network_options``, where they are not its own
            defaults.

    Returns:
        tuple[Path]: the SVG and the PNG, if the space has a picture; of an
        architecture with ``sharing`` also those of what the tasks share,
        ``<stem>_sharing``.

    Raises:
        ValueError: if the space is not registered.
    """
    space_format = format_of(genotype.space)
    title = source_title(genotype) if title is None else title
    paths: tuple[Path, ...] = ()
    if space_format.draw is None:
        print_log(no_picture(genotype.space), 'current', logging.WARNING)
    else:
        draw = space_format.draw
        paths += write_picture(path_stem, lambda: draw(genotype, title, **options))
    if genotype.sharing is not None:
        paths += write_picture(f'{path_stem}_sharing', lambda: sharing_figure(genotype, space_format.title, title))
    return paths


def no_picture(space: str) -> str:
    """What is said of a space without a drawer."""
    return f'the space {space} has no picture: its SpaceFormat has no draw; the architecture file has all of it'


def source_title(genotype: Genotype) -> str:
    """Where an architecture is from, in a few words: a published name, or the search's config and iteration."""
    source = genotype.source or {}
    parts = [str(source[key]) for key in ('name', 'config') if key in source]
    if 'iteration' in source:
        parts.append(f'iteration {source["iteration"]}')
    return ', '.join(parts)
