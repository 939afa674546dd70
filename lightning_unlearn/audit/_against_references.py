"""Tests with several references: is the model one of them?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lightning_unlearn.audit._numbers import (
    Evidence,
    certainty,
    familiarity,
    membership,
    relearned,
    stands_out,
)
from lightning_unlearn.audit._recognition import recognition
from lightning_unlearn.audit._report import TestRecord
from lightning_unlearn.audit._statistics import Alternative, holm, outlier_test

Sense: TypeAlias = Literal["behaviour", "membership", "utility", "inside", "treated"]

_RESOLUTION = 1e-3  # a tenth of a point of probability is no damage


@dataclass(frozen=True)
class Question:
    """What one test asks.

    Attributes:
        name: of the test.
        sense: what a rejection speaks of.
        asks: the question.
        alternative: in which direction an outlier counts.
        number: of a model; `None` where it could not be measured.
        more: what a rejection says if the number is larger than the references'.
        less: if it is smaller.
        resolution: as in `outlier_test`.
    """

    name: str
    sense: Sense
    asks: str
    alternative: Alternative
    number: Callable[[Evidence, str], float | None]
    more: str = ""
    less: str = ""
    resolution: float = 0.0


QUESTIONS = (
    Question(
        "familiarity",
        "behaviour",
        "Is the model as sure of the labels of the forget set as references are?",
        "two-sided",
        lambda evidence, model: familiarity(evidence.forget, model),
        "It is surer of the labels of the forget set than a model that never saw them.",
        "It denies the labels of the forget set more than a model that never saw them.",
    ),
    Question(
        "membership",
        "membership",
        "Does the forget set stand out from unseen samples of its kind by no more than with references?",
        "two-sided",
        membership,
        "The forget set looks more familiar to it than unseen samples of the same kind.",
        "The forget set looks less familiar to it than unseen samples of the same kind: that gives it away, too.",
    ),
    Question(
        "retain",
        "utility",
        "Is the model as good as references on the retain set?",
        "less",
        lambda evidence, model: certainty(evidence.retain, model),
        less="It is worse than references on the retain set.",
        resolution=_RESOLUTION,
    ),
    Question(
        "test",
        "utility",
        "Is the model as good as references on test data?",
        "less",
        lambda evidence, model: certainty(evidence.test, model),
        less="It is worse than references on test data.",
        resolution=_RESOLUTION,
    ),
    Question(
        "features",
        "inside",
        "Does the forgotten class stand out in the features by no more than in those of references?",
        "greater",
        stands_out,
        "The forgotten class is still a cluster of its own in the features: a few examples find it.",
    ),
    Question(
        "relearning",
        "inside",
        "Does the model learn the forget set again no sooner than references learn it?",
        "greater",
        relearned,
        "It learns the forget set again sooner than a model that never saw it.",
        resolution=_RESOLUTION,
    ),
)


def questions(evidence: Evidence) -> tuple[Question, ...]:
    """All questions, with one for each treatment."""
    return QUESTIONS + tuple(_after(treatment) for treatment in evidence.variants)


def _after(treatment: str) -> Question:
    def number(evidence: Evidence, model: str) -> float | None:
        treated = evidence.variants[treatment].get(model)
        return None if treated is None else familiarity(treated, model)

    return Question(
        f"familiarity, {treatment}",
        "treated",
        f"Is the model, {treatment}, no surer of the labels of the forget set than references are after the same?",
        "greater",
        number,
        f"Forgotten labels come back: {treatment}, it is surer of them than a model that never saw them.",
    )


def against_references(
    evidence: Evidence, model: str, references: list[str], level: float
) -> list[TestRecord]:
    """Ask every question that can be asked, and correct for their number.

    Where single samples were forgotten, half of the level goes to membership, which is what can give them away.

    Args:
        evidence: what was measured.
        model: whom to test.
        references: names of the references, at least two.
        level: of all tests together.
    """
    asked = []
    for question in questions(evidence):
        number = question.number(evidence, model)
        others = [question.number(evidence, name) for name in references if name != model]
        known = [other for other in others if other is not None]
        if number is None or len(known) < len(others):
            continue
        statistic, p_value = outlier_test(number, known, question.alternative, resolution=question.resolution)
        asked.append((question, number, known, statistic, p_value))
    weights = [
        max(1, len(asked) - 1) if question.sense == "membership" and not evidence.forgotten_classes else 1
        for question, *_ in asked
    ]
    adjusted = holm([p_value for *_, p_value in asked], weights)
    tests = [
        _record(model, *one, adjusted=value, level=level) for one, value in zip(asked, adjusted, strict=True)
    ]
    return recognition(evidence, model, references, level) + tests


def _record(
    model: str,
    question: Question,
    number: float,
    known: list[float],
    statistic: float,
    p_value: float,
    *,
    adjusted: float,
    level: float,
) -> TestRecord:
    mean = sum(known) / len(known)
    numbers = f"{number:.4g}; references {mean:.4g}, from {min(known):.4g} to {max(known):.4g}"
    rejected = adjusted <= level
    says = (question.more if statistic > 0 else question.less) if rejected else "Nothing found."
    return TestRecord(
        question.name,
        model,
        question.asks,
        "The model is one more reference with another seed.",
        statistic,
        p_value,
        adjusted,
        rejected,
        f"{says} ({numbers})",
    )
