"""Membership inference: the attacks of one threshold."""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats
from scipy.special import log_softmax

from lightning_unlearn.metrics import MembershipAdvantage, MembershipAUC, MembershipTPR
from lightning_unlearn.metrics import functional as F
from tests.metrics._cases import Case, classified

SCORES = {
    F.log_likelihood: lambda p, y: np.log(p[range(len(y)), y]),
    F.confidence: lambda p, y: p[range(len(y)), y],
    F.logit_gap: lambda p, y: _gap(p, y),
    F.negative_entropy: lambda p, y: -stats.entropy(p, axis=1),
    F.negative_modified_entropy: lambda p, y: np.array([_modified(q, c) for q, c in zip(p, y, strict=True)]),
    F.correctness: lambda p, y: (p.argmax(1) == y).astype(float),
}


def _gap(p, y):
    own = p[range(len(y)), y]
    return np.log(own) - np.log(1 - own)


def _modified(p, y):
    return (1 - p[y]) * np.log(p[y]) + sum(p[c] * np.log(1 - p[c]) for c in range(len(p)) if c != y)


def samples(generator):
    logits, labels = classified(generator)
    return logits, labels, torch.from_numpy(generator.random(len(labels)) < 0.4)


def _case(name, build, function, statistic, score):
    def by_function(logits, labels, member):
        scores = score(logits, labels)
        return function(scores[member], scores[~member])

    def independent(logits, labels, member):
        # rounded: scores that are equal by definition must be ties here, too
        scores = np.round(SCORES[score](np.exp(log_softmax(logits, axis=1)), labels), 12)
        return statistic(scores[member], scores[~member])

    return Case(f"{name}[{score.__name__}]", build, samples, by_function, independent)


def _auc(members, others):
    return stats.mannwhitneyu(members, others).statistic / (len(members) * len(others))


def _advantage(members, others):
    return stats.ks_2samp(members, others, alternative="less").statistic


def _tpr(members, others, fpr=0.3):
    thresholds = np.append(np.concatenate([members, others]), np.inf)
    return max((members >= t).mean() for t in thresholds if (others >= t).mean() <= fpr)


CASES = [
    case
    for score in SCORES
    for case in (
        _case("auc", lambda score=score: MembershipAUC(score), F.membership_auc, _auc, score),
        _case(
            "advantage",
            lambda score=score: MembershipAdvantage(score),
            F.membership_advantage,
            _advantage,
            score,
        ),
        _case(
            "tpr",
            lambda score=score: MembershipTPR(0.3, score),
            lambda m, n: F.membership_tpr(m, n, fpr=0.3),
            _tpr,
            score,
        ),
    )
]
