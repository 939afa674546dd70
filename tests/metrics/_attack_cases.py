"""Membership inference: attacks that learn from some samples and are scored on others."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import torch
from scipy import optimize
from scipy.special import expit, log_softmax
from sklearn.model_selection import RepeatedStratifiedKFold

from lightning_unlearn.metrics import (
    MembershipAttackAUC,
    MembershipBalancedAccuracy,
    MIAEfficacy,
    SalUnMIAEfficacy,
)
from lightning_unlearn.metrics import functional as F
from tests.metrics._cases import Case, classified
from tests.metrics._membership_cases import SCORES


def two_groups(generator):
    """Members' own logits are a little larger."""
    logits, labels = classified(generator, 90)
    member = torch.from_numpy(generator.random(90) < 0.4)
    logits[range(90), labels] += torch.where(member, 1.0, 0.0)
    return logits, labels, member


def three_groups(generator):
    """Retained samples' own logits are a little larger; some forget samples' are."""
    logits, labels = classified(generator, 90)
    kind = torch.from_numpy(generator.integers(0, 3, 90))
    logits[range(90), labels] += torch.tensor([2.0, 1.0, 0.0])[kind]
    return logits, labels, kind == 1, kind == 0


def scores_of(score, logits, labels):
    # rounded: scores that are equal by definition must be ties here, too
    return np.round(SCORES[score](np.exp(log_softmax(logits, axis=1)), labels), 12)


def above(scores, cut):
    return scores >= cut


def below(scores, cut):
    return scores < cut


def best_rule(m, n):
    values = np.unique(np.concatenate([m, n]))[::-1]
    cuts = [(upper + lower) / 2 for upper, lower in pairwise(values)]
    rules = [partial(above, cut=np.inf), *(partial(rule, cut=cut) for cut in cuts for rule in (above, below))]
    gains = [rule(m).mean() - rule(n).mean() for rule in rules]
    return next(rule for rule, gain in zip(rules, gains, strict=True) if gain > max(gains) - 1e-9)


def balanced_accuracy(members, others, repeats=50, seed=0):
    """Every cut and both directions tried on one half, the best one counted on the other."""
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(repeats):
        m, n = (np.array_split(generator.permutation(np.sort(group)), 2) for group in (members, others))
        right = np.zeros(2)
        for judge in (0, 1):
            rule = best_rule(m[judge], n[judge])
            right += rule(m[1 - judge]).sum(), (~rule(n[1 - judge])).sum()
        values.append((right / (len(members), len(others))).mean())
    return np.mean(values)


def logistic_regression(x, y):
    """Weights of the balanced, standardised, ridge-regularised regression, by BFGS from its formula."""
    mean, scale = x.mean(0), x.std(0)
    z = (x - mean) / np.where(scale == 0, 1, scale)
    sign, weight = 2 * y - 1, len(y) / (2 * np.bincount(y)[y])

    def loss_and_gradient(w):
        margin = sign * (z @ w[1:] + w[0])
        pull = -weight * sign * expit(-margin)
        loss = (weight * np.logaddexp(0, -margin)).sum() + w[1:] @ w[1:] / 2
        return loss, np.concatenate([[pull.sum()], pull @ z + w[1:]])

    found = optimize.minimize(loss_and_gradient, np.zeros(x.shape[1] + 1), jac=True, method="BFGS", tol=1e-10)
    return lambda new: ((new - mean) / np.where(scale == 0, 1, scale)) @ found.x[1:] + found.x[0]


def attack_auc(members, others, folds=3, repeats=2, seed=0):
    groups = [np.array(sorted(map(tuple, group))) for group in (members, others)]
    x, y = np.concatenate(groups), np.repeat([1, 0], [len(group) for group in groups])
    areas = []
    cv = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    for train, test in cv.split(x, y):
        score = logistic_regression(x[train], y[train])(x[test])
        is_member = y[test] == 1
        pairs = np.round(score[is_member, None] - score[None, ~is_member], 9)
        areas.append((np.sign(pairs) + 1).mean() / 2)
    return np.mean(areas)


