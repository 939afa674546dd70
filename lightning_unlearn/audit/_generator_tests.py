"""Tests of a generator: is there less of the class than in the data, and more than references have?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm, t

from lightning_unlearn.audit._report import Estimate, TestRecord
from lightning_unlearn.metrics.functional import prior_test


def below_prior(
    model: str, hits: int, trials: int, prior: float, level: float, false_alarms: float
) -> TestRecord:
    """Whether the class is generated less often than it is in the training data: not that it is gone."""
    ratio, p_value = (float(number) for number in prior_test(hits, trials, prior))
    rejected = p_value < level
    less = "less often than" if rejected else "not clearly less often than"
    return TestRecord(
        name="class fraction below prior",
        model=model,
        question="Is the class generated less often than it is in the training data?",
        null="The class is generated as often as it is in the training data, or more often: what a model that has not "
        "forgotten may do. Rejecting it is necessary for forgetting, and not enough.",
        statistic=ratio,
        p_value=p_value,
        adjusted=None,
        rejected=rejected,
        finding=f"The class is generated {less} it is in the training data: {hits} of {trials} images "
        f"({100 * hits / trials:.2f} %), {ratio:.2f} times its share of {100 * prior:.2f} %. Of real retained images the "
        f"classifier takes {100 * false_alarms:.2f} % for the class.",
    )


def fraction_above_references(
    model: str, hits: int, trials: int, references: Sequence[int], level: float
) -> TestRecord:
    """Whether the class is generated more often than by models that never saw it; on the scale `asin √fraction`."""

    def scaled(count: int) -> float:
        return math.asin(math.sqrt(count / trials))

    deviation = 1 / math.sqrt(4 * trials)
    statistic, p_value = above_references(
        scaled(hits), deviation, [scaled(count) for count in references], [deviation] * len(references)
    )
    rejected = p_value < level
    mean = sum(references) / len(references) / trials
    return TestRecord(
        name="class fraction above references",
        model=model,
        question="Is the class generated more often than by models that were trained without it?",
        null="The class is generated as often as by a model that was trained without it.",
        statistic=statistic,
        p_value=p_value,
        adjusted=None,
        rejected=rejected,
        finding=f"The class is generated {'more often than' if rejected else 'not clearly more often than'} by models that were "
        f"trained without it: {100 * hits / trials:.2f} % against {100 * mean:.2f} %, mean of {len(references)}."
        + _one(references),
    )


def distance_above_references(
    label: str,
    model: str,
    own: Estimate,
    references: Sequence[Estimate],
    degrees: int,
    confidence: float,
    level: float,
) -> TestRecord:
    """Whether generated images are farther from the real retained ones than those of references are.

    Args:
        label: of the distance.
        model: whose it is.
        own: distance of the model, with its interval.
        references: those of the references.
        degrees: of freedom of Student's quantile that the intervals were made with.
        confidence: of the intervals.
        level: of the test.
    """
    quantile = float(t.ppf((1 + confidence) / 2, degrees))

    def deviation(estimate: Estimate) -> float:
        return 0.0 if estimate.high is None else (estimate.high - estimate.value) / quantile

    values = [reference.value for reference in references]
    statistic, p_value = above_references(
        own.value, deviation(own), values, [deviation(r) for r in references]
    )
    rejected = p_value < level
    mean = sum(values) / len(values)
    return TestRecord(
        name="distance above references",
        model=model,
        question="Are the images farther from the real retained ones than those of models that were trained without the class?",
        null="The images are as near to the real retained ones as those of a model that was trained without the class.",
        statistic=statistic,
        p_value=p_value,
        adjusted=None,
        rejected=rejected,
        finding=f"The images are {'farther' if rejected else 'not clearly farther'} from the real retained ones than those of "
        f"models that were trained without the class: {label} {own.value:.4g} against {mean:.4g}, mean of {len(references)}."
        + _one(values),
    )


def above_references(
    value: float, deviation: float, references: Sequence[float], deviations: Sequence[float]
) -> tuple[float, float]:
    """Statistic and p-value of `value` being larger than one more reference would be.

    With k ≥ 2 references Student's prediction, `(v − m) / (s √(1 + 1/k))` with `k − 1` degrees of freedom, where s is their
    standard deviation, and not less than what the choice of images alone makes. With one reference nothing is known of how training runs
    differ: normal, with the deviations by the choice of images.
    """
    count = len(references)
    if count == 1:
        spread = math.hypot(deviation, deviations[0])
        distribution = norm()
    else:
        spread = max(float(np.std(references, ddof=1)), deviation) * math.sqrt(1 + 1 / count)
        distribution = t(count - 1)
    gap = value - float(np.mean(references))
    if spread == 0:
        return (math.copysign(math.inf, gap) if gap else 0.0), (0.0 if gap > 0 else 1.0)
    return gap / spread, float(distribution.sf(gap / spread))


def _one(references: Sequence[float]) -> str:
    return "" if len(references) > 1 else " One reference does not show how training runs differ."
