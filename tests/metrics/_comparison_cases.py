"""Metrics that compare two models' outputs or features, and the probe of one model's features."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr, softmax
from sklearn.model_selection import StratifiedKFold

from lightning_unlearn.metrics import (
    ActivationDistance,
    LinearCKA,
    LinearProbeAccuracy,
    PredictionAgreement,
    ReferenceJSDivergence,
    ReferenceKLDivergence,
    ZeroRetrainForgetting,
)
from lightning_unlearn.metrics import functional as F
from tests.metrics._cases import Case, classified


def outputs(generator):
    return classified(generator)[0], classified(generator)[0]


def outputs_of_several(generator):
    logits = classified(generator)[0]
    return logits, torch.from_numpy(generator.normal(0, 1, (len(logits), 3, logits.shape[1])))


def features(generator, count=40, left=6, right=9):
    x = generator.normal(3, 1, (count, left))
    y = x @ generator.normal(0, 1, (left, right)) + generator.normal(0, 2, (count, right))
    return torch.from_numpy(x), torch.from_numpy(y)


def wide_features(generator):
    return features(generator, count=25, left=40, right=30)


def marked_features(generator):
    forgotten = torch.from_numpy(generator.permutation(90) % 3 == 0)
    x = torch.from_numpy(generator.normal(0, 1, (90, 4)))
    x[:, 0] += 1.5 * forgotten
    return x, forgotten


def _distance(z, w):
    return np.sqrt(((softmax(z, axis=1) - softmax(w, axis=1)) ** 2).sum(1)).mean()


def _js(z, w):
    return (jensenshannon(softmax(z, axis=1), softmax(w, axis=1), axis=1) ** 2).mean()


def _kl(z, w):
    return rel_entr(softmax(w, axis=1), softmax(z, axis=1)).sum(1).mean()


def _zrf(z, random):
    several = random.reshape(len(z), -1, z.shape[1])
    return 1 - np.mean([_js(z, several[:, r]) for r in range(several.shape[1])])


def _u_centred(gram):
    """Székely and Rizzo's centring, whose inner product is the unbiased estimate."""
    n = len(gram)
    gram = gram - np.diag(np.diag(gram))
    rows = gram.sum(1) / (n - 2)
    centred = gram - rows[:, None] - rows[None, :] + gram.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0)
    return centred


def cka(x, y):
    k, m = _u_centred(x @ x.T), _u_centred(y @ y.T)
    return (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())


def probe(x, forgotten, folds=5, seed=0):
    """The same folds, and a logistic regression by Newton's method."""
    order = np.array(sorted(range(len(x)), key=lambda i: (forgotten[i], x[i].tobytes())))
    x, y = x[order], forgotten[order]
    recalls = []
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, y):
        mean, scale = x[train].mean(0), x[train].std(0)
        a, b = (np.c_[(x[part] - mean) / scale, np.ones(len(part))] for part in (train, test))
        share = y[train].mean()
        weight = np.where(y[train], 0.5 / share, 0.5 / (1 - share))
        penalty = np.diag([1.0] * x.shape[1] + [0.0])
        w = np.zeros(a.shape[1])
        for _ in range(50):
            p = 1 / (1 + np.exp(-a @ w))
            gradient = a.T @ (weight * (p - y[train])) + penalty @ w
            w -= np.linalg.solve(a.T @ (a * (weight * p * (1 - p))[:, None]) + penalty, gradient)
        guess = b @ w > 0
        recalls += [(guess[y[test]]).mean(), (~guess[~y[test]]).mean()]
    return np.mean(recalls)


CASES = [
    Case("activation distance", ActivationDistance, outputs, F.activation_distance, _distance),
    Case(
        "agreement",
        PredictionAgreement,
        outputs,
        F.prediction_agreement,
        lambda z, w: (z.argmax(1) == w.argmax(1)).mean(),
    ),
    Case("js", ReferenceJSDivergence, outputs, F.reference_js_divergence, _js),
    Case("kl", ReferenceKLDivergence, outputs, F.reference_kl_divergence, _kl),
    Case("zrf", ZeroRetrainForgetting, outputs, F.zero_retrain_forgetting, _zrf),
    Case("zrf[several]", ZeroRetrainForgetting, outputs_of_several, F.zero_retrain_forgetting, _zrf),
    Case("cka", LinearCKA, features, F.linear_cka, cka),
    Case("cka[wide]", LinearCKA, wide_features, F.linear_cka, cka),
    Case("probe", LinearProbeAccuracy, marked_features, F.linear_probe_accuracy, probe),
]
