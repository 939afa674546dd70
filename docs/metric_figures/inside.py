"""What is left inside: features, weights, relearning."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from lightning_unlearn.metrics.functional import linear_cka, linear_probe_accuracy, weight_distance
from metric_figures.style import FAINT, FORGET, UNSEEN, Array, head, note, number, panels, tensor


def linear_cka_figure() -> Figure:
    """Rotation and scale do not matter; one wide direction decides all; the biased estimate sees what is not there."""
    rng = np.random.default_rng(14)
    figure, (noise, wide, biased) = panels(3, gap=0.55)
    features = rng.normal(size=(400, 20))
    turned = 3 * features @ np.linalg.qr(rng.normal(size=(20, 20)))[0] + 5
    other = rng.normal(size=(400, 20))
    levels = np.linspace(0, 1, 21)
    mixed = [number(linear_cka(tensor((1 - t) * features + t * other), tensor(turned))) for t in levels]
    head(noise, "Turned, scaled, shifted", f"CKA {mixed[0]:.2f}; with noise less")
    noise.plot(levels, mixed, color=FORGET)
    noise.set(xlabel="share of noise", ylim=(-0.05, 1.08), ylabel="LinearCKA")

    shared = rng.normal(size=400)
    factors = np.linspace(0, 10, 21)
    rows = [
        number(linear_cka(*(tensor(np.column_stack([f * shared, x[:, 1:]])) for x in (features, other))))
        for f in factors
    ]
    head(wide, "1 shared direction, 19 not", f"CKA up to {rows[-1]:.2f}")
    wide.plot(factors, rows, color=FORGET)
    wide.set(xlabel="its width (others: 1)", ylim=(-0.05, 1.08))

    sizes = np.array([16, 32, 64, 128, 256, 512])
    pairs = [rng.normal(size=(2, n, 64)) for n in sizes]
    ours = [number(linear_cka(tensor(x), tensor(y))) for x, y in pairs]
    theirs = [number(_biased(x, y)) for x, y in pairs]
    head(biased, "64 unrelated features", f"64 samples: biased {theirs[2]:.2f}")
    biased.plot(sizes, ours, "o-", color=UNSEEN, markersize=4)
    biased.plot(sizes, theirs, "s-", color=FAINT, markersize=4)
    biased.set(xscale="log", xlabel="samples", ylim=(-0.25, 1.08), xticks=(16, 64, 512))
    biased.set_xticklabels(["16", "64", "512"])
    biased.minorticks_off()
    note(biased, 0.98, 0.62, "biased", FAINT, ha="right")
    note(biased, 0.98, 0.08, "LinearCKA", UNSEEN, ha="right")
    return figure


def linear_probe_accuracy_figure() -> Figure:
    """What the model no longer says its features may still show, to a line or only to a curve.

    One sample in ten is drawn.
    """
    rng = np.random.default_rng(15)
    figure, axes = panels(3, left=0.3, gap=0.2, height=2.9)
    rest = rng.normal(size=(900, 2))
    angle = rng.uniform(0, 2 * np.pi, 300)
    ring = 2.8 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.2 * rng.normal(size=(300, 2))
    for panel, title, forgotten in (
        (axes[0], "Never predicted, still there", 0.6 * rng.normal(size=(300, 2)) + (2.2, 1.6)),
        (axes[1], "Nothing is left", rng.normal(size=(300, 2))),
        (axes[2], "Fooled: not for a line to see", ring),
    ):
        features = np.concatenate([forgotten, rest])
        flags = np.arange(1200) < 300
        value = number(linear_probe_accuracy(tensor(features), torch.from_numpy(flags)))
        head(panel, title, f"probe {value:.2f}")
        panel.plot(*rest[:90].T.round(3), "o", color=UNSEEN, markersize=3)
        panel.plot(*forgotten[:30].T.round(3), "^", color=FORGET, markersize=4)
        _line(panel, features, flags)
        panel.set(xlim=(-3.8, 3.8), ylim=(-3.8, 3.8), xticks=[], yticks=[], xlabel="first feature")
    axes[0].set_ylabel("second feature")
    note(axes[0], 0.98, 0.93, "forgotten class", FORGET, ha="right")
    note(axes[0], 0.03, 0.06, "other classes", UNSEEN)
    return figure


def weight_distance_figure() -> Figure:
    """Says where a method worked; says nothing of how alike two models are."""
    rng = np.random.default_rng(16)
    figure, (worked, fooled) = panels(2, left=0.2, gap=0.4)
    layers = {"conv1": (16, 9), "conv2": (32, 144), "fc": (10, 512)}
    original = {name: tensor(rng.normal(size=shape)) for name, shape in layers.items()}
    original = {f"{name}.weight": weights for name, weights in original.items()}
    last = {**original, "fc.weight": original["fc.weight"] + 0.4 * tensor(rng.normal(size=(10, 512)))}
    distance = weight_distance(last, original)
    head(worked, "Against the original model", "only the last layer was touched")
    _bars(worked, {**distance.layers, "total": distance.total})

    first, second, inputs = (rng.normal(size=shape) for shape in ((32, 16), (10, 32), (100, 16)))
    order = rng.permutation(32)
    reference = {"in.weight": tensor(first), "out.weight": tensor(second)}
    permuted = {"in.weight": tensor(first[order]), "out.weight": tensor(second[:, order])}
    outputs = [
        np.maximum(inputs @ a.T, 0) @ b.T for a, b in ((first, second), (first[order], second[:, order]))
    ]
    differ = np.abs(outputs[0] - outputs[1]).max()
    distance = weight_distance(permuted, reference)
    head(fooled, "Fooled: hidden units in another order", f"outputs differ by {differ:.2f}")
    _bars(fooled, {**distance.layers, "total": distance.total})
    return figure


def _biased(x: Array, y: Array) -> float:
    x, y = x - x.mean(0), y - y.mean(0)
    return float(((x.T @ y) ** 2).sum() / np.sqrt(((x.T @ x) ** 2).sum() * ((y.T @ y) ** 2).sum()))


def _line(axes: Axes, features: Array, flags: Array) -> None:
    probe = LogisticRegression(class_weight="balanced").fit(features, flags)
    (a, b), c = probe.coef_[0].round(4), probe.intercept_[0].round(4)
    if abs(a) > abs(b):
        axes.plot([(-c + 9 * b) / a, (-c - 9 * b) / a], [-9, 9], color="black")
    else:
        axes.plot([-9, 9], [(-c + 9 * a) / b, (-c - 9 * a) / b], color="black")


def _bars(axes: Axes, distances: dict[str, torch.Tensor]) -> None:
    values = [number(value) for value in distances.values()]
    axes.barh(range(len(values)), values, 0.6, color=[FORGET] * (len(values) - 1) + [FAINT])
    for row, (name, value) in enumerate(zip(distances, values, strict=True)):
        note(axes, value + 0.03, row, f"{name} {value:.2f}", data=True)
    axes.set(xlim=(0, 1.9), yticks=[], xlabel="relative distance")
    axes.invert_yaxis()
