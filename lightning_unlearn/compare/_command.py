"""`lightning-unlearn compare`."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

from rich.console import Console

from lightning_unlearn.compare._comparison import comparison_of
from lightning_unlearn.compare._config import CompareCLI
from lightning_unlearn.compare._run import LIST, run
from lightning_unlearn.compare._tasks import read_first, task_arguments
from lightning_unlearn.compare.report import read_cells, write_reports

_FAILED = 1  # exit status if a cell has failed


def compare(arguments: list[str]) -> None:
    """Run the comparison that the arguments ask for, or write its reports again.

    Raises:
        ConfigurationError: something does not fit; nothing has been trained then.
        UnlearningError: a report could not be written.
        SystemExit: the arguments do not parse, a cell has failed (1), or Ctrl-C (130).
    """
    first, rest = read_first(arguments)
    console, messages = Console(), Console(stderr=True)
    if first["report"] is not None:
        folder = Path(first["report"])
        names = _listed(folder)
        write_reports(read_cells(folder, names), folder, console, None if names is None else len(names))
        return
    comparison = comparison_of(CompareCLI([*task_arguments(first["task"], first["data_dir"]), *rest]).config)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)  # Lightning's
            cells = run(comparison, console, messages)
    except KeyboardInterrupt:
        messages.print("Interrupted. The same command goes on from here.")
        sys.exit(130)
    failed = [cell for cell in cells if cell["error"] is not None]
    if failed:
        messages.print(
            f"{len(failed)} of {len(cells)} cells failed; the report says why. The same command tries them again."
        )
        sys.exit(_FAILED)


def _listed(folder: Path) -> list[str] | None:
    """Names of the cells of the last comparison in a folder; `None` without a list."""
    try:
        names: list[str] = json.loads((folder / LIST).read_text("utf-8"))["cells"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return names
