"""Bounds on a generator, where nothing can be tested or nothing has to be."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import binomtest, norm

from lightning_unlearn.audit._generator_evidence import GeneratorEvidence
from lightning_unlearn.audit._generator_options import Measure
from lightning_unlearn.audit._generator_tests import FIDELITY, FRACTION
from lightning_unlearn.audit._on_its_own import TOLERANCE
from lightning_unlearn.audit._report import TestRecord
from lightning_unlearn.metrics.functional import prior_test

PRIOR, ORIGINAL = f"{FRACTION} beside the prior", f"{FRACTION} beside the original's"


def beside_prior(
    evidence: GeneratorEvidence, model: str, references: list[str], level: float
) -> list[TestRecord]:
    """Whether the class is still made as often as it is in the data: a necessary condition, and no test of a retrained model.

    It is left out if the references do not fulfil it either: then the classifier takes other images for the class about as
    often as the class occurs, and the bound says nothing.
    """
    if any(_p_below(evidence, evidence.hits[name]) >= level for name in references):
        return []
    return [_beside_prior(evidence, model, PRIOR, "", evidence.hits[model], level)]


def generator_on_its_own(
    evidence: GeneratorEvidence, model: str, baseline: str, level: float
) -> list[TestRecord]:
    """What can be seen with no reference, or with one, whose difference from others nobody knows.

    Args:
        evidence: what was measured.
        model: whom to look at.
        baseline: the model whose quality is to be kept: the reference, or the original.
        level: of each bound.
    """
    found = []
    if model != "original":
        found.append(_beside_original(evidence, model, level))
    for treatment, hits in evidence.treated.items():
        found.append(
            _beside_prior(evidence, model, f"{FRACTION}, {treatment}", f", {treatment},", hits[model], level)
        )
    if model != baseline:
        found.append(_fidelity(evidence, model, baseline))
        found += [
            _loss(evidence, measure, side, model, baseline, level)
            for side in ("retain", "test")
            for measure in evidence.measures
            if side in evidence.values[measure.name]
        ]
    return found


def lost(evidence: GeneratorEvidence, model: str, baselines: list[str]) -> float:
    """Share of the way from the baselines' Fréchet distance to that of a generator that makes one image only.

    A generator without any variety is at least as far from the real images as the trace of their covariance, which is
    reached by the one image whose features are their mean. It is for a generator what chance is for a classifier, and the
    verdict `collapsed` begins where it begins there: beyond half of the way, even at the lower end of the interval. Where the
    baselines are themselves beyond half of that distance, the way counts as half of it.
    """
    own = evidence.distance(model)
    before = float(np.mean([evidence.distance(name).value for name in baselines]))
    way = max(evidence.real.variety - before, evidence.real.variety / 2)
    return ((own.value if own.low is None else own.low) - before) / way


def _p_below(evidence: GeneratorEvidence, hits: int) -> float:
    return float(prior_test(hits, evidence.trials, evidence.prior)[1])


def _beside_prior(
    evidence: GeneratorEvidence, model: str, name: str, treatment: str, hits: int, level: float
) -> TestRecord:
    rejected = _p_below(evidence, hits) >= level
    less = "not clearly less often than" if rejected else "less often than"
    return TestRecord(
        name,
        model,
        f"Does the model{treatment} still make the class as often as it is in the training data?",
        "The class is made less often than it is in the training data: necessary for forgetting, and not enough.",
        hits / evidence.trials / evidence.prior - 1,
        None,
        None,
        rejected,
        f"The model{treatment} makes the class {less} it is in the training data: {hits} of {evidence.trials} images "
        f"({hits / evidence.trials:.2%}), there {evidence.prior:.2%}.",
    )


def _beside_original(evidence: GeneratorEvidence, model: str, level: float) -> TestRecord:
    """A generator may have made less of the class than the data have before anything was forgotten."""
    own, before = evidence.hits[model], evidence.hits["original"]
    rejected = own + before == 0 or binomtest(own, own + before, 0.5, alternative="less").pvalue >= level
    less = "not clearly less often than" if rejected else "less often than"
    return TestRecord(
        ORIGINAL,
        model,
        "Does the model still make the class as often as the original?",
        "The class is made less often than by the original: necessary for forgetting, and not enough.",
        (own - before) / evidence.trials,
        None,
        None,
        rejected,
        f"It makes the class {less} the original: {own / evidence.trials:.2%} against {before / evidence.trials:.2%}.",
    )


def _fidelity(evidence: GeneratorEvidence, model: str, baseline: str) -> TestRecord:
    own, before = evidence.distance(model), evidence.distance(baseline)
    ends = (own.value if own.low is None else own.low, before.value if before.high is None else before.high)
    rejected = ends[0] > ends[1] and lost(evidence, model, [baseline]) > TOLERANCE
    farther = "farther from" if rejected else "not clearly farther from"
    return TestRecord(
        FIDELITY,
        model,
        f"Are the images as near to the real retained ones as those of the {baseline}?",
        f"Their distance is at most {TOLERANCE:.0%} of the way to a generator of one image larger, or the intervals overlap.",
        own.value - before.value,
        None,
        None,
        rejected,
        f"The images are {farther} the real retained ones than those of the {baseline}: {own.value:.4g} against {before.value:.4g}.",
    )


def _loss(
    evidence: GeneratorEvidence, measure: Measure, side: str, model: str, baseline: str, level: float
) -> TestRecord:
    values = evidence.values[measure.name][side]
    before, own = values[baseline], values[model]
    with np.errstate(invalid="ignore"):  # infinite in both
        worse = measure.sign * (own - before)
    error = (
        float(worse.std(ddof=1)) / math.sqrt(len(worse))
        if np.isfinite(worse).all() and len(worse) > 1
        else 0.0
    )
    change = float(worse.mean())
    bound = TOLERANCE * abs(float(before.mean()))
    rejected = change - float(norm.ppf(1 - level)) * error > bound
    says = f"It is worse than the {baseline}" if rejected else f"It is as good as the {baseline}"
    return TestRecord(
        f"{side}: {measure.name}",
        model,
        f"Does the model keep the {measure.name} of the {baseline} on the {side} set, but for {TOLERANCE:.0%}?",
        f"It is at most {TOLERANCE:.0%} worse.",
        change,
        None,
        None,
        rejected,
        f"{says} on the {side} set: {measure.name} {own.mean():.5g} against {before.mean():.5g}.",
    )
