"""Names the settings of a config that have no effect in a search method."""
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log


def tell_unused(method: str, settings: Sequence[str], why: str) -> None:
    """Logs a warning that names settings without an effect, as ``model.recompute='views'``; none for no settings."""
    if settings:
        print_log(f'{method} has no use for {", ".join(settings)}: {why}', 'current', logging.WARNING)


def set_apart(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """``model.name=value`` of each value that is not its default."""
    return [f'model.{name}={values[name]!r}' for name, default in defaults.items()
            if name in values and values[name] != default]
