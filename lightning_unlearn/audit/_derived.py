"""Numbers of a model that no side alone gives: relearning, distance of weights, one figure for a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from lightning_unlearn.audit._numbers import Evidence, accuracy
from lightning_unlearn.audit._records import beside_references
from lightning_unlearn.audit._report import Estimate, MetricRecord
from lightning_unlearn.metrics import functional as F

_RELEARN = "Chundawat et al., Zero-Shot Machine Unlearning, TIFS 2023"
_TOW = "Zhao et al., What makes unlearning hard and what to do about it, NeurIPS 2024"
_GAP = "Fan et al., SalUn, ICLR 2024"


def derived_records(
    evidence: Evidence,
    states: Mapping[str, Mapping[str, Tensor]],
    references: Sequence[str],
    level: float,
) -> list[MetricRecord]:
    """Relearn time, anamnesis index, distance of weights to the original, tug of war and average gap.

    Args:
        evidence: what was measured.
        states: weights of every model.
        references: names of those that are references.
        level: of the intervals over seeds.
    """
    found = [
        beside_references(
            "weight_distance (to the original)",
            "weights",
            "How far the weights are from the original's, relative to their size.",
            "reference",
            None,
            "Tarun et al., Fast Yet Effective Machine Unlearning, TNNLS 2023",
            (0.0, None),
            _estimates({name: _distance(state, states["original"]) for name, state in states.items()}),
            references,
            level,
        )
    ]
    before = accuracy(evidence.forget, "original")
    if evidence.relearning and before > 0:
        times = {name: float(F.relearn_time(c[1], before)) for name, c in evidence.relearning.items()}
        found.append(
            beside_references(
                "relearn_time (steps)",
                "forget",
                "Steps of training on it after which the model is as right about the forget set as the original, but for 5 %.",
                "reference",
                None,
                _RELEARN,
                (0.0, None),
                _estimates(times),
                references,
                level,
            )
        )
        gold = [times[name] for name in references]
        if gold and all(0 < steps < math.inf for steps in gold):
            mean = sum(gold) / len(gold)
            indices = {name: float(F.anamnesis_index(steps, mean)) for name, steps in times.items()}
            found.append(
                beside_references(
                    "anamnesis_index",
                    "forget",
                    "Relearn time over that of references.",
                    1.0,
                    None,
                    _RELEARN,
                    (0.0, None),
                    _estimates(indices),
                    references,
                    level,
                )
            )
    return found + _summaries(evidence, list(states), references, level)


def _summaries(
    evidence: Evidence, models: Sequence[str], references: Sequence[str], level: float
) -> list[MetricRecord]:
    sides = {"forget": evidence.forget, "retain": evidence.retain, "test": evidence.test}
    there = {name: side for name, side in sides.items() if side is not None}
    if not references or len(there) < 3:
        return []

    def accuracies(names: Sequence[str]) -> dict[str, float]:
        return {s: sum(accuracy(side, name) for name in names) / len(names) for s, side in there.items()}

    def against_others(summary: Callable[..., Tensor]) -> dict[str, float]:
        values = {}
        for model in models:
            others = [name for name in references if name != model]
            if others:
                values[model] = float(summary(accuracies([model]), accuracies(others)))
        return values

    both = "forget, retain, test"
    return [
        beside_references(
            "tow",
            both,
            "Product over the sides of one less the gap of accuracy to the references.",
            1.0,
            True,
            _TOW,
            (0.0, 1.0),
            _estimates(against_others(F.tow)),
            references,
            level,
        ),
        beside_references(
            "average_gap",
            both,
            "Mean over the sides of the gap of accuracy to the references.",
            0.0,
            False,
            _GAP,
            (0.0, 1.0),
            _estimates(against_others(F.average_gap)),
            references,
            level,
        ),
    ]


def _distance(state: Mapping[str, Tensor], original: Mapping[str, Tensor]) -> float:
    if not all(tensor.isfinite().all() for tensor in state.values() if tensor.is_floating_point()):
        return math.inf
    return float(F.weight_distance(state, original).total)


def _estimates(values: Mapping[str, float]) -> dict[str, Estimate]:
    return {model: Estimate(value) for model, value in values.items()}