def support_vector_machine(x, y, c=3.0):
    """Decision function of the machine with the kernel exp(−(a − b)²), by its dual problem."""
    sign = 2.0 * y - 1
    kernel = np.exp(-np.square(x[:, None] - x))
    q = sign[:, None] * kernel * sign
    found = optimize.minimize(
        lambda a: (a @ q @ a / 2 - a.sum(), q @ a - 1),
        np.full(len(x), c / 2)
        * np.where(sign > 0, min(1, (1 - y).sum() / y.sum()), min(1, y.sum() / (1 - y).sum())),
        jac=True,
        method="SLSQP",
        bounds=[(0, c)] * len(x),
        constraints={"type": "eq", "fun": lambda a: a @ sign, "jac": lambda a: sign},
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    gap = sign - kernel @ (found.x * sign)
    # what bounds the offset from below and from above
    low = gap[np.where(sign > 0, found.x < c - 1e-6, found.x > 1e-6)].max()
    high = gap[np.where(sign > 0, found.x > 1e-6, found.x < c - 1e-6)].min()
    return lambda new: np.exp(-np.square(new[:, None] - x)) @ (found.x * sign) + (low + high) / 2


def efficacy(retain, test, forget, seed=0):
    generator, size = np.random.default_rng(seed), min(len(retain), len(test))
    shadow = [
        np.sort(g)[generator.choice(len(g), size, replace=False, shuffle=False)] for g in (retain, test)
    ]
    x = np.concatenate(shadow)
    machine = support_vector_machine((x - x.mean()) / x.std(), np.repeat([1, 0], size))
    return (machine((forget - x.mean()) / x.std()) < 0).mean()


def published_efficacy(retain, test, forget):
    retain = retain[: len(test)]
    y = np.repeat([1, 0], [len(retain), len(test)])
    return (support_vector_machine(np.concatenate([retain, test]), y)(forget) < 0).mean()


def _threshold(logits, labels, member):
    scores = F.log_likelihood(logits, labels)
    return F.membership_balanced_accuracy(scores[member], scores[~member])


def _threshold_independent(logits, labels, member):
    scores = scores_of(F.log_likelihood, logits, labels)
    return balanced_accuracy(scores[member], scores[~member])


def _attack(logits, labels, member):
    features = F.membership_features(logits, labels)
    return F.membership_attack_auc(features[member], features[~member], folds=3, repeats=2)


def _attack_independent(logits, labels, member):
    names = (F.log_likelihood, F.logit_gap, F.negative_entropy, F.negative_modified_entropy, F.correctness)
    features = np.stack([scores_of(score, logits, labels) for score in names], axis=1)
    return attack_auc(features[member], features[~member])


def _efficacy(score, function):
    def value(logits, labels, forget, retain):
        scores = (
            score(logits, labels) if isinstance(logits, torch.Tensor) else scores_of(score, logits, labels)
        )
        return function(scores[retain], scores[~retain & ~forget], scores[forget])

    return value


CASES = [
    Case("balanced_accuracy", MembershipBalancedAccuracy, two_groups, _threshold, _threshold_independent),
    Case(
        "attack_auc",
        lambda: MembershipAttackAUC(folds=3, repeats=2),
        two_groups,
        _attack,
        _attack_independent,
    ),
    Case(
        "efficacy",
        MIAEfficacy,
        three_groups,
        _efficacy(F.logit_gap, F.mia_efficacy),
        _efficacy(F.logit_gap, efficacy),
    ),
    Case(
        "salun_efficacy",
        SalUnMIAEfficacy,
        three_groups,
        _efficacy(F.confidence, F.salun_mia_efficacy),
        _efficacy(F.confidence, published_efficacy),
    ),
]
