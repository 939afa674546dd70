"""Whether a forgotten class is still named: a bound, where nothing has to be tested."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_unlearn.audit._intervals import share
from lightning_unlearn.audit._numbers import Evidence, accuracy
from lightning_unlearn.audit._report import TestRecord
from lightning_unlearn.audit._table import SideScores


def recognition(evidence: Evidence, model: str, references: Sequence[str], level: float) -> list[TestRecord]:
    """One record for the model as it is, and one for each treatment; none if no class was forgotten.

    Args:
        evidence: what was measured.
        model: whom to look at.
        references: names of the references, which may name the class by accident.
        level: of the interval.
    """
    if not evidence.forgotten_classes:
        return []
    found = [_record(evidence.forget, model, references, "", level)]
    for treatment, by_model in evidence.variants.items():
        scores = by_model[model]
        known = [accuracy(by_model[name], name) for name in references if name != model]
        found.append(_record(scores, model, [], f", {treatment}", level, above=known))
    return found


def _record(
    scores: SideScores,
    model: str,
    references: Sequence[str],
    treatment: str,
    level: float,
    above: Sequence[float] = (),
) -> TestRecord:
    known = [*above, *(accuracy(scores, name) for name in references if name != model)]
    chance = 1 / scores.classes
    bound = max([chance, *known])
    right = share(scores.column(model, "correctness"), 1 - level)
    rejected = right.low is not None and right.low > bound
    back = "The class comes back: it is" if treatment else "The class is"
    says = f"{back} named" if rejected else "The class is not named"
    return TestRecord(
        f"recognition{treatment}",
        model,
        f"Does the model{treatment} name the forgotten class more often than chance and references do?",
        "A model that never saw a class does not name it.",
        right.value - bound,
        None,
        None,
        rejected,
        f"{says}{treatment}: for {right.value:.1%} of the forget set; expected are at most {bound:.1%}.",
    )
