"""What all reports share: numbers in words, Markdown, JSON by the types of dataclasses, the frame of a page, the look of figures."""

from lightning_unlearn.rendering._markdown import escaped, markdown_list, markdown_table
from lightning_unlearn.rendering._page import page
from lightning_unlearn.rendering._plain import of_plain, to_plain
from lightning_unlearn.rendering._schema import schema_of
from lightning_unlearn.rendering._style import (
    FAINT,
    GRID,
    INK,
    ORIGINAL,
    PAPER,
    REFERENCE,
    UNLEARNED,
    VARIANTS,
    Shown,
    any_script,
    drawing,
    legend,
    slug,
)
from lightning_unlearn.rendering._svg import svg
from lightning_unlearn.rendering._text import NONE, leaves, number, share

__all__ = [
    "FAINT",
    "GRID",
    "INK",
    "NONE",
    "ORIGINAL",
    "PAPER",
    "REFERENCE",
    "Shown",
    "UNLEARNED",
    "VARIANTS",
    "any_script",
    "drawing",
    "escaped",
    "leaves",
    "legend",
    "markdown_list",
    "markdown_table",
    "number",
    "of_plain",
    "page",
    "schema_of",
    "share",
    "slug",
    "svg",
    "to_plain",
]
