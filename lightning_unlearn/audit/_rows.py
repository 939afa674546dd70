"""What the tables of the page and of the Markdown file hold, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightning_unlearn.audit._report import AuditReport, MetricRecord, TestRecord
from lightning_unlearn.audit._text import interval, probability
from lightning_unlearn.audit._verdict import SENTENCES
from lightning_unlearn.rendering import number

MEANINGS = SENTENCES
NEEDS = "needs a reference"


@dataclass(frozen=True)
class Cell:
    """A number, and the small print below it."""

    text: str
    small: str = ""


@dataclass(frozen=True)
class MetricRow:
    """One metric; `cells` are those of the models that are no references, in the order of `heads`."""

    record: MetricRecord
    target: Cell
    cells: Sequence[Cell]
    references: Cell
    gap_original: str
    gap_unlearned: str
    gap_references: str


def compared(report: AuditReport) -> list[str]:
    """The models with a column of their own: all but the references, which share one."""
    return [model.name for model in report.models if model.role != "reference"]


def metric_row(report: AuditReport, record: MetricRecord) -> MetricRow:
    """One metric as cells."""
    cells = []
    for name in compared(report):
        value = record.values.get(name)
        cells.append(Cell(number(value.value if value else None), interval(value)))
    wants = {None: "neither high nor low is good", True: "higher is better", False: "lower is better"}
    at_reference = record.target == "reference"
    missing = NEEDS if at_reference else "–"
    seeds = record.references
    return MetricRow(
        record,
        Cell(
            "the references' value" if at_reference else number(_float(record.target)),
            wants[record.higher_is_better],
        ),
        cells,
        Cell(number(seeds.mean), interval(seeds)) if seeds else Cell("–", "none was given"),
        number(record.gaps["original"]) if "original" in record.gaps else missing,
        number(record.gaps["unlearned"]) if "unlearned" in record.gaps else missing,
        number(seeds.gap) if seeds and seeds.gap is not None else "–",
    )


def by_side(report: AuditReport) -> list[tuple[str, list[MetricRow]]]:
    """The metrics, side by side in the order in which the sides first occur."""
    found: dict[str, list[MetricRow]] = {}
    for record in report.metrics:
        found.setdefault(record.side, []).append(metric_row(report, record))
    return list(found.items())


@dataclass(frozen=True)
class TestRow:
    """One test of the unlearned model, and the same test of the original."""

    __test__ = False

    record: TestRecord
    result: str
    p_value: str
    adjusted: str
    control: str


def test_rows(report: AuditReport) -> list[TestRow]:
    """The tests, each beside its control."""
    controls = {record.name: record for record in report.control}
    return [
        TestRow(
            record,
            result(record),
            "bound" if record.p_value is None else probability(record.p_value),
            probability(record.adjusted),
            result(controls[record.name]) if record.name in controls else "not run",
        )
        for record in report.tests
    ]


test_rows.__test__ = False  # type: ignore[attr-defined]  # not a test of pytest


def result(record: TestRecord) -> str:
    """What a test has come to; never "passed", for that is no test's to say."""
    return "difference found" if record.rejected else "no difference found"


def _float(target: float | str) -> float | None:
    return None if isinstance(target, str) else target
