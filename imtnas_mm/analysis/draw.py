"""Draws an architecture as SVG and PNG, if its search space registers a drawing function."""
import logging
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from ..genotype import Genotype
from ..picture import write_picture
from ..space_format import format_of
from .draw_sharing import sharing_figure


def draw_genotype(genotype: Genotype, path_stem: str | Path, title: str | None = None, **options: Any
                  ) -> tuple[Path, ...]:
    """Draw an architecture.

    Args:
        genotype (Genotype): an architecture of any registered space. If the
            space has no picture, a warning says so and no picture is drawn.
        path_stem (str | Path): the path of the files without ``.svg`` and
            ``.png``.
        title (str, optional): follows the name of the space; by default the
            source of the genotype.
        options: ``network_options`` of the space that differ from its
            defaults.

    Returns:
        tuple[Path]: the SVG and the PNG, if the space has a picture. An
        architecture with ``sharing`` has two more, ``<stem>_sharing``, which
        show the shared parts.

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
    """The warning about a space without a drawing function."""
    return f'the space {space} has no picture: its SpaceFormat has no draw; the architecture file has all of it'


def source_title(genotype: Genotype) -> str:
    """The source of an architecture in a few words: a published name, or the search's config and iteration."""
    source = genotype.source or {}
    parts = [str(source[key]) for key in ('name', 'config') if key in source]
    if 'iteration' in source:
        parts.append(f'iteration {source["iteration"]}')
    return ', '.join(parts)
