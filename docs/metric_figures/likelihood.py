"""How well a generative model explains the samples of a side. The models are linear, so that all is known exactly."""

from __future__ import annotations

from functools import reduce
from itertools import accumulate

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from lightning_unlearn.metrics.functional import mean_interval, side_mean
from metric_figures.style import (
    FAINT,
    FORGET,
    RETAIN,
    UNSEEN,
    Array,
    head,
    hist,
    note,
    number,
    panels,
    tensor,
)

_PIXELS, _LATENT = 20, 6


def side_reconstruction_error_figure() -> Figure:
    """A model that never saw a class reconstructs it well; one that cannot was made not to."""
    rng = np.random.default_rng(27)
    figure, axes = panels(3, left=0.15, gap=0.25)
    directions = np.linalg.qr(rng.normal(size=(_PIXELS, _LATENT)))[0]
    retain, forget, unseen = (_sample(rng, directions, own) for own in (False, True, False))
    without = np.eye(_PIXELS) - np.outer(directions[:, 0], directions[:, 0])
    retrained = _principal(retain)
    for panel, title, model in (
        (axes[0], "Original", _principal(np.concatenate([retain, forget]))),
        (axes[1], "Retrained: the target", retrained),
        (axes[2], "Overdone", without @ retrained),
    ):
        errors, others = tensor(_errors(forget, model)), _errors(unseen, model)
        low, high = map(number, mean_interval(errors))
        head(panel, title, f"forget {number(side_mean(errors)):.1f} ({low:.1f} to {high:.1f})")
        edges = np.geomspace(1, 60, 41)
        hist(panel, others, edges, UNSEEN)
        hist(panel, errors.numpy(), edges, FORGET)
        panel.set(xscale="log", xlim=(1, 60), xlabel="squared error, summed")
        panel.set_xticks((1, 3, 10, 30), ("1", "3", "10", "30"))
        panel.minorticks_off()
        panel.set_ylim(0, 1.3 * panel.get_ylim()[1])
    note(axes[0], 0.98, 0.93, "forget", FORGET, ha="right")
    note(axes[0], 0.98, 0.81, "unseen, other classes", UNSEEN, ha="right")
    note(axes[1], 0.98, 0.93, "never saw the class", ha="right")
    return figure


def side_elbo_figure() -> Figure:
    """It rises on a side that was never seen; it falls with the encoder alone; far below the reference gives away."""
    rng = np.random.default_rng(28)
    figure, (fit, bound, sides) = panels(3, left=0.62, gap=0.55)
    directions = np.linalg.qr(rng.normal(size=(_PIXELS, _LATENT)))[0]
    retain, forget = (_sample(rng, directions, own) for own in (False, True))
    start = 0.1 * rng.normal(size=(_PIXELS, _LATENT)), 10.0
    steps = list(accumulate(range(30), lambda model, _: _step(retain, *model), initial=start))
    curves = [[number(side_mean(tensor(_elbo(x, *model)))) for model in steps] for x in (retain, forget)]
    head(fit, "Trained on retain alone", f"forget: {_signed(curves[1][0])} to {_signed(curves[1][-1])}")
    fit.plot(curves[0], color=RETAIN)
    fit.plot(curves[1], color=FORGET)
    fit.set(xlabel="steps of training", ylabel="SideELBO")
    note(fit, 0.98, 0.86, "retain", RETAIN, ha="right")
    note(fit, 0.98, 0.6, "forget,\nnever seen", FORGET, ha="right")

    weights, noise = steps[-1]
    shifts = np.linspace(0, 2, 21)
    elbos = [number(side_mean(tensor(_elbo(forget, weights, noise, shift)))) for shift in shifts]
    head(bound, "Only the encoder changed", f"bound: {_signed(elbos[0])} to {_signed(elbos[-1])}")
    bound.plot(shifts, [elbos[0]] * 21, color=FAINT)
    bound.plot(shifts, elbos, color=FORGET)
    bound.set(xlabel="shift of the encoder", ylim=(elbos[-1] - 1, elbos[0] + 2))
    note(bound, 0.98, 0.95, "log p(x) of the decoder", FAINT, ha="right")
    note(bound, 0.1, 0.4, "ELBO", FORGET)

    both = reduce(lambda model, _: _step(np.concatenate([retain, forget]), *model), range(30), start)
    pushed = weights - np.outer(directions[:, 0], directions[:, 0] @ weights), noise
    head(sides, "The forget side", "target: retrained")
    for model, name, colour, place in (
        (both, "original", FAINT, 0.93),
        (steps[-1], "retrained", UNSEEN, 0.81),
        (pushed, "overdone", FORGET, 0.69),
    ):
        values = _elbo(forget, *model)
        hist(sides, values, np.linspace(-90, -12, 40), colour)
        note(sides, 0.02, place, f"{name} {_signed(side_mean(tensor(values)))}", colour)
    sides.set(xlabel="ELBO of a sample", ylim=(0, 1.3 * sides.get_ylim()[1]))
    return figure


def _signed(value: Tensor | float) -> str:
    return f"{number(value):.1f}".replace("-", "−")


def _sample(rng: np.random.Generator, directions: Array, own: bool) -> Array:
    """The forgotten class lies away from the others, in a direction in which these differ a little."""
    codes = rng.normal(size=(400, _LATENT)) * (0.7, 2, 2, 1.5, 1.5, 1)
    codes[:, 0] += 3 * own
    return codes @ directions.T + 0.5 * rng.normal(size=(400, _PIXELS))


def _principal(samples: Array) -> Array:
    basis = np.linalg.svd(samples, full_matrices=False)[2][:_LATENT]
    return basis.T @ basis


def _errors(samples: Array, model: Array) -> Array:
    return ((samples - samples @ model.T) ** 2).sum(1).round(4)


def _elbo(samples: Array, weights: Array, noise: float, shift: float = 0.0) -> Array:
    """Of `x = W z + noise`, with the exact encoder, or one that is `shift` of its deviations off in each direction."""
    precision = weights.T @ weights / noise + np.eye(_LATENT)
    covariance = np.linalg.inv(precision)
    codes = samples @ weights @ covariance / noise + shift * np.linalg.cholesky(covariance).sum(1)
    errors = ((samples - codes @ weights.T) ** 2).sum(1) + np.trace(weights @ covariance @ weights.T)
    likelihood = -0.5 * (_PIXELS * np.log(2 * np.pi * noise) + errors / noise)
    log_det = np.linalg.slogdet(precision)[1]
    divergence = 0.5 * ((codes**2).sum(1) + np.trace(covariance) - _LATENT + log_det)
    return (likelihood - divergence).round(4)


def _step(samples: Array, weights: Array, noise: float) -> tuple[Array, float]:
    """Of expectation maximisation (Tipping and Bishop, 1999, equations 29 and 30)."""
    second = samples.T @ samples / len(samples)
    inner = np.linalg.inv(weights.T @ weights + noise * np.eye(_LATENT))
    moved = second @ weights
    new = moved @ np.linalg.inv(noise * np.eye(_LATENT) + inner @ weights.T @ moved)
    return new, float(np.trace(second - moved @ inner @ new.T) / _PIXELS)
