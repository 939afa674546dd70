"""One number for forgetting, retention and generalisation together: how far a model's accuracies are from a reference's."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._shares import share


def tow(accuracies: Mapping[str, float | Tensor], reference: Mapping[str, float | Tensor]) -> Tensor:
    """ToW (tug of war): `Π_S (1 − |Acc_S(θ) − Acc_S(θ_ref)|)` over the sets `S`, usually forget, retain and test.

    1 if the model is as accurate as the reference everywhere; one large difference is enough to bring it near 0. For the
    variant ToW-MIA, pass the success of a membership inference attack in place of the accuracy on the forget set.

    There is no modular twin: accuracies of different sets come from different metrics, each of which is gathered over
    batches and processes on its own; this joins the finished numbers.

    Source: Zhao et al., "What Makes Unlearning Hard and What to Do About It", NeurIPS 2024,
    https://arxiv.org/abs/2406.01257.

    Args:
        accuracies: of the unlearned model, by the name of the set; shares in [0, 1], not percentages.
        reference: those of the retrained model, for the same sets.

    Returns:
        0-d float32 tensor in [0, 1].

    Raises:
        ValueError: the names differ, there is none, or an accuracy is not between 0 and 1.

    Example:
        >>> from lightning_unlearn.metrics.functional import tow
        >>> tow({"forget": 0.5, "retain": 0.9, "test": 0.8}, {"forget": 0.0, "retain": 0.9, "test": 0.9})
        tensor(0.4500)
    """
    return torch.tensor(math.prod(1 - gap for gap in _gaps(accuracies, reference)), dtype=torch.float32)


def average_gap(accuracies: Mapping[str, float | Tensor], reference: Mapping[str, float | Tensor]) -> Tensor:
    """Mean of `|a_S(θ) − a_S(θ_ref)|` over the sets or measures `S`, usually UA, RA, TA and MIA.

    0 if the model equals the reference in all of them. Published tables have percentages: 100 times this.

    There is no modular twin, for the reason that :func:`tow` has none, and arguments and errors are the same.

    Source: Fan et al., "SalUn: Empowering Machine Unlearning via Gradient-Based Weight Saliency", ICLR 2024,
    https://arxiv.org/abs/2310.12508.

    Returns:
        0-d float32 tensor in [0, 1].

    Example:
        >>> from lightning_unlearn.metrics.functional import average_gap
        >>> average_gap({"UA": 1.0, "RA": 0.9, "TA": 0.8, "MIA": 0.5}, {"UA": 0.8, "RA": 0.9, "TA": 0.9, "MIA": 0.6})
        tensor(0.1000)
    """
    gaps = _gaps(accuracies, reference)
    return torch.tensor(math.fsum(gaps) / len(gaps), dtype=torch.float32)


def _gaps(accuracies: Mapping[str, float | Tensor], reference: Mapping[str, float | Tensor]) -> list[float]:
    if not accuracies or accuracies.keys() != reference.keys():
        raise ValueError(
            f"`accuracies` and `reference` must have the same names, at least one, found {sorted(accuracies)} and "
            f"{sorted(reference)}. Pass the accuracies of both models for the same sets."
        )
    return [
        abs(share(f"accuracies[{name!r}]", value) - share(f"reference[{name!r}]", reference[name]))
        for name, value in accuracies.items()
    ]
