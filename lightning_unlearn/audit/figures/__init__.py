"""The figures of a report, one kind a file: drawn once, shown on the page and in loggers."""

from collections import Counter
from dataclasses import replace

from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.audit.figures._accuracy import accuracy_by_class
from lightning_unlearn.audit.figures._grid import sample_grids
from lightning_unlearn.audit.figures._losses import loss_histograms
from lightning_unlearn.audit.figures._roc import roc_curves
from lightning_unlearn.audit.figures._scatter import score_scatter
from lightning_unlearn.rendering import Shown, svg

__all__ = ["Shown", "figures", "sample_grids", "svg"]


def figures(report: AuditReport) -> list[Shown]:
    """All figures that the report has numbers for, in the order of the page; no two have the same name."""
    found = [
        *accuracy_by_class(report),
        *loss_histograms(report),
        *roc_curves(report),
        *score_scatter(report),
    ]
    counts = Counter(shown.name for shown in found)
    return [
        replace(shown, name=f"{shown.name}-{n}") if counts[shown.name] > 1 else shown
        for n, shown in enumerate(found)
    ]
