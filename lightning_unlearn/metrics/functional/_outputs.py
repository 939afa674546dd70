"""Two models' outputs for the same samples, compared sample by sample; in log space, so that nothing underflows."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import kl_div, logsigmoid

from lightning_unlearn.metrics.functional._checks import finite_samples


def both_logits(logits: Tensor, others: Tensor, name: str, *, ndim: int = 2) -> tuple[Tensor, Tensor]:
    """`logits` (N, C) and `others`, (N, C) or with `ndim` 3 (N, R, C), in float64 on one device."""
    logits = finite_samples("logits", logits, ndim=2, least=0)
    if logits.shape[1] == 0:
        raise ValueError("`logits` must have at least one class, found none. Pass one column for each class.")
    others = finite_samples(name, others, ndim=ndim, least=0)
    if (len(others), others.shape[-1]) != tuple(logits.shape) or 0 in others.shape[1:]:
        expected = f"({len(logits)}, {'R, ' * (ndim - 2)}{logits.shape[1]})"
        raise ValueError(
            f"`{name}` must have the shape {expected}, found {tuple(others.shape)}. Pass what the other model says of "
            "the same samples, in the same order."
        )
    return logits, others.to(logits.device)


def mean_over_samples(values: Tensor) -> Tensor:
    """Mean in float32 of one float64 value for each sample."""
    if len(values) == 0:
        raise ValueError("`logits` must hold at least 1 sample, found 0. Pass more samples.")
    return values.mean().float()


def js_divergences(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Jensen–Shannon divergences in nats, over the last dimension; exactly 0 for equal distributions."""
    # log p/m = log 2 + logsigmoid(log p/q): the mixture m is never formed, and cannot underflow
    ratio = log_p - log_q
    left = log_p.exp() * (math.log(2) + logsigmoid(ratio))
    right = log_q.exp() * (math.log(2) + logsigmoid(-ratio))
    return ((left + right).sum(-1) / 2).clamp(0, math.log(2))


def kl_divergences(log_p: Tensor, log_q: Tensor) -> Tensor:
    """`KL(p‖q)` in nats, over the last dimension; finite as long as the logarithms are."""
    return kl_div(log_q, log_p, reduction="none", log_target=True).sum(-1).clamp_min(0)


def log_probabilities(logits: Tensor) -> Tensor:
    """Log-softmax, finite even where logits differ by more than the largest number."""
    return logits.log_softmax(-1).clamp_min(torch.finfo(logits.dtype).min)
