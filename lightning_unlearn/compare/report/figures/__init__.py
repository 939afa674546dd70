"""The figures of a comparison, one kind a file."""

from lightning_unlearn.compare.report._summary import Request
from lightning_unlearn.compare.report.figures._gap import gap_dots
from lightning_unlearn.compare.report.figures._trade_off import trade_off
from lightning_unlearn.rendering import Shown

__all__ = ["figures"]


def figures(request: Request, number: int) -> list[Shown]:
    """The figures of a request; `number` keeps their names apart from those of another."""
    return [*trade_off(request, f"trade-off-{number}"), *gap_dots(request, f"gap-{number}")]
