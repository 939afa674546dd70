"""Every metric for every model, with its interval, beside what references come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from lightning_unlearn import metrics as M
from lightning_unlearn.audit import _intervals as intervals
from lightning_unlearn.audit._blind import INPUTS
from lightning_unlearn.audit._numbers import Evidence, features_of_classes
from lightning_unlearn.audit._records import beside_references
from lightning_unlearn.audit._report import Estimate, MetricRecord
from lightning_unlearn.audit._statistics import Array
from lightning_unlearn.audit._table import COMPARISONS, SCORES, SideScores
from lightning_unlearn.metrics import functional as F

_SVC_SAMPLES = 2000  # its time grows with their square


@dataclass(frozen=True)
class Measured:
    """One metric on one side."""

    name: str
    side: str
    metric: type[M.UnlearningMetric]
    of: Callable[[str], Estimate]
    target: float | str | None = None  # another one than the metric's


def metric_records(
    evidence: Evidence, models: Sequence[str], references: Sequence[str], *, level: float, seed: int
) -> list[MetricRecord]:
    """All of them.

    Args:
        evidence: what was measured.
        models: names of the models.
        references: names of those that are references.
        level: of the intervals.
        seed: of what the metrics draw.
    """
    sides = {
        "forget": evidence.forget,
        "retain": evidence.retain,
        "test": evidence.test,
        "unseen": evidence.unseen,
    }
    there = {name: side for name, side in sides.items() if side is not None}
    return [
        _record(measured, models, references, level)
        for measured in _all(evidence, there, bool(references), level, seed)
    ]


def _record(
    measured: Measured, models: Iterable[str], references: Sequence[str], level: float
) -> MetricRecord:
    metric = measured.metric
    return beside_references(
        measured.name,
        measured.side,
        metric.measures,
        metric.target if measured.target is None else measured.target,
        metric.higher_is_better if measured.target is None else None,
        metric.citation,
        (metric.plot_lower_bound, metric.plot_upper_bound),
        {model: measured.of(model) for model in models},
        references,
        level,
    )


def _all(
    evidence: Evidence, sides: Mapping[str, SideScores], with_references: bool, level: float, seed: int
) -> Iterator[Measured]:
    for name, side in sides.items():
        yield Measured("SideAccuracy", name, M.SideAccuracy, _share_of(side, level))
        yield Measured("SideLoss", name, M.SideLoss, _loss_of(side, level))
    if evidence.unseen is not None:
        yield from _membership(evidence.forget, evidence.unseen, level, seed)
        if min(len(evidence.retain), len(evidence.unseen)) >= 2:
            yield from _efficacy(evidence, evidence.unseen, seed)
    if with_references:
        for name, side in sides.items():
            if side.comparisons:
                yield from _comparisons(name, side, level)
    yield from _inside(evidence, seed)


def _share_of(side: SideScores, level: float) -> Callable[[str], Estimate]:
    return lambda model: intervals.share(side.column(model, "correctness"), level)


def _loss_of(side: SideScores, level: float) -> Callable[[str], Estimate]:
    return lambda model: intervals.mean(-side.column(model, "log-likelihood"), level, (0.0, None))


def _membership(forget: SideScores, unseen: SideScores, level: float, seed: int) -> Iterator[Measured]:
    both = "forget / unseen"
    draws: dict[tuple[str, str], intervals.RocDraws] = {}

    def drawn(model: str, score: str) -> intervals.RocDraws:
        if (model, score) not in draws:
            draws[model, score] = intervals.RocDraws(
                forget.column(model, score), unseen.column(model, score), level, seed
            )
        return draws[model, score]

    def auc(model: str, score: str) -> Estimate:
        return drawn(model, score).auc()

    def tpr(model: str, rate: float) -> Estimate:
        return drawn(model, gap).tpr_at(rate)

    for score in SCORES:
        yield Measured(f"MembershipAUC ({score})", both, M.MembershipAUC, partial(auc, score=score))
    gap = "logit gap"
    yield Measured("MembershipAdvantage", both, M.MembershipAdvantage, lambda m: drawn(m, gap).advantage())
    for rate in (0.01, 0.001):
        yield Measured(
            f"MembershipTPR (at {rate:.1%} false alarms)",
            both,
            M.MembershipTPR,
            partial(tpr, rate=rate),
        )

    def scores(model: str) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(forget.scores[model]), torch.from_numpy(unseen.scores[model])

    def balanced(model: str) -> Estimate:
        members, others = (side[:, list(SCORES).index(gap)] for side in scores(model))
        return Estimate(float(F.membership_balanced_accuracy(members, others, seed=seed)))

    if min(len(forget), len(unseen)) >= 2:
        yield Measured("MembershipBalancedAccuracy", both, M.MembershipBalancedAccuracy, balanced)
    if min(len(forget), len(unseen)) >= 10:
        yield Measured(
            "MembershipAttackAUC",
            both,
            M.MembershipAttackAUC,
            lambda m: Estimate(float(F.membership_attack_auc(*scores(m), seed=seed))),
        )


def _efficacy(evidence: Evidence, unseen: SideScores, seed: int) -> Iterator[Measured]:
    def part(side: SideScores, model: str, score: str) -> torch.Tensor:
        return torch.from_numpy(side.column(model, score)[:_SVC_SAMPLES])  # identifiers are a random order

    def groups(model: str, score: str) -> list[torch.Tensor]:
        return [part(side, model, score) for side in (evidence.retain, unseen, evidence.forget)]

    side = "forget / retain, unseen"
    yield Measured(
        "MIAEfficacy",
        side,
        M.MIAEfficacy,
        lambda m: Estimate(float(F.mia_efficacy(*groups(m, "logit gap"), seed=seed))),
    )
    yield Measured(
        "SalUnMIAEfficacy",
        side,
        M.SalUnMIAEfficacy,
        lambda m: Estimate(
            float(F.salun_mia_efficacy(*(group.exp() for group in groups(m, "log-likelihood"))))
        ),
    )


def _comparisons(name: str, side: SideScores, level: float) -> Iterator[Measured]:
    for metric in COMPARISONS:
        cls: type[M.UnlearningMetric] = getattr(M, metric)
        bounds = cls.plot_lower_bound, cls.plot_upper_bound
        yield Measured(
            metric,
            name,
            cls,
            partial(_compared, side, metric, level, bounds),
            "reference",  # two references differ as well
        )


def _compared(
    side: SideScores, metric: str, level: float, bounds: tuple[float | None, float | None], model: str
) -> Estimate:
    return intervals.mean(side.compared(model, metric), level, bounds)


def _inside(evidence: Evidence, seed: int) -> Iterator[Measured]:
    features = {name: rows for name, rows in evidence.forget.features.items() if name != INPUTS}
    if features and len(next(iter(features.values()))) >= 4:
        yield Measured(
            "LinearCKA (to the original)",
            "forget",
            M.LinearCKA,
            lambda m: Estimate(
                float(F.linear_cka(torch.from_numpy(features[m]), torch.from_numpy(features["original"])))
            ),
            "reference",
        )
    if all(features_of_classes(evidence, model) for model in features) and features:
        yield Measured(
            "LinearProbeAccuracy",
            "forget / retain",
            M.LinearProbeAccuracy,
            lambda m: _probe(evidence, m, seed),
        )


def _probe(evidence: Evidence, model: str, seed: int) -> Estimate:
    found: list[float] = []
    for ours, others in features_of_classes(evidence, model):
        flags = torch.arange(len(ours) + len(others)) < len(ours)
        both: Array = np.concatenate([ours, others])
        found.append(float(F.linear_probe_accuracy(torch.from_numpy(both), flags, seed=seed)))
    return Estimate(max(found))
