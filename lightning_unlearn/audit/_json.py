"""A report as JSON text, and back: the types in `_report` say how."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np

from lightning_unlearn.audit._hints import arguments, entries_of, fitting
from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.errors import ConfigurationError

_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def to_json(report: AuditReport) -> str:
    """The report as JSON, the same text for the same report.

    Fields come in the order of their declaration, keys of mappings sorted. Numbers that are not finite are the strings
    `"inf"`, `"-inf"` and `"nan"`, for which JSON has no other name.

    Args:
        report: What an audit has found.

    Returns:
        JSON with a line feed at its end, as `schema.json` describes it.

    Raises:
        ConfigurationError: The report holds a value of another type than it declares; it says where.

    Example:
        >>> from lightning_unlearn.audit._report import Estimate
        >>> _plain(Estimate(float("inf"), 0, None), Estimate, "estimate")
        {'value': 'inf', 'low': 0.0, 'high': None}
    """
    plain = _plain(report, AuditReport, "report")
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str) -> AuditReport:
    """The report that `to_json` wrote, with tuples for its sequences.

    What the report declares as `Any` (arguments, versions) stays as JSON has it: lists, and strings for infinities.

    Args:
        text: JSON.

    Returns:
        A report whose JSON is `text` again.

    Raises:
        ConfigurationError: The text is no JSON, or no report; it says where.

    Example:
        >>> try:
        ...     from_json("{}")
        ... except ConfigurationError as error:
        ...     print(str(error)[:52])
        `report` must have the entries verdict, request, sid
    """
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"`report` must be JSON, found something else: {error}. Name a file that an audit has written."
        ) from error
    report = _built(plain, AuditReport, "report")
    assert isinstance(report, AuditReport)
    return report


def _plain(value: Any, hint: Any, where: str) -> Any:
    """`value` in terms of JSON."""
    hint = fitting(value, hint)
    if hint is Any:
        return _any(value, where)
    if isinstance(hint, type) and is_dataclass(hint):
        if not isinstance(value, hint):
            raise _refusal(value, hint, where)
        return {name: _plain(getattr(value, name), of, f"{where}.{name}") for name, of in entries_of(hint)}
    if get_origin(hint) is Mapping:
        _require_mapping(value, hint, where)
        of = get_args(hint)[1]
        return {key: _plain(value[key], of, f"{where}[{key!r}]") for key in sorted(value)}
    if get_origin(hint) in (Sequence, tuple):
        return [_plain(item, of, at) for item, of, at in _items(value, hint, where)]
    if hint is float and _is(Real, value):
        return _number(float(value))
    return _leaf(value, hint, where)


def _built(plain: Any, hint: Any, where: str) -> Any:
    """The inverse of `_plain`."""
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
        return hint(**{name: _built(plain[name], of, f"{where}.{name}") for name, of in named.items()})
    if get_origin(hint) is Mapping:
        _require_mapping(plain, hint, where)
        of = get_args(hint)[1]
        return {key: _built(item, of, f"{where}[{key!r}]") for key, item in plain.items()}
    if get_origin(hint) in (Sequence, tuple):
        return tuple(_built(item, of, at) for item, of, at in _items(plain, hint, where))
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
