"""What the dataclasses of a report declare, looked up once."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints


@cache
def entries_of(kind: Any) -> tuple[tuple[str, Any], ...]:
    """Names and types of the fields of a dataclass, in their order."""
    hints = get_type_hints(kind)
    return tuple((field.name, hints[field.name]) for field in fields(kind))


@cache
def members(hint: Any) -> tuple[Any, ...]:
    """The members of a union; of any other type itself."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def fitting(value: Any, hint: Any) -> Any:
    """The member of a union that `value` belongs to: none of ours has two that are neither `None` nor a number."""
    if len(members(hint)) == 1:
        return hint
    if value is None and type(None) in members(hint):
        return type(None)
    first, *others = (of for of in members(hint) if of is not type(None))
    return others[0] if others and isinstance(value, str) and value not in ("inf", "-inf", "nan") else first


def arguments(hint: Any, count: int) -> tuple[Any, ...] | None:
    """The types of `count` items of a sequence or a tuple; `None` if there cannot be so many."""
    found = get_args(hint)
    if get_origin(hint) is Sequence:
        return found * count
    return found if len(found) == count else None
