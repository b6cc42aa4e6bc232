"""Roles of Sphinx in docstrings, such as :class:`~mmengine.runner.Runner`, as code of Markdown."""
import re
from typing import Any

import griffe

ROLE = re.compile(r':[a-z]+:`(?:[^`<]*<)?(~?)\.*([^`>]+)>?`')


def without_roles(text: str) -> str:
    """``:class:`~a.b.C``` -> ``C``, ``:func:`a.b``` -> ``a.b``, both as code."""
    return ROLE.sub(lambda role: f'`{role[2].rpartition(".")[2] if role[1] else role[2]}`', text)


class Roles(griffe.Extension):

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = without_roles(obj.docstring.value)
