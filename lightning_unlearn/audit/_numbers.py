"""The numbers of a model that a test looks at: one for each question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from lightning_unlearn.audit._probe import SHOTS, separation
from lightning_unlearn.audit._statistics import Array
from lightning_unlearn.audit._table import SideScores


@dataclass(frozen=True)
class Evidence:
    """Everything that was measured.

    Attributes:
        forget: scores of the forget set.
        retain: of the retain set.
        test: of test data; without the forgotten classes if a class was forgotten. `None` without test data.
        unseen: of held-out data of the kind that is forgotten; `None` without.
        forgotten_classes: labels that only the forget set has; empty if samples were forgotten.
        variants: by treatment, by model: scores of the forget set after it, shape (N, S).
        given: every side as it was given.
        relearning: by model: mean probability of the label after 0, 1, … steps of learning again, and share of right answers.
    """

    forget: SideScores
    retain: SideScores
    test: SideScores | None
    unseen: SideScores | None
    forgotten_classes: tuple[int, ...]
    variants: Mapping[str, Mapping[str, SideScores]]
    relearning: Mapping[str, tuple[list[float], list[float]]]
    given: Mapping[str, SideScores]


def familiarity(scores: SideScores, model: str) -> float:
    """Mean logit gap: how sure the model is of the labels, on a scale that does not saturate."""
    return float(scores.column(model, "logit gap").mean())


def membership(evidence: Evidence, model: str) -> float | None:
    """By how much the forget set is surer than unseen samples of its kind: mean of `σ(logit gap / 2)`, in (-1, 1).

    Of single samples that were forgotten, what a model knew of them shows in the hard ones. The gap itself is
    dominated by the easy ones, and the probability by the hardest: halved, the gap separates a model that saw the samples
    from references best on digits and Fashion-MNIST (docs/audit.md).
    """
    if evidence.unseen is None:
        return None
    return _tempered(evidence.forget, model) - _tempered(evidence.unseen, model)


def _tempered(scores: SideScores, model: str) -> float:
    return float(expit(scores.column(model, "logit gap") / 2).mean())


def certainty(scores: SideScores | None, model: str) -> float | None:
    """Mean probability of the label: as accuracy, but continuous."""
    if scores is None:
        return None
    return float(np.exp(scores.column(model, "log-likelihood")).mean())


def accuracy(scores: SideScores, model: str) -> float:
    """Share of right answers."""
    return float(scores.column(model, "correctness").mean())


def stands_out(evidence: Evidence, model: str) -> float | None:
    """How far the forgotten class stands out in the features, largest over classes; `None` where it was not measured."""
    groups = features_of_classes(evidence, model)
    found = [separation(*pair) for pair in groups]
    return max(found) if found else None


def features_of_classes(evidence: Evidence, model: str) -> list[tuple[Array, Array]]:
    """For each forgotten class, features of its samples and of retained ones; a class with too few is left out."""
    if model not in evidence.forget.features or not evidence.forgotten_classes:
        return []
    ours, others = evidence.forget.features[model], evidence.retain.features[model]
    labels = evidence.forget.labels[: len(ours)]
    pairs = [(ours[labels == label], others) for label in evidence.forgotten_classes]
    return [(mine, rest) for mine, rest in pairs if len(mine) >= 2 * SHOTS and len(rest) >= 2 * SHOTS]


def relearned(evidence: Evidence, model: str) -> float | None:
    """Mean probability of the label over the steps of learning again."""
    curve = evidence.relearning.get(model)
    return float(np.mean(curve[0])) if curve else None
