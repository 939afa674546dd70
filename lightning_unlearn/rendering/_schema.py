"""The JSON Schema of a dataclass, with its docstrings as descriptions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from inspect import getdoc
from typing import Any, Literal, get_args, get_origin

from lightning_unlearn.rendering._hints import entries_of, members

_NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]}
_LEAVES: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    float: _NUMBER,
    Any: {},
}


def schema_of(kind: type, form: str) -> dict[str, Any]:
    """The schema, draft 2020-12, of what `to_plain` makes of a dataclass.

    Args:
        kind: the dataclass; it has a field `format`, and every field is described in its docstring.
        form: the name and version of the format, which that field holds.
    """
    definitions: dict[str, Any] = {}
    top = _object(kind, definitions)
    top["properties"]["format"]["const"] = form
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{form.replace(' ', ':')}",
        "title": form,
        **top,
        "$defs": dict(sorted(definitions.items())),
    }


def _object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    summary, _, attributes = (getdoc(kind) or "").partition("\n\nAttributes:\n")
    said = dict(re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE))
    properties = {
        name: {"description": re.sub(r"\s+", " ", said[name]), **_of(hint, definitions)}
        for name, hint in entries_of(kind)
    }
    return {
        "description": summary,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _of(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if len(members(hint)) > 1:
        found = [_of(of, definitions) for of in members(hint)]
        return {"anyOf": [inner for one in found for inner in one.get("anyOf", [one])]}
    if is_dataclass(hint):
        name = hint.__name__ if isinstance(hint, type) else type(hint).__name__
        if name not in definitions:
            definitions[name] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{name}"}
    origin = get_origin(hint)
    if origin is Literal:
        return {"enum": list(get_args(hint))}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _of(get_args(hint)[1], definitions)}
    if origin is Sequence:
        return {"type": "array", "items": _of(get_args(hint)[0], definitions)}
    if origin is tuple:
        of = [_of(item, definitions) for item in get_args(hint)]
        return {"type": "array", "prefixItems": of, "items": False, "minItems": len(of)}
    return dict(_LEAVES[hint])
