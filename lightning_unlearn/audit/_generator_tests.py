"""Tests with several references: is the generator one of them?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from lightning_unlearn.audit._generator_evidence import GeneratorEvidence
from lightning_unlearn.audit._generator_options import BLOCKS, Measure
from lightning_unlearn.audit._report import TestRecord
from lightning_unlearn.audit._statistics import Alternative, holm, outlier_test

FRACTION, FIDELITY = "class fraction", "fidelity"
FORGET, KEPT = "forget: ", ("retain: ", "test: ")  # a name begins with one of these, the measure follows

_RESOLUTION = 1e-3  # a thousandth of a loss is no damage


@dataclass(frozen=True)
class GeneratorQuestion:
    """What one test asks.

    Attributes:
        name: of the test.
        asks: the question.
        alternative: in which direction an outlier counts.
        number: of a model, on the scale of the test; `None` where it could not be measured.
        said: the number as people read it.
        more: what a rejection says if the number is larger than the references'.
        less: if it is smaller.
        resolution: of the references, as in `outlier_test`.
    """

    name: str
    asks: str
    alternative: Alternative
    number: Callable[[str], float | None]
    said: Callable[[str], str]
    more: str = ""
    less: str = ""
    resolution: Callable[[list[str]], float] = lambda _: 0.0


def generator_questions(evidence: GeneratorEvidence) -> Iterator[GeneratorQuestion]:
    """All that can be asked."""
    yield _of_fraction(
        evidence, evidence.hits, "", "It makes the class more often than a model that never saw it."
    )
    for treatment, hits in evidence.treated.items():
        back = f"The class comes back: {treatment}, it makes it more often than a model that never saw it."
        yield _of_fraction(evidence, hits, f", {treatment}", back)
    for measure in evidence.measures:
        yield _of_loss(
            evidence, measure, "forget", "two-sided",
            f"It is worse at the images that were to be forgotten than a model that never saw them, by its {measure.name}: that "
            "gives them away.",
            "It is better at the images that were to be forgotten than a model that never saw them, by its "
            f"{measure.name}: they are still in there.",
        )  # fmt: skip
    yield GeneratorQuestion(
        FIDELITY,
        "Are the images as near to the real retained ones as those of references?",
        "greater",
        lambda model: evidence.distance(model).value,
        lambda model: f"{evidence.distance(model).value:.4g}",
        "The images are farther from the real retained ones than those of references.",
        resolution=lambda references: float(np.mean([_deviation(evidence, name) for name in references])),
    )
    for side in ("retain", "test"):
        for measure in evidence.measures:
            worse = f"It is worse than references on the {side} set, by its {measure.name}."
            yield _of_loss(evidence, measure, side, "greater", worse)


def _of_fraction(
    evidence: GeneratorEvidence, hits: Mapping[str, int], treatment: str, more: str
) -> GeneratorQuestion:
    """On the scale on which the spread of a count does not depend on the count."""
    return GeneratorQuestion(
        f"{FRACTION}{treatment}",
        f"Does the model{treatment} make the class no more often than references do?",
        "greater",
        lambda model: scaled(hits[model], evidence.trials),
        lambda model: f"{hits[model] / evidence.trials:.2%}",
        more,
        resolution=lambda _: 1 / math.sqrt(4 * evidence.trials),
    )


def _of_loss(
    evidence: GeneratorEvidence,
    measure: Measure,
    side: str,
    alternative: Alternative,
    more: str,
    less: str = "",
) -> GeneratorQuestion:
    def number(model: str) -> float | None:
        return evidence.badness(measure, side, model)

    return GeneratorQuestion(
        f"{side}: {measure.name}",
        f"Is the {measure.name} of the {side} set that of references?",
        alternative,
        number,
        lambda model: f"{measure.sign * (number(model) or 0.0):.5g}",
        more,
        less,
        lambda references: _RESOLUTION * abs(float(np.mean([number(name) for name in references]))),
    )


def scaled(hits: int, trials: int) -> float:
    """`asin √((hits + 3/8) / (trials + 3/4))`, of variance `1 / 4 trials` whatever the share is.

    Source: Anscombe, "The Transformation of Poisson, Binomial and Negative-Binomial Data", Biometrika 1948.
    """
    return math.asin(math.sqrt((hits + 0.375) / (trials + 0.75)))


def generator_against_references(
    evidence: GeneratorEvidence, model: str, references: list[str], level: float
) -> list[TestRecord]:
    """Ask every question that can be asked, and correct for their number.

    What the choice of images alone makes of a fraction or of a distance is added to the spread of the references: without it,
    references that never make the class would take a single image for a difference. It is in their spread already, so that
    false alarms are rarer than `level` where seeds hardly differ, and as frequent where they do.

    Args:
        evidence: what was measured.
        model: whom to test.
        references: their names, at least two.
        level: of all tests together.
    """
    asked = []
    for question in generator_questions(evidence):
        number = question.number(model)
        known = [other for name in references if (other := question.number(name)) is not None]
        if number is None or not np.isfinite(known).all():
            continue
        resolution = question.resolution(references)
        asked.append((question, *outlier_test(number, known, question.alternative, resolution=resolution)))
    adjusted = holm([p_value for _, _, p_value in asked])
    return [
        _record(model, references, *one, adjusted=value, level=level)
        for one, value in zip(asked, adjusted, strict=True)
    ]


def _record(
    model: str,
    references: list[str],
    question: GeneratorQuestion,
    statistic: float,
    p_value: float,
    *,
    adjusted: float,
    level: float,
) -> TestRecord:
    rejected = adjusted <= level
    says = (question.more if statistic > 0 else question.less) if rejected else "Nothing found."
    ordered = sorted(references, key=lambda name: question.number(name) or 0.0)
    ends = " to ".join(question.said(name) for name in (ordered[0], ordered[-1]))
    return TestRecord(
        question.name,
        model,
        question.asks,
        "The model is one more reference with another seed.",
        statistic,
        p_value,
        adjusted,
        rejected,
        f"{says} ({question.said(model)}; references {ends})",
    )


def _deviation(evidence: GeneratorEvidence, model: str) -> float:
    """Standard deviation of the distance by the choice of images: what its interval was made with."""
    distance = evidence.distance(model)
    if distance.high is None:
        return 0.0
    return (distance.high - distance.value) / float(t.ppf((1 + evidence.confidence) / 2, BLOCKS - 1))
