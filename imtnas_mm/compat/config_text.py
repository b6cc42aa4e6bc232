"""Formats the text of a config once: mmengine formats it anew for each log, backend and checkpoint."""
import functools
import json
from typing import Any

from yapf.yapflib import yapf_api

from .private import LIBRARIES, Private

NAMES = (
    Private(
        'yapf.yapflib.yapf_api.FormatCode', '',
        "replaced by a function that remembers its last results: yapf takes .4 s for a config, and mmengine's Config "
        'asks for the same text at each checkpoint', seen=(*LIBRARIES, 'yapf 0.43.0')),
)
_REMEMBERED = 8


def remembering(function: Any) -> Any:
    """``function(text, style_config=dict, verify=...)`` that keeps its last results; others' arguments pass through."""

    @functools.lru_cache(_REMEMBERED)
    def of_text(text: str, style: str, options: str) -> Any:
        return function(text, style_config=json.loads(style), **json.loads(options))

    @functools.wraps(function)
    def format_code(text: str, *args: Any, style_config: Any = None, **options: Any) -> Any:
        if args or not isinstance(style_config, dict):
            return function(text, *args, style_config=style_config, **options)
        return of_text(text, json.dumps(style_config), json.dumps(options))

    marked: Any = format_code
    marked.remembers = True
    return marked


def install() -> None:
    """Replaces yapf's function for the rest of this process."""
    if not getattr(yapf_api.FormatCode, 'remembers', False):
        yapf_api.FormatCode = remembering(yapf_api.FormatCode)
