"""Metrics of two sets of models: rows are models, columns are samples."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from scipy import special, stats
from sklearn.metrics import balanced_accuracy_score

from lightning_unlearn.metrics import (
    ForgettingQuality,
    GaussianKLoM,
    KLoM,
    KLoMPValue,
    ULiRAAccuracy,
    UnlearningCompetitionScore,
)
from lightning_unlearn.metrics import functional as F
from tests.metrics._cases import Case

MODELS, SAMPLES = 36, 6
PERCENTILE = functools.partial(torch.quantile, q=0.95)
FEW_BINS = functools.partial(F.klom, bins=5)


def samples(generator):
    """Models of either kind in turns; some outputs are equal."""
    reference = np.arange(MODELS) % 2 == 1
    gaps = generator.normal(0, 1, (MODELS, SAMPLES)) + generator.normal(0, 1, SAMPLES) * reference[:, None]
    return torch.from_numpy(np.round(3 * gaps, 1)), torch.from_numpy(reference)


def with_victims(generator):
    return *samples(generator), torch.arange(MODELS) % 6 < 2


def with_accuracies(generator):
    return *samples(generator), torch.from_numpy(generator.uniform(0.5, 1, (MODELS, 2)))


def klom(p, q, bins=20):
    """Of one sample, by NumPy's histogram and SciPy's relative entropy."""
    p, q = np.clip(p, -100, 100), np.clip(q, -100, 100)
    both = np.concatenate([p, q])
    edges = np.histogram_bin_edges(both, bins, (both.min(), both.max()))
    shares_p, shares_q = (np.histogram(x, edges)[0] / len(x) for x in (p, q))
    return stats.entropy(shares_p, np.where(shares_p > 0, np.maximum(shares_q, 1e-5), shares_q))


def gaussian_klom(p, q):
    """Of one sample: the mean of each term of the plain estimate is put right."""
    m, k = len(p), len(q)
    log_p, log_q = (
        np.log(np.var(x, ddof=1)) - special.digamma((len(x) - 1) / 2) + np.log((len(x) - 1) / 2)
        for x in (p, q)
    )
    precision = (k - 3) / (k - 1) / np.var(q, ddof=1)
    # E (difference of means)² exceeds its square by the variances of both means
    variance = np.var(p, ddof=1)
    return (
        log_q - log_p + precision * (variance + (p.mean() - q.mean()) ** 2 - variance / m) - 1 / k - 1
    ) / 2


def over_samples(of_one, p, q, aggregate=np.mean):
    return aggregate([of_one(p[:, s], q[:, s]) for s in range(p.shape[1])])


def p_value(statistic, unlearned, oracles, permutations, seed=0):
    models = np.concatenate([unlearned, oracles])
    observed = statistic(unlearned, oracles)
    generator = torch.Generator().manual_seed(seed)
    count = 1
    for _ in range(permutations):
        chosen = np.zeros(len(models), bool)
        chosen[torch.randperm(len(models), generator=generator)[: len(unlearned)].numpy()] = True
        drawn = statistic(models[chosen], models[~chosen])
        count += drawn >= observed or np.isclose(drawn, observed, rtol=1e-6)
    return count / (1 + permutations)


def ulira(victim, unlearned, never):
    """Score of one output, by SciPy's normal density."""
    one, other = (stats.norm.logpdf(victim, x.mean(), x.std(ddof=1)) for x in (unlearned, never))
    return special.expit(one - other)


def ulira_accuracy(gaps, reference, victim):
    truth, guesses = [], []
    for v in np.flatnonzero(victim):
        for s in range(gaps.shape[1]):
            score = ulira(gaps[v, s], gaps[~victim & ~reference, s], gaps[~victim & reference, s])
            truth.append(not reference[v])
            guesses.append(score > 0.5)
    return balanced_accuracy_score(truth, guesses)


def epsilon(unlearned, retrained, delta=1e-5):
    """Of one sample, attack by attack."""
    values = []
    for threshold in [*unlearned, *retrained]:
        for takes in (lambda x, t=threshold: x >= t, lambda x, t=threshold: x < t):
            fpr = sum(takes(retrained)) / len(retrained)
            fnr = sum(~takes(unlearned)) / len(unlearned)
            if fpr == 0 and fnr == 0:
                values.append(math.inf)
            elif fpr > 0 and fnr > 0:
                terms = [(1 - delta - fpr) / fnr, (1 - delta - fnr) / fpr]
                values += [math.log(term) for term in terms if term > 0]
    return max([0.0, *values])


def quality(unlearned, retrained):
    epsilons = [epsilon(unlearned[:, s], retrained[:, s]) for s in range(unlearned.shape[1])]
    starts = np.arange(13) / 2
    return np.mean([2 / 2 ** np.sum(starts <= e) for e in epsilons])


def competition_score(gaps, reference, accuracies):
    ratios = accuracies[~reference].mean(0) / accuracies[reference].mean(0)
    return quality(gaps[~reference], gaps[reference]) * ratios[0] * ratios[1]


def _case(name, build, function, independent):
    return Case(
        name,
        build,
        samples,
        lambda gaps, reference: function(gaps[~reference], gaps[reference]),
        lambda gaps, reference: independent(gaps[~reference], gaps[reference]),
    )


CASES = [
    _case("klom", KLoM, F.klom, functools.partial(over_samples, klom)),
    _case(
        "klom[95th percentile]",
        lambda: KLoM(5, PERCENTILE),
        functools.partial(FEW_BINS, aggregate=PERCENTILE),
        lambda p, q: over_samples(
            functools.partial(klom, bins=5), p, q, functools.partial(np.percentile, q=95)
        ),
    ),
    _case("gaussian_klom", GaussianKLoM, F.gaussian_klom, functools.partial(over_samples, gaussian_klom)),
    _case(
        "klom_p_value[gaussian]",
        lambda: KLoMPValue(permutations=49),
        functools.partial(F.klom_p_value, permutations=49),
        lambda p, q: p_value(functools.partial(over_samples, gaussian_klom), p, q, 49),
    ),
    _case(
        "klom_p_value[histogram]",
        lambda: KLoMPValue(FEW_BINS, permutations=49, seed=3),
        functools.partial(F.klom_p_value, statistic=FEW_BINS, permutations=49, seed=3),
        lambda p, q: p_value(
            functools.partial(over_samples, functools.partial(klom, bins=5)), p, q, 49, seed=3
        ),
    ),
    Case(
        "ulira_accuracy",
        ULiRAAccuracy,
        with_victims,
        lambda gaps, reference, victim: F.ulira_accuracy(
            gaps[victim], ~reference[victim], gaps[~victim & ~reference], gaps[~victim & reference]
        ),
        ulira_accuracy,
    ),
    _case("forgetting_quality", ForgettingQuality, F.forgetting_quality, quality),
    Case(
        "unlearning_competition_score",
        UnlearningCompetitionScore,
        with_accuracies,
        lambda gaps, reference, accuracies: F.unlearning_competition_score(
            gaps[~reference], gaps[reference], accuracies[~reference], accuracies[reference]
        ),
        competition_score,
    ),
]
