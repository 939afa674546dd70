"""The best trials in a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lightning_unlearn.rendering import NONE
from lightning_unlearn.tune._search import Search
from lightning_unlearn.tune._trial import Trial, ordered
from lightning_unlearn.tune.report._words import DISTANCES, HEADS, findings, percent, points, shown, state

WIDTH = 100
_BEST = 5


def show(search: Search, console: Console) -> None:
    """Print the best trials, the first one, and what they are measured by.

    Args:
        search: with its trials.
        console: where to; a file that is no terminal is given `WIDTH` columns.
    """
    before = console.width
    if not console.is_terminal:
        console.width = WIDTH
    try:
        console.print(_table(search), highlight=False)
        for line in (*findings(search), DISTANCES[search.baseline.against]):
            console.print(Text(line))
    finally:
        if not console.is_terminal:
            console.width = before


def _table(search: Search) -> Table:
    title = Text(f"{search.strategy} on {search.request}", style="bold")
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title)
    table.add_column(Text("Trial"), justify="right")
    table.add_column(Text("Distance\npoints"), justify="right", no_wrap=True)
    for name in search.baseline.numbers:
        table.add_column(Text(HEADS[name].replace(" ", "\n")), justify="right", no_wrap=True)
    table.add_column(Text("Time\ns"), justify="right", no_wrap=True)
    table.add_column(Text("Values"), overflow="fold", ratio=1)
    best = ordered(search.trials)[:_BEST]
    for trial in best:
        table.add_row(*_cells(search, trial), end_section=trial is best[-1])
    if search.trials[0] not in best:
        table.add_row(*_cells(search, search.trials[0]))
    baseline = search.baseline
    table.add_row("", points(baseline.distance), *_numbers(search, baseline.original), NONE, Text("original"))
    if baseline.retrained is not None:
        table.add_row(
            "", points(baseline.floor), *_numbers(search, baseline.retrained), NONE, Text("retrained")
        )
    return table


def _cells(search: Search, trial: Trial) -> Sequence[Text | str]:
    values = Text("" if trial.number else "as it is: ", "italic")
    values.append(", ".join(f"{name} {shown(trial.values[name])}" for name in search.names), "not italic")
    if state(trial):
        lost = "failed" if trial.distance is None else f"retain accuracy {state(trial)}"
        values.append(f"\n{lost}", "red not italic")
    distance = Text(points(trial.distance))
    if len(trial.by_original) > 1:
        distance.append(f"\n±{np.std(trial.by_original, ddof=1):.2f}", "dim")
    seconds = NONE if trial.seconds is None else f"{trial.seconds:.2g}"
    return (str(trial.number), distance, *_numbers(search, trial.numbers), seconds, values)


def _numbers(search: Search, numbers: Mapping[str, float]) -> Sequence[str]:
    return [percent(numbers.get(name)) for name in search.baseline.numbers]
