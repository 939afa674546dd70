"""A comparison in a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from lightning_unlearn.compare.report._cell import MEASURES
from lightning_unlearn.compare.report._columns import (
    GAP_WORDS,
    absent_words,
    failure_words,
    marks,
    settings_words,
)
from lightning_unlearn.compare.report._format import fixed, mean_amount, reached
from lightning_unlearn.compare.report._summary import Comparison, Paired, Request, Row, Spread
from lightning_unlearn.rendering import NONE

WIDTH = 100
_HEADS = ("Forget\nacc. %", "Retain\nacc. %", "Test\nacc. %", "Mem-\nber %", "Avg.\ngap", "Rank", "minus\nf.tun.", "minus\nascent", "Steps", "to\ntarget", "Time s\n% retr")  # fmt: skip


def show(comparison: Comparison, console: Console) -> None:
    """Print one table for each request, with what it says and what it lacks.

    Args:
        comparison: what was found.
        console: where to; a file that is no terminal is given `WIDTH` columns.
    """
    before = console.width
    if not console.is_terminal:
        console.width = WIDTH
    try:
        for request in comparison.requests:
            console.print(_request(request), highlight=False)
        for said in absent_words(comparison):
            console.print(Text(said))
        console.print(Text(f"± standard deviation over cells. {GAP_WORDS}", style="dim"))
    finally:
        if not console.is_terminal:
            console.width = before


def _request(request: Request) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, padding=0, title=Text(request.name, style="bold"))
    table.add_column(Text("Strategy"), overflow="fold", min_width=12)
    for head in _HEADS:
        table.add_column(Text(head), justify="right", no_wrap=True)
    for row, following in zip(request.rows, [*request.rows[1:], None], strict=True):
        last = row.kind == "strategy" and following is not None and following.kind != "strategy"
        table.add_row(*_cells(row), end_section=last)
    return Group(table, *(Text(line) for line in _below(request)), Text())


def _cells(row: Row) -> Iterator[Text]:
    name = Text(row.name, style="bold" if row.kind == "strategy" else "")
    for line, style in marks(row):
        name.append(f"\n{line}", style)
    yield name
    for measure in MEASURES:
        yield _spread(getattr(row, measure), 1, 100)
    yield _spread(row.average_gap, 2)
    yield Text(str(row.rank or NONE))
    for pair in (row.beside_fine_tuning, row.beside_ascent):
        yield _spread(pair, 2)
    yield Text(mean_amount(row.steps))
    yield _two(mean_amount(row.steps_to_target), reached(row).strip(NONE))
    share = row.share_of_retraining
    of_retraining = f"{fixed(100 * share.mean, 1)} %" if share else ""
    yield _two(mean_amount(row.seconds), of_retraining)


def _spread(of: Spread | Paired | None, digits: int, unit: float = 1) -> Text:
    if of is None:
        return Text(NONE)
    mean = fixed(unit * of.mean, digits, signed=isinstance(of, Paired))
    return _two(mean, "±" + fixed(None if of.deviation is None else unit * of.deviation, digits))


def _two(first: str, second: str) -> Text:
    text = Text(first)
    return text.append(f"\n{second}", "dim") if second else text


def _below(request: Request) -> Iterator[str]:
    yield from request.findings
    yield from request.lacks
    yield from failure_words(request)
    yield from settings_words(request)
