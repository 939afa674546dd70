"""A report as one page that needs nothing beside it: no network, no script, no file."""

from __future__ import annotations

from itertools import groupby

from lightning_unlearn.audit import _text
from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.audit._rows import MEANINGS, NEEDS, by_side, compared, test_rows
from lightning_unlearn.audit.figures import figures
from lightning_unlearn.rendering import page

_TONES = {"forgotten": "good", "undecided": "open"}


def to_html(report: AuditReport) -> str:
    """The report as a page; every text that came from the user is escaped.

    Args:
        report: What an audit has found.

    Returns:
        HTML with its styles and figures in it; the same text for the same report.
    """
    return page(
        "lightning_unlearn.audit",
        {"side": _text.side},
        report=report,
        verdict=report.verdict,
        tone=_TONES.get(report.verdict.name, "bad"),
        asked=_text.request(report),
        meanings=MEANINGS,
        needs=NEEDS,
        heads=compared(report),
        sides=by_side(report),
        tests=test_rows(report),
        groups=[(name, list(of)) for name, of in groupby(figures(report), key=lambda shown: shown.group)],
    )
