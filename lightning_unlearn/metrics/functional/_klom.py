"""KLoM: divergence of unlearned from retrained models in the distribution of a sample's margin, by a histogram."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import two_populations, whole_number

_CLIP = 100.0
_FLOOR = 1e-5


def klom_per_sample(unlearned_margins: Tensor, oracle_margins: Tensor, *, bins: int = 20) -> Tensor:
    """`KL(p ‖ q)` of each sample, with histograms p of the unlearned models' margins and q of the oracles'.

    Margins are clipped to ±100 and counted in `bins` bins of one width between the smallest and the largest margin of
    both sets; then `KLoM = Σ_b p_b log(p_b / q'_b)`, where `q'` is `max(q, 1e-5)` wherever p is positive, scaled to a sum
    of 1. Thus it is at least 0, and at most about 11.5. One outlier widens all bins: fewer differences are seen then.

    With fewer models than bins most bins hold one model, so that any two sets look different, and sets far apart no more
    than two of one kind: take fewer bins then, or :func:`gaussian_klom_per_sample`.

    Source: Georgiev et al., "Attribute-to-Delete: Machine Unlearning via Datamodel Matching", 2024, appendix E.1. The code
    of data-unlearning-bench bins by `numpy.digitize`, which puts the largest margin beyond the last bin: it is dropped, and
    the value is NaN if all unlearned margins equal it. Here the last bin is closed.

    Args:
        unlearned_margins: shape (M, S): of each unlearned model for each sample, see :func:`logit_gap`.
        oracle_margins: shape (K, S): of models trained without the forget set; K may differ from M.
        bins: at least 2.

    Returns:
        float64 tensor of shape (S,), not negative.

    Raises:
        ValueError: a set has no models or no samples, the samples are not the same, a margin is not finite, or `bins` is
            not an integer of at least 2.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import klom_per_sample
        >>> klom_per_sample(torch.tensor([[0.0, 1.0], [1.0, 1.0]]), torch.tensor([[0.0, 1.0], [0.0, 1.0]]))
        tensor([5.0633, 0.0000], dtype=torch.float64)
    """
    whole_number("bins", bins, least=2)
    both = two_populations("unlearned_margins", unlearned_margins, "oracle_margins", oracle_margins)
    clipped = [margins.clamp(-_CLIP, _CLIP).T.contiguous() for margins in both]
    low, high = torch.cat(clipped, dim=1).aminmax(dim=1, keepdim=True)
    edges = low + (high - low) / bins * torch.arange(bins + 1, dtype=low.dtype, device=low.device)
    p, q = (_shares(margins, edges) for margins in clipped)
    q = torch.where(p > 0, q.clamp_min(_FLOOR), q)
    q = q / q.sum(1, keepdim=True)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(1).clamp_min(0)


def klom(
    unlearned_margins: Tensor,
    oracle_margins: Tensor,
    *,
    bins: int = 20,
    aggregate: Callable[[Tensor], Tensor] = torch.mean,
) -> Tensor:
    """KLoM over samples: the mean of :func:`klom_per_sample`, or another summary of it.

    Report it for forget, retain and unseen samples apart. Finitely many models differ by chance, so that oracles against
    other oracles give more than 0: about 0.36 for M = K = 100 normal margins and 20 bins; :func:`klom_p_value` takes it into account.

    Arguments and errors are those of :func:`klom_per_sample`, and:

    Args:
        unlearned_margins: shape (M, S).
        oracle_margins: shape (K, S).
        bins: at least 2.
        aggregate: makes one number of the values (S,) in float64; for the 95th percentile, as it is published,
            `functools.partial(torch.quantile, q=0.95)`.

    Returns:
        0-d float32 tensor on the device of `unlearned_margins`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import klom
        >>> klom(torch.tensor([[0.0, 1.0], [1.0, 1.0]]), torch.tensor([[0.0, 1.0], [0.0, 1.0]]))
        tensor(2.5317)
    """
    return aggregate(klom_per_sample(unlearned_margins, oracle_margins, bins=bins)).float()


def _shares(values: Tensor, edges: Tensor) -> Tensor:
    """Share of each row of `values` (S, M) in each bin of `edges` (S, B + 1)."""
    last = edges.shape[1] - 2
    bins = (torch.searchsorted(edges, values, right=True) - 1).clamp(0, last)
    counts = torch.zeros_like(edges[:, 1:]).scatter_add_(1, bins, torch.ones_like(values))
    return counts / values.shape[1]
