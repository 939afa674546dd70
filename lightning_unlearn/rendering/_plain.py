"""Dataclasses as plain values that JSON can say, and back: their types say how."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.rendering._hints import arguments, entries_of, fitting

_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def to_plain(value: Any, hint: Any, where: str) -> Any:
    """`value` in terms of JSON.

    Fields come in the order of their declaration, keys of mappings sorted. Numbers that are not finite are the strings
    `"inf"`, `"-inf"` and `"nan"`, for which JSON has no other name.

    Args:
        value: a dataclass, or what one holds.
        hint: what it is declared as.
        where: how an error names it.

    Raises:
        ConfigurationError: it holds a value of another type than it declares; the message says where.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Estimate:
        ...     value: float
        ...     low: float | None
        >>> to_plain(Estimate(float("inf"), None), Estimate, "estimate")
        {'value': 'inf', 'low': None}
    """
    hint = fitting(value, hint)
    if hint is Any:
        return _any(value, where)
    if isinstance(hint, type) and is_dataclass(hint):
        if not isinstance(value, hint):
            raise _refusal(value, hint, where)
        return {name: to_plain(getattr(value, name), of, f"{where}.{name}") for name, of in entries_of(hint)}
    if get_origin(hint) is Mapping:
        _require_mapping(value, hint, where)
        of = get_args(hint)[1]
        return {key: to_plain(value[key], of, f"{where}[{key!r}]") for key in sorted(value)}
    if get_origin(hint) in (Sequence, tuple):
        return [to_plain(item, of, at) for item, of, at in _items(value, hint, where)]
    if hint is float and _is(Real, value):
        return _number(float(value))
    return _leaf(value, hint, where)


def of_plain(plain: Any, hint: Any, where: str) -> Any:
    """The inverse of `to_plain`."""
    hint = fitting(plain, hint)
    if hint is Any:
        return plain
    if isinstance(hint, type) and is_dataclass(hint):
        _require_mapping(plain, hint, where)
        named = dict(entries_of(hint))
        if named.keys() != plain.keys():
            raise ConfigurationError(
                f"`{where}` must have the entries {', '.join(named)}; found {', '.join(plain) or 'none'}. "
                "Use the version of the package that has written it."
            )
        return hint(**{name: of_plain(plain[name], of, f"{where}.{name}") for name, of in named.items()})
    if get_origin(hint) is Mapping:
        _require_mapping(plain, hint, where)
        of = get_args(hint)[1]
        return {key: of_plain(item, of, f"{where}[{key!r}]") for key, item in plain.items()}
    if get_origin(hint) in (Sequence, tuple):
        return tuple(of_plain(item, of, at) for item, of, at in _items(plain, hint, where))
    if hint is float and isinstance(plain, str) and plain in _NOT_FINITE:
        return _NOT_FINITE[plain]
    if hint is float and _is(Integral, plain):
        return float(plain)
    return _leaf(plain, hint, where)


def _leaf(value: Any, hint: Any, where: str) -> Any:
    if hint is int and _is(Integral, value):
        return int(value)
    if hint is bool and isinstance(value, bool | np.bool_):
        return bool(value)
    if get_origin(hint) is Literal and value in get_args(hint):
        return value
    if hint in (str, float, type(None)) and isinstance(value, hint):
        return value
    raise _refusal(value, hint, where)


def _any(value: Any, where: str) -> Any:
    """A value of which nothing is declared."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return _number(float(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        _require_mapping(value, Mapping[str, Any], where)
        return {key: _any(value[key], f"{where}[{key!r}]") for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_any(item, f"{where}[{n}]") for n, item in enumerate(value)]
    raise _refusal(value, "a plain value", where)


def _is(kind: type, value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)  # although Python counts with them


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _items(value: Any, hint: Any, where: str) -> list[tuple[Any, Any, str]]:
    of = arguments(hint, len(value)) if isinstance(value, list | tuple) else None
    if of is None:
        raise _refusal(value, hint, where)
    return [(item, kind, f"{where}[{n}]") for n, (item, kind) in enumerate(zip(value, of, strict=True))]


def _require_mapping(value: Any, hint: Any, where: str) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _refusal(value, hint, where)


def _refusal(value: Any, hint: Any, where: str) -> ConfigurationError:
    wanted = (
        hint.__name__
        if isinstance(hint, type)
        else str(hint).replace("typing.", "").replace("collections.abc.", "")
    )
    return ConfigurationError(
        f"`{where}` must be {wanted}, found {str(value)[:60]!r} ({type(value).__name__}). Put a plain value there."
    )
