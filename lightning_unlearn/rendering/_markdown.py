"""Tables, lists and escaped text as GitHub's Markdown has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""A table; every cell is escaped.

    Example:
        >>> print(markdown_table(("name", "value"), [("a|b", "1")]))
        | name | value |
        | --- | --- |
        | a\|b | 1 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell if n == 1 else escaped(cell) for cell in line) + " |"
        for n, line in enumerate(lines)
    )


def markdown_list(items: Sequence[str], mark: str = "-") -> str:
    """One line an item, escaped.

    Example:
        >>> print(markdown_list(["first", "second"], "1."))
        1. first
        1. second
    """
    return "\n".join(f"{mark} {escaped(item)}" for item in items)


def escaped(text: str) -> str:
    r"""The text on one line, with nothing in it that Markdown or HTML would read as more than text.

    Example:
        >>> escaped("a|b <script> *c*")
        'a\\|b &lt;script&gt; \\*c\\*'
    """
    text = re.sub(r"\s+", " ", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#!$])", r"\\\1", text)
