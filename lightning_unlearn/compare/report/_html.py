"""A comparison as one page that needs nothing beside it: no network, no script, no file."""

from __future__ import annotations

from lightning_unlearn.compare.report import _columns, _format
from lightning_unlearn.compare.report._cell import REPORTED
from lightning_unlearn.compare.report._summary import Comparison, Request, Row
from lightning_unlearn.compare.report.figures import figures
from lightning_unlearn.rendering import page

_HEADS = ("Rank", "Average gap (points)", "Forget acc. (%)", "Retain acc. (%)", "Test acc. (%)", "Member\u00adship (%)", "MIA effi\u00adcacy (%)", "minus fine-tuning", "minus ascent", "Steps", "to target", "Seconds", "% of re\u00adtraining")  # fmt: skip
_SPREAD_HEADS = ("Forget acc.", "Retain acc.", "Test acc.", "Membership", "MIA efficacy", "Average gap")


def to_html(comparison: Comparison) -> str:
    """The comparison as a page; every text that came from the user is escaped.

    Args:
        comparison: what was found.

    Returns:
        HTML with its styles and figures in it; the same text for the same comparison.
    """
    return page(
        "lightning_unlearn.compare.report",
        {
            "percent": _format.percent,
            "points": _format.points,
            "paired": _format.paired,
            "amount": _format.amount,
            "mean_amount": _format.mean_amount,
            "reached": _format.reached,
            "marks": _columns.marks,
            "failures": _columns.failure_words,
            "spreads": _columns.spread_rows,
            "methods": _columns.method_rows,
            "settings": _columns.settings_words,
            "parts": _parts,
        },
        comparison=comparison,
        requests=[(request, figures(request, n)) for n, request in enumerate(comparison.requests, start=1)],
        strategies={cell.entry for cell in comparison.cells if cell.kind == "strategy"},
        absent=_columns.absent_words(comparison),
        heads=_HEADS,
        spread_heads=_SPREAD_HEADS,
        measures=REPORTED,
        meanings=_columns.MEANINGS,
        spread_words=_columns.SPREAD_WORDS,
    )


def _parts(request: Request) -> list[tuple[str, list[Row]]]:
    strategies = [row for row in request.rows if row.kind == "strategy"]
    controls = [row for row in request.rows if row.kind != "strategy"]
    return [(title, rows) for title, rows in (("Strategies", strategies), ("Controls", controls)) if rows]
