"""What UNO's rows should do, by formulas of flat float64 vectors; and a generator's classifier, to be guided by."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from lightning_unlearn import Guidance
from tests.strategies._fits import CLASSES, FEATURES
from tests.strategies._loops import Hand


def uno_direction(h: Hand, weight: float = 0.1, *, relative: bool = True, alpha: float = 0.0) -> np.ndarray:
    """ALGORITHMS.md, section 2(b), with whole Hessians; the loss of a short window counts in part, as Lightning has it."""
    s, n_f, n_r = h.u @ h.g, h.u @ h.u, h.g @ h.g
    if n_f == 0:  # an objective that is content
        return h.g
    a = 2 * s / (n_f * n_r) * (h.g - s / n_f * h.u)
    b = 2 * s / (n_f * n_r) * (h.u - s / n_r * h.g)
    loss = float(h.retain_loss(h.theta).detach()) if relative else h.share
    return h.g + alpha * h.u + weight * abs(loss) * (h.forget_hessian @ a + h.retain_hessian @ b)


def unos_direction(h: Hand) -> np.ndarray:
    """The first step is UNO's, the second that of surgery on the retain gradient."""
    return uno_direction(h) if h.step % 2 == 0 else h.g - (h.u @ h.g) / (h.u @ h.u) * h.u


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


LATENTS = drawn(6, FEATURES)
GUIDE_WEIGHT, FORGOTTEN, KEPT = 0.3, 1, 3
GUIDE = drawn(KEPT + 1, CLASSES)  # logits of four classes


def sample(module: nn.Module) -> Tensor:
    """The module is the generator, its outputs the samples."""
    return module(LATENTS.to(next(module.parameters()).dtype))


def guidance(weight: float = GUIDE_WEIGHT) -> Guidance:
    classifier = nn.Linear(CLASSES, KEPT + 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        classifier.weight.copy_(GUIDE)
    return Guidance(sample, classifier, [FORGOTTEN], KEPT + 1, weight)


def penalty(net: nn.Module) -> Tensor:
    """The same by hand."""
    probabilities = torch.softmax(net(LATENTS) @ GUIDE.T, dim=1).mean(dim=0)
    total = torch.zeros((), dtype=torch.float64)
    for c, p in enumerate(probabilities):
        kept = 0.0 if c == FORGOTTEN else 1 / KEPT
        total = total + p * torch.log((p + 1e-8) / (kept + 1e-8))
    return GUIDE_WEIGHT * total
