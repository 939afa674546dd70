"""All reports of a comparison, in a folder and on the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from lightning_unlearn._files import atomically, prepare_folder
from lightning_unlearn.compare.report._csv import raw_csv, summary_csv
from lightning_unlearn.compare.report._html import to_html
from lightning_unlearn.compare.report._json import to_json
from lightning_unlearn.compare.report._markdown import to_markdown
from lightning_unlearn.compare.report._read import cells_of
from lightning_unlearn.compare.report._summarise import summarise
from lightning_unlearn.compare.report._terminal import show
from lightning_unlearn.errors import UnlearningError


def write_reports(
    cells: Sequence[Mapping[str, Any]], folder: Path | str, console: Console, planned: int | None = None
) -> dict[str, Path]:
    """Print the tables of a comparison, and write `report.md`, `.csv`, `.json`, `.html` and `summary.csv`.

    Everything is made before the first file is written, and each file is complete or not at all. The same cells give the
    same bytes in whatever order they come (with the same version of Matplotlib). Cells that failed or are missing are
    named, and the rest is shown.

    Args:
        cells: as their files have them; see `read_cells`.
        folder: where to; made where it is absent.
        console: where the tables are printed.
        planned: how many cells the comparison has, if that is known: the reports say how many are not there.

    Returns:
        The paths by name.

    Raises:
        ConfigurationError: there is no cell, one is no cell, or they are not of one comparison; or the folder cannot be
            written to.
        UnlearningError: a file could not be written, for want of room for instance.
    """
    comparison = summarise(cells_of(cells), planned)
    texts = {
        "report.json": to_json(comparison),
        "report.csv": raw_csv(comparison),
        "summary.csv": summary_csv(comparison),
        "report.md": to_markdown(comparison),
        "report.html": to_html(comparison),
    }
    show(comparison, console)
    path = prepare_folder(folder)
    try:
        for name, text in texts.items():
            with atomically(path / name) as temporary:
                temporary.write_bytes(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UnlearningError(
            f"The reports could not be written to {path}: {error.strerror or error}. The cells are kept: make room, and run "
            f"`lightning-unlearn compare --report {path}`."
        ) from error
    return {name: path / name for name in texts}
