"""How far a cell is from the retrained models: the one number that rows are ranked by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lightning_unlearn.compare.report._cell import MEASURES, Cell
from lightning_unlearn.compare.report._spread import Point

Array: TypeAlias = NDArray[np.float64]


def measured(cell: Cell) -> Array:
    """The measures of a cell, shape (evaluations, 4), by evaluation seed."""
    return np.array([[getattr(one, name) for name in MEASURES] for one in cell.evaluations])


def average_gap(values: Array, reference: Array) -> float:
    """`100 / 4 · Σ |x − r|` over the four measures, in points.

    100 times :func:`lightning_unlearn.metrics.functional.average_gap` (Fan et al., SalUn, ICLR 2024), in float64.

    Args:
        values: shape (4,).
        reference: shape (4,): means over the retrained models.

    Example:
        >>> round(average_gap(np.array([0.5, 0.9, 0.8, 0.5]), np.array([0.3, 0.9, 0.9, 0.6])), 9)
        10.0
    """
    return float(100 * np.abs(values - reference).mean())


def gap_points(cells: Sequence[Cell], reference: Array) -> list[Point]:
    """The average gap of each cell: of its means over evaluations, and of each evaluation alone."""
    points = []
    for cell in cells:
        values = measured(cell)
        alone = [average_gap(one, reference) for one in values]
        points.append(point(cell, average_gap(values.mean(axis=0), reference), alone))
    return points


def floor_points(references: Sequence[Cell]) -> list[Point]:
    """The average gap of each retrained model to the mean of the others; none if there are no two."""
    found = []
    for n, cell in enumerate(references):
        others = [*references[:n], *references[n + 1 :]]
        if others:
            found += gap_points([cell], reference_of(others))
    return found


def reference_of(references: Sequence[Cell]) -> Array:
    """Mean over retrained models, shape (4,); each first over its evaluations."""
    means: Array = np.stack([measured(cell).mean(axis=0) for cell in references]).mean(axis=0)
    return means


def measure_points(cells: Sequence[Cell], measure: str) -> list[Point]:
    """One measure of each cell."""
    columns = [(cell, [getattr(one, measure) for one in cell.evaluations]) for cell in cells]
    return [point(cell, float(np.mean(column)), column) for cell, column in columns]


def point(cell: Cell, value: float, evaluations: Sequence[float] = ()) -> Point:
    """A number of a cell, with its seeds."""
    seeds = cell.seeds
    model = seeds.reference if cell.kind == "retraining" else seeds.original
    return Point(model, seeds.unlearning, value, evaluations)
