"""Numbers of generators as an audit's report has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.stats import t

from lightning_unlearn.audit._report import Estimate, MetricRecord, Seeds
from lightning_unlearn.metrics._image_metric import ImageMetric
from lightning_unlearn.metrics.functional import proportion_interval


def share(hits: int, trials: int, confidence: float) -> Estimate:
    """A share of samples with its Clopper–Pearson interval."""
    low, high = proportion_interval(hits, trials, level=confidence)
    return Estimate(hits / trials, float(low), float(high))


def metric_record(
    metric: ImageMetric, side: str, values: Mapping[str, Estimate], confidence: float
) -> MetricRecord:
    """What a metric says of itself and of every model; models whose names begin with `reference` are references."""
    kind = type(metric)
    references = _seeds([values[name].value for name in values if name.startswith("reference")], confidence)
    mean = references.mean if references is not None else None
    target = kind.target if isinstance(kind.target, float) else mean
    others = [name for name in values if not name.startswith("reference")]
    return MetricRecord(
        name=f"{kind.__name__}[{metric.label}]",
        side=side,
        measures=kind.measures,
        target=kind.target,
        higher_is_better=kind.higher_is_better,
        citation=kind.citation,
        bounds=(kind.plot_lower_bound, kind.plot_upper_bound),
        values=values,
        references=references,
        gaps={} if target is None else {name: values[name].value - target for name in others},
    )


def _seeds(values: Sequence[float], confidence: float) -> Seeds | None:
    """Mean of the references, Student's interval for one more of them, and how far two of them are apart on average."""
    if not values:
        return None
    count, mean = len(values), float(np.mean(values))
    if count == 1:
        return Seeds(1, mean, None, None, None)
    spread = float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / count)
    half = float(t.ppf((1 + confidence) / 2, count - 1)) * spread
    gap = float(np.mean([abs(a - b) for a, b in combinations(values, 2)]))
    return Seeds(count, mean, mean - half, mean + half, gap)
