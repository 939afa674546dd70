"""Metrics of generators; independent computations of them on features that NumPy made of the images."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from scipy.linalg import sqrtm
from scipy.special import logsumexp, softmax
from sklearn.neighbors import NearestNeighbors
from torch import nn

from lightning_unlearn.metrics import (
    ClassFraction,
    ClassifierScore,
    FrechetDistance,
    GeneratorPrecision,
    GeneratorRecall,
    KernelDistance,
    SideELBO,
    SideReconstructionError,
)
from lightning_unlearn.metrics import functional as F
from tests.metrics._cases import Case, classified


class Halved(nn.Module):
    """Means of left and right halves, and their product: a feature extractor in float64."""

    def __init__(self):
        super().__init__()
        self.register_buffer("one", torch.ones((), dtype=torch.float64))

    def forward(self, images):
        left, right = images.flatten(2).chunk(2, dim=2)
        left, right = left.mean(2), right.mean(2)
        return torch.cat([left, right, left * right], dim=1)


def halved(images):
    left, right = np.split(images.reshape(*images.shape[:2], -1), 2, axis=2)
    left, right = left.mean(2), right.mean(2)
    return np.concatenate([left, right, left * right], axis=1)


def images(generator, count=70):
    """Images of two colours, some of them real, some generated, brighter, and some of these twice."""
    generated = generator.permutation(np.arange(count) % 5 < 2)
    pixels = generator.normal(0.5, 0.3, (count, 2, 4, 4)) + 0.1 * generated[:, None, None, None]
    pixels[np.flatnonzero(generated)[:2]] = pixels[np.flatnonzero(generated)[2]]
    return torch.from_numpy(pixels), torch.from_numpy(generated)


def twin(function, **arguments):
    """The functional metric, called as the modular one is."""

    def called(images, generated):
        features = Halved()(images.detach())
        return function(features[generated], features[~generated], **arguments)

    return called


def on_features(function):
    def called(images, generated):
        features = halved(images)
        return function(features[generated], features[~generated])

    return called


def frechet(x, y):
    """With SciPy's root of a matrix that is not symmetric."""
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)


def mmd(x, y, degree=3, gamma=None, coefficient=1.0):
    gamma = gamma or 1 / x.shape[1]

    def mean(a, b, *, same):
        kernel = [
            (gamma * p @ q + coefficient) ** degree
            for i, p in enumerate(a)
            for j, q in enumerate(b)
            if not (same and i == j)
        ]
        return np.mean(kernel)

    return mean(x, x, same=True) + mean(y, y, same=True) - 2 * mean(x, y, same=False)


def precision(x, y, k=3):
    radii = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(y).kneighbors(y)[0][:, -1]
    return np.mean([any(np.linalg.norm(p - q) <= r for q, r in zip(y, radii, strict=True)) for p in x])


def score(logits):
    p = softmax(logits, axis=1)
    log_p = logits - logsumexp(logits, axis=1, keepdims=True)
    return np.exp((p * (log_p - np.log(p.mean(0)))).sum(1).mean())


def only_logits(generator):
    return classified(generator)[:1]


def values(generator):
    return (torch.from_numpy(generator.normal(-100, 9, 50)),)


named = {"name": "halves"}
plain = {"name": "plain"}

CASES = [
    Case(
        "frechet",
        partial(FrechetDistance, Halved(), **named),
        images,
        twin(F.frechet_distance),
        on_features(frechet),
    ),
    Case(
        "kernel",
        partial(KernelDistance, Halved(), **named),
        images,
        twin(F.kernel_distance),
        on_features(mmd),
    ),
    Case(
        "kernel[quadratic]",
        partial(KernelDistance, Halved(), degree=2, gamma=0.7, coefficient=0.5, **named),
        images,
        twin(F.kernel_distance, degree=2, gamma=0.7, coefficient=0.5),
        on_features(partial(mmd, degree=2, gamma=0.7, coefficient=0.5)),
    ),
    Case(
        "precision",
        partial(GeneratorPrecision, Halved(), **named),
        images,
        twin(F.generator_precision),
        on_features(precision),
    ),
    Case(
        "recall",
        partial(GeneratorRecall, Halved(), neighbours=1, **named),
        images,
        twin(F.generator_recall, neighbours=1),
        on_features(lambda x, y: precision(y, x, 1)),
    ),
    Case("score", partial(ClassifierScore, nn.Identity(), **plain), only_logits, F.classifier_score, score),
    Case(
        "fraction",
        partial(ClassFraction, nn.Identity(), 2, **plain),
        only_logits,
        partial(F.class_fraction, forget_class=2),
        lambda z: (z.argmax(1) == 2).mean(),
    ),
    Case("reconstruction", SideReconstructionError, values, F.side_mean, np.mean),
    Case("elbo", SideELBO, values, F.side_mean, np.mean),
]
