"""Rules of two flat vectors, again: NumPy, SciPy, and TorchJD on the matrix of both."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import brentq

Rule = Callable[[np.ndarray, np.ndarray], np.ndarray]


def nearest_to_origin(u: np.ndarray, g: np.ndarray) -> np.ndarray:
    """The nearest point to the origin on the segment between two points (MGDA)."""
    along = g - u
    t = np.clip(-(u @ along) / (along @ along), 0.0, 1.0) if along.any() else 0.0
    return u + t * along


def conflict_averse(u: np.ndarray, g: np.ndarray, c: float) -> np.ndarray:
    """CAGrad, the weight being the root of a derivative that never falls."""
    mean, along = (u + g) / 2, u - g
    radius = c * np.linalg.norm(mean)

    def slope(w: float) -> float:
        mixed = w * u + (1 - w) * g
        return float(along @ mean + radius * (mixed @ along) / np.linalg.norm(mixed))

    w = (
        0.0
        if slope(0.0) >= 0
        else 1.0
        if slope(1.0) <= 0
        else brentq(slope, 0.0, 1.0, xtol=1e-16, rtol=1e-15)
    )
    mixed = w * u + (1 - w) * g
    return mean + radius * mixed / np.linalg.norm(mixed)


def units(u: np.ndarray, g: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """The sum of both, each of length 1."""
    return g / np.linalg.norm(g) + alpha * u / np.linalg.norm(u)


def aggregated(aggregator: torch.nn.Module) -> Rule:
    """What an aggregator of TorchJD makes of the matrix with these two rows."""
    return lambda u, g: aggregator(torch.from_numpy(np.stack([u, g]))).numpy()
