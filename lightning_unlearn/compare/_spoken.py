"""Classes with arguments, written as one would write them in Python."""

from __future__ import annotations

import ast
import inspect
from pydoc import ErrorDuringImport, locate
from typing import Any

from lightning_unlearn.errors import ConfigurationError


def spoken(text: str) -> dict[str, Any]:
    """`class_path` and `init_args` of a class name, or of a call with keyword arguments; nothing is run.

    Args:
        text: such as `SFRon`, `SFRon(alpha=2)`, `SFRon(predict=my_module.predict)` or
            `GradientSurgery(objective=Bounded(offset=0.01))`.

    Raises:
        ConfigurationError: it is something else.

    Example:
        >>> spoken("SFRon")
        {'class_path': 'SFRon', 'init_args': {}}
        >>> spoken("GradientSurgery(alpha=0.03, objective=my.Own(offset=-1))")["init_args"]["objective"]
        {'class_path': 'my.Own', 'init_args': {'offset': -1}}
    """
    try:
        return _class(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError) as error:
        raise ConfigurationError(
            f"A strategy must be a class, or a call of one with keyword arguments of plain values, found {text!r}. Write for "
            "instance `\"GradientSurgery(alpha=0.03, batch_norm='eval')\"`."
        ) from error


def _class(node: ast.expr) -> dict[str, Any]:
    if not isinstance(node, ast.Call):
        return {"class_path": _path(node), "init_args": {}}
    if node.args or any(keyword.arg is None for keyword in node.keywords):
        raise ValueError("arguments without names")
    arguments = {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    return {"class_path": _path(node.func), "init_args": arguments}


def _path(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_path(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    raise ValueError("no name")


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Attribute) and inspect.isroutine(_found(_path(node))):
        return _path(node)
    if isinstance(node, ast.Call | ast.Name | ast.Attribute):
        return _class(node)
    return ast.literal_eval(node)


def _found(path: str) -> object:
    try:
        return locate(path)
    except ErrorDuringImport:
        return None
