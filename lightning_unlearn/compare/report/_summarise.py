"""From cells to the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lightning_unlearn.compare.report._cell import REPORTED, Cell, Kind
from lightning_unlearn.compare.report._findings import findings, lacks
from lightning_unlearn.compare.report._gap import (
    floor_points,
    gap_points,
    measure_points,
    point,
    reference_of,
)
from lightning_unlearn.compare.report._groups import CONTROLS, Group, absent_controls, groups, settings_of
from lightning_unlearn.compare.report._spread import Point, spread
from lightning_unlearn.compare.report._summary import Comparison, Distance, Paired, Request, Row

_ORDER = ("strategy", *CONTROLS)
_TIE = 1e-9  # points: what is closer than this differs by the order of a sum


def summarise(cells: Sequence[Cell], planned: int | None = None) -> Comparison:
    """The whole comparison; a function of the set of cells, not of their order.

    Args:
        cells: as `cells_of` has ordered them.
        planned: how many there should be, if that is known.
    """
    by_request: dict[str, list[Cell]] = {}
    for cell in cells:
        by_request.setdefault(cell.request, []).append(cell)
    versions = {repr(sorted(cell.versions.items(), key=str)): cell.versions for cell in cells}
    return Comparison(
        [_request(name, of, cells) for name, of in by_request.items()],
        max((planned or 0) - len(cells), 0),
        [versions[text] for text in sorted(versions)],
        cells,
    )


def _request(name: str, cells: Sequence[Cell], everything: Sequence[Cell]) -> Request:
    found = groups(cells, everything)
    references = [cell for group in found if group.kind == "retraining" for cell in group.cells]
    reference = reference_of(references) if references else None
    trained = [cell.seconds for cell in references if cell.seconds]
    training = float(np.mean(trained)) if trained else None
    distances: dict[str, Point] = {}
    for group in found:
        if group.kind == "retraining":
            points = floor_points(group.cells)
        else:
            points = [] if reference is None else gap_points(group.cells, reference)
        distances |= {cell.key: one for cell, one in zip(group.cells, points, strict=bool(points))}
    ranks = _ranks(found, distances)
    rows = [
        replace(
            _row(group, distances, training),
            rank=ranks.get((group.kind, group.name)),
            beside_fine_tuning=_paired(group, "fine-tuning", found, distances),
            beside_ascent=_paired(group, "ascent", found, distances),
        )
        for group in found
    ]
    rows.sort(key=lambda row: (_ORDER.index(row.kind), *_far(row), row.name))
    request = Request(name, rows, len(references), list(settings_of(cells).values()), (), ())
    return replace(request, findings=findings(request), lacks=lacks(request, absent_controls(cells)))


def _row(group: Group, distances: Mapping[str, Point], training: float | None) -> Row:
    cells = group.cells
    far = [(cell, distances[cell.key]) for cell in cells if cell.key in distances]
    watched = any((cell.settings or {}).get("monitor") for cell in cells)
    shares = training is not None and group.kind not in ("nothing", "retraining")
    return Row(
        name=group.name,
        kind=group.kind,
        strategy=group.strategy,
        settings=group.letter,
        cells=len(cells),
        failed=group.failed,
        missing=group.missing,
        **{measure: spread(measure_points(cells, measure)) for measure in REPORTED},
        average_gap=spread(one for _, one in far),
        gaps=[Distance(cell.seeds, one.value) for cell, one in far],
        rank=None,
        beside_fine_tuning=None,
        beside_ascent=None,
        steps=spread(_numbers(cells, "steps")),
        steps_to_target=spread(_numbers(cells, "steps_to_target")),
        reached=sum(cell.steps_to_target is not None for cell in cells) if watched else None,
        collapsed=sum(cell.stopped == "collapse" for cell in cells),
        seconds=spread(_numbers(cells, "seconds")),
        seconds_to_target=spread(_numbers(cells, "seconds_to_target")),
        share_of_retraining=spread(_numbers(cells, "seconds", training)) if shares else None,
    )


def _numbers(cells: Sequence[Cell], field: str, unit: float | None = None) -> list[Point]:
    found: list[tuple[Cell, Any]] = [(cell, getattr(cell, field)) for cell in cells]
    return [point(cell, value / (unit or 1.0)) for cell, value in found if value is not None]


def _ranks(found: Sequence[Group], distances: Mapping[str, Point]) -> dict[tuple[Kind, str], int]:
    """Among complete rows but retraining; the smaller of the ranks for equal gaps."""
    means = {
        (group.kind, group.name): float(np.mean([distances[cell.key].value for cell in group.cells]))
        for group in found
        if distances and group.complete and group.kind != "retraining"
    }
    return {row: 1 + sum(other < mean - _TIE for other in means.values()) for row, mean in means.items()}


def _paired(
    group: Group, kind: Kind, found: Sequence[Group], distances: Mapping[str, Point]
) -> Paired | None:
    """The row beside its control; a row is no control of its own."""
    if group.kind == kind or group.kind == "retraining" or not distances:
        return None
    controls = {
        (cell.controls, cell.seeds): distances[cell.key].value
        for other in found
        if other.kind == kind
        for cell in other.cells
    }
    differences = [
        distances[cell.key].value - controls[cell.controls, cell.seeds]
        for cell in group.cells
        if (cell.controls, cell.seeds) in controls
    ]
    if not differences:
        return None
    return Paired(
        float(np.mean(differences)),
        float(np.std(differences, ddof=1)) if len(differences) > 1 else None,
        len(differences),
        sum(difference < -_TIE for difference in differences),
    )


def _far(row: Row) -> tuple[float, ...]:
    """Rows with a rank come first, from the closest on; then those with a gap, then those without."""
    gap = row.average_gap.mean if row.average_gap else 0.0
    return (row.rank is None, row.average_gap is None, row.rank or 0, gap)
