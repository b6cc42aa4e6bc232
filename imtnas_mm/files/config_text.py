"""Reads values from the text of a config without running it, since a checkpoint's config can't be trusted."""
import ast
from typing import Any


def expression_at(text: str, *names: str) -> ast.expr | None:
    """The expression of a setting, such as ``('model', 'backbone')``, in mmengine's text of a config.

    Returns:
        ast.expr | None: None if the text has no such setting or isn't Python.
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, TypeError):  # the text of some objects is no Python
        return None
    values = [s.value for s in statements if isinstance(s, ast.Assign) and ast.unparse(s.targets[0]) == names[0]]
    node = values[-1] if values else None
    for name in names[1:]:
        node = keywords(node).get(name)
    return node


def keywords(node: ast.expr | None) -> dict[str | None, ast.expr]:
    """dict[str, ast.expr]: the arguments of a call, ``dict(...)``."""
    return {keyword.arg: keyword.value for keyword in node.keywords} if isinstance(node, ast.Call) else {}


def plain_value(node: ast.expr | None) -> Any:
    """The value of literals and calls of ``dict``.

    Raises:
        ValueError: if the expression has anything else in it.
    """
    if isinstance(node, ast.Call) and ast.unparse(node.func) == 'dict' and None not in keywords(node):
        entries = [plain_value(argument) for argument in node.args if isinstance(argument, ast.Dict)]
        if len(entries) == len(node.args) < 2:  # dict({'a key': 1})
            return {**dict(*entries), **{name: plain_value(value) for name, value in keywords(node).items()}}
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {plain_value(key): plain_value(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.List):
        return [plain_value(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(plain_value(item) for item in node.elts)
    if node is None:
        raise ValueError('there is no expression')
    return ast.literal_eval(node)
