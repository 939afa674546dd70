"""Numbers and nested values as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NONE = "–"


def number(value: float | None) -> str:
    """Three or four digits that matter; infinities and NaN by name.

    Example:
        >>> [number(x) for x in (None, 0, 0.98765, -12.345, 12345.6, 1.5e-7, float("inf"))]
        ['–', '0', '0.988', '−12.3', '12,346', '1.5e−07', '∞']
    """
    if value is None:
        return NONE
    if math.isnan(value):
        return "not a number"
    size = abs(value)
    if math.isinf(size):
        text = "∞"
    elif size == int(size) and size < 1e6:
        text = f"{int(size):,}"
    elif size < 5e-4:
        text = f"{size:.2g}".replace("-", "−")
    else:
        text = f"{size:.3f}" if size < 9.9995 else f"{size:.1f}" if size < 999.95 else f"{size:,.0f}"
    return f"−{text}" if value < 0 else text


def share(value: float | None) -> str:
    r"""A share as a percentage.

    Example:
        >>> share(0.98765), share(0.001), share(1), share(None)
        ('98.8\xa0%', '0.1\xa0%', '100\xa0%', '–')
    """
    if value is None or not math.isfinite(value):
        return number(value)
    return f"{100 * value:.1f}".removesuffix(".0").replace("-", "−") + "\N{NO-BREAK SPACE}%"


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Nested values as lines: a dotted name and a text.

    Example:
        >>> list(leaves({"b": {"d": 1, "c": True}, "a": [1, 2]}))
        [('a', '1, 2'), ('b.c', 'yes'), ('b.d', '1')]
    """
    if isinstance(value, Mapping) and value:
        for inner in sorted(value):
            yield from leaves(value[inner], f"{key}.{inner}" if key else str(inner))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        if any(isinstance(item, Mapping) for item in value):
            for n, item in enumerate(value):
                yield from leaves(item, f"{key}[{n}]")
        else:
            yield key, ", ".join(_said(item) for item in value) or NONE
    else:
        yield key, _said(value)


def _said(value: Any) -> str:
    if value is None or value == {}:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
