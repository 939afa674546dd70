"""Tests without the spread of references: the forget set beside unseen samples, and bounds."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import norm

from lightning_unlearn.audit._blind import INPUTS, LEAST, blind_attack
from lightning_unlearn.audit._numbers import Evidence
from lightning_unlearn.audit._recognition import recognition
from lightning_unlearn.audit._report import TestRecord
from lightning_unlearn.audit._statistics import membership_test
from lightning_unlearn.audit._table import SideScores

KIND = "kind"
TOLERANCE = 0.02  # loss of accuracy that is not called damage where nothing says what seeds do


def on_its_own(
    evidence: Evidence, model: str, baseline: str, level: float, *, permutations: int, seed: int
) -> list[TestRecord]:
    """What can be tested with no reference, or with one, whose difference from others nobody knows.

    The level holds for the permutation tests, together. The others are bounds: they reject only if the confidence interval
    lies wholly beyond what is tolerated.

    Args:
        evidence: what was measured.
        model: whom to test.
        baseline: the model whose accuracy is to be kept: the reference, or the original.
        level: of all permutation tests together, and of each bound.
        permutations: of the permutation tests.
        seed: of the permutations.
    """
    kind = _same_kind(evidence, model, level, seed)
    found = kind + _membership(
        evidence, model, level, permutations, seed, of_one_kind=not any(test.rejected for test in kind)
    )
    found += recognition(evidence, model, [], level)
    for name, side in (("retain", evidence.retain), ("test", evidence.test)):
        if side is not None and model != baseline:
            found.append(_utility(name, side, model, baseline, level))
    return found


def _same_kind(evidence: Evidence, model: str, level: float, seed: int) -> list[TestRecord]:
    """What the membership test takes for granted, tested without any model."""
    groups = [
        side.features.get(INPUTS, ()) for side in (evidence.forget, evidence.unseen) if side is not None
    ]
    if len(groups) < 2 or min(map(len, groups)) < LEAST:
        return []
    area, p_value = blind_attack(*(np.asarray(group) for group in groups), seed=seed)
    rejected = p_value <= level
    says = (
        f"An attack that never asks the model tells them apart (area under its curve {area:.2f}): the test of membership "
        "would accuse a retrained model, too, and does not count."
        if rejected
        else f"An attack that never asks the model does not tell them apart (area under its curve {area:.2f})."
    )
    return [
        TestRecord(
            KIND,
            model,
            "Are the unseen samples of the kind of the forget set?",
            "The forget set and the unseen samples are of one kind.",
            area - 0.5,
            p_value,
            p_value,
            rejected,
            says,
        )
    ]


def _membership(
    evidence: Evidence, model: str, level: float, permutations: int, seed: int, *, of_one_kind: bool
) -> list[TestRecord]:
    if evidence.unseen is None:
        return []
    groups = {"membership": (evidence.forget.scores[model], evidence.unseen.scores[model])}
    tests = membership_test(
        {name: pair[0] for name, pair in groups.items()},
        {name: pair[1] for name, pair in groups.items()},
        permutations=permutations,
        seed=seed,
    )
    records = []
    for name, (statistic, p_value) in tests.items():
        rejected = p_value <= level and of_one_kind
        direction = "more" if statistic > 0 else "less"
        says = (
            f"The forget set looks {direction} familiar to it than unseen samples of the same kind."
            if rejected
            else "No score tells the forget set from unseen samples of the same kind."
            if of_one_kind
            else "Nothing can be concluded: the unseen samples are not of the kind of the forget set."
        )
        records.append(
            TestRecord(
                name,
                model,
                "Do scores tell the forget set from unseen samples of its kind?",
                "The forget set and the unseen samples are of one kind, and neither was trained on.",
                statistic,
                p_value,
                p_value,
                rejected,
                says,
            )
        )
    return records


def _utility(name: str, side: SideScores, model: str, baseline: str, level: float) -> TestRecord:
    losses = side.column(baseline, "correctness") - side.column(model, "correctness")
    loss = float(losses.mean())
    error = float(losses.std(ddof=1)) / math.sqrt(len(losses)) if len(losses) > 1 else np.inf
    rejected = bool(loss - float(norm.ppf(1 - level)) * error > TOLERANCE)
    where = "the retain set" if name == "retain" else "test data"
    says = (
        f"It is worse than the {baseline} on {where}"
        if rejected
        else f"It is as good as the {baseline} on {where}"
    )
    return TestRecord(
        name,
        model,
        f"Does the model keep the accuracy of the {baseline} on {where}, but for {TOLERANCE:.0%}?",
        f"Its accuracy is at most {TOLERANCE:.0%} lower.",
        -loss,
        None,
        None,
        rejected,
        f"{says}: {-loss:+.1%}.",
    )
