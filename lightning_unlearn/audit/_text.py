"""What an audit speaks of, as people read it."""

from __future__ import annotations

import math

from lightning_unlearn.audit._report import AuditReport, Estimate, Seeds
from lightning_unlearn.rendering import number

SIDES = {
    "forget": "forget set",
    "retain": "retain set",
    "test": "test set",
    "unseen": "unseen samples of the forgotten kind",
}


def probability(value: float | None) -> str:
    """A p-value with two digits, or the bound it is below.

    Example:
        >>> probability(0.031), probability(0.6), probability(3e-9), probability(None)
        ('0.031', '0.60', '< 0.0001', '–')
    """
    if value is None or math.isnan(value):
        return number(value)
    if value < 1e-4:
        return "< 0.0001"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def interval(of: Estimate | Seeds | None) -> str:
    """The interval of an estimate or of the references, or nothing.

    Example:
        >>> interval(Estimate(0.5, 0.4, 0.61)), interval(Estimate(0.5))
        ('0.400 to 0.610', '')
    """
    if of is None or of.low is None or of.high is None:
        return ""
    return f"{number(of.low)} to {number(of.high)}"


def side(name: str) -> str:
    """A side, or two, in words.

    Example:
        >>> side("forget / unseen")
        'forget set against unseen samples of the forgotten kind'
    """
    return " against ".join(SIDES.get(part, part) for part in name.split(" / "))


def request(report: AuditReport) -> str:
    """What had to be forgotten."""
    asked = report.request
    classes = [str(label) for label in asked.get("classes") or ()]
    what = {"class": "", "samples": "single samples", "generator": "a part of what a generator makes"}
    kind = what.get(str(asked.get("kind")), str(asked.get("kind")))
    named = f"class{'es' if len(classes) > 1 else ''} {', '.join(classes)}" if classes else ""
    samples = [f"{number(record.samples)} samples" for record in report.sides if record.name == "forget"]
    return ", ".join(part for part in (kind, named, *samples) if part) or "unknown"
