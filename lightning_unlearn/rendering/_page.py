"""One page that needs nothing beside it: no network, no script, no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from lightning_unlearn.rendering import _text
from lightning_unlearn.rendering._style import Shown
from lightning_unlearn.rendering._svg import svg


def page(package: str, filters: Mapping[str, Callable[..., Any]], **values: Any) -> str:
    """The page of a package, `page/page.html` and `page/page.css` in it, with the frame and the look that all share.

    Everything that is put into it is escaped. The frame has the blocks `title`, `brand`, `asked`, `main` and `foot`;
    `macros.html` has a table that scrolls (`scroll`), one of two columns (`pairs`), and a figure with its numbers (`drawing`).

    Args:
        package: whose page, as it is imported.
        filters: what the page calls, beside `number`, `share`, `leaves` and `svg`.
        values: what it shows.

    Returns:
        HTML with its styles and figures in it; the same text for the same values.
    """
    ours, theirs = files("lightning_unlearn.rendering") / "page", files(package) / "page"
    places = {"base.html": ours, "macros.html": ours, "page.html": theirs}
    environment = Environment(
        loader=DictLoader({name: (at / name).read_text(encoding="utf-8") for name, at in places.items()}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_text.number, share=_text.share, leaves=_text.leaves, svg=_inline, **filters
    )
    style = "".join(
        (at / name).read_text(encoding="utf-8") for at, name in ((ours, "base.css"), (theirs, "page.css"))
    )
    return environment.get_template("page.html").render(style=style, **values) + "\n"


def _inline(shown: Shown) -> str:
    return svg(shown.figure, shown.name)
