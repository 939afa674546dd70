"""A metric's values, beside what the references come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lightning_unlearn.audit._intervals import over_seeds
from lightning_unlearn.audit._report import Estimate, MetricRecord


def beside_references(
    name: str,
    side: str,
    measures: str,
    target: float | str,
    higher_is_better: bool | None,
    citation: str,
    bounds: tuple[float | None, float | None],
    values: Mapping[str, Estimate],
    references: Sequence[str],
    level: float,
) -> MetricRecord:
    """The record of one metric; gaps are to the target, which is the mean of the references if it is no number.

    Args:
        name: of the metric.
        side: whose samples.
        measures: what it measures.
        target: a number, or `reference`.
        higher_is_better: `None` where neither is.
        citation: where it comes from.
        bounds: smallest and largest possible value.
        values: by name of the model.
        references: names of those that are references.
        level: of the interval over seeds.
    """
    seeds = over_seeds([values[model].value for model in references if model in values], level)
    aim = float(target) if not isinstance(target, str) else seeds.mean if seeds else None
    judged = [model for model in values if model not in references]
    gaps = {} if aim is None else {model: values[model].value - aim for model in judged}
    return MetricRecord(name, side, measures, target, higher_is_better, citation, bounds, values, seeds, gaps)
