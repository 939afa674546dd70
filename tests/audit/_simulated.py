"""Simulated scores of models that do not exist, and the curves of a report that follow from them."""

import hashlib

import numpy as np

from lightning_unlearn.audit._report import Curves

REFERENCES = ("reference 1", "reference 2", "reference 3")
SIDES = {"forget": 5842, "retain": 50000, "test": 9018, "unseen": 982}
# mean and spread of log(loss) by side, for each model
LOSSES = {
    "original": {"forget": (-6.2, 1.8), "retain": (-6.0, 1.8), "test": (-5.2, 2.2), "unseen": (-5.1, 2.2)},
    "unlearned": {"forget": (1.1, 0.5), "retain": (-5.7, 1.9), "test": (-5.0, 2.2), "unseen": (1.15, 0.5)},
    "reference 1": {"forget": (1.9, 0.3), "retain": (-6.1, 1.8), "test": (-5.2, 2.2), "unseen": (1.92, 0.3)},
}
LOSSES["unlearned, 4 bits"] = {**LOSSES["unlearned"], "forget": (0.2, 0.9)}
for name in REFERENCES[1:]:
    LOSSES[name] = LOSSES["reference 1"]


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def losses(model, side, count):
    seed = int(sha(f"{model} {side}")[:8], 16)
    mean, spread = LOSSES[model][side]
    return np.exp(np.random.default_rng(seed).normal(mean, spread, count))


def roc(model, count=900):
    members, others = -losses(model, "forget", count), -losses(model, "unseen", count)
    thresholds = np.sort(np.concatenate([members, others]))[::-1][::12]
    inner = [(float((others >= t).mean()), float((members >= t).mean())) for t in thresholds]
    return ((0.0, 0.0), *inner, (1.0, 1.0))


def curves(models, scatter=150):
    edges = (0.0, *(float(edge) for edge in np.geomspace(1e-4, 30, 30)), float("inf"))
    random = np.random.default_rng(3)
    by_class = {m: [float(a) for a in random.uniform(0.965, 0.998, 10)] for m in models}
    for model in models:
        by_class[model][3] = {"original": 0.986, "unlearned, 4 bits": 0.213}.get(model, 0.0)
    if "unlearned" in models:
        by_class["unlearned"][5] = 0.941
    counted = {
        side: {m: tuple(int(n) for n in np.histogram(losses(m, side, size), edges)[0]) for m in models}
        for side, size in SIDES.items()
    }
    points = {}
    for side in ("forget", "retain", "unseen"):
        both = zip(-losses("original", side, scatter), -losses("unlearned", side, scatter), strict=True)
        points[side] = tuple((float(max(a, -20)), float(max(b, -20))) for a, b in both)
    return Curves(
        classes=tuple(range(10)),
        accuracy_by_class={m: tuple(of) for m, of in by_class.items()},
        loss_edges=edges,
        loss_counts=counted,
        roc={"log_likelihood": {m: roc(m) for m in models}, "entropy": {m: roc(m, 500) for m in models}},
        scatter=points,
    )
