"""All that a search shows, in its folder and on the console."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from lightning_unlearn.tune._record import write_texts
from lightning_unlearn.tune._search import Search
from lightning_unlearn.tune._trial import best_of
from lightning_unlearn.tune.report._csv import trials_csv
from lightning_unlearn.tune.report._entry import entry_yaml
from lightning_unlearn.tune.report._html import to_html
from lightning_unlearn.tune.report._table import show

BEST = "best.yaml"


def write_reports(search: Search, folder: Path, console: Console) -> None:
    """Print the best trials, and write `trials.csv`, `report.html` and, if there is a best trial, `best.yaml`.

    Each file is complete or not at all. The same search gives the same bytes (with the same version of Matplotlib).

    Args:
        search: with at least one trial.
        folder: that is there.
        console: where the table is printed.

    Raises:
        UnlearningError: a file could not be written.
    """
    texts = {"trials.csv": trials_csv(search), "report.html": to_html(search)}
    best = best_of(search.trials)
    if best is None:
        (folder / BEST).unlink(missing_ok=True)  # of fewer trials
    else:
        texts[BEST] = entry_yaml(search, best)
    show(search, console)
    write_texts(folder, texts)
