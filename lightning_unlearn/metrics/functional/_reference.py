"""How far a model's predictions are from those of a reference, such as a model retrained without the forget set."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._outputs import (
    both_logits,
    js_divergences,
    kl_divergences,
    log_probabilities,
    mean_over_samples,
)


def activation_distance(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """Mean over samples of `‖softmax z − softmax z_ref‖₂`, the Euclidean distance of two models' probabilities.

    Source: Chundawat et al., "Can Bad Teaching Induce Forgetting?", AAAI 2023, https://arxiv.org/abs/2205.08096; there
    on the forget set, with a retrained model as the reference.

    Args:
        logits: the model's, shape (N, C), finite.
        reference_logits: the reference's for the same samples, shape (N, C), finite.

    Returns:
        0-d float32 tensor in [0, √2] on the device of `logits`; 0 if both say the same.

    Raises:
        ValueError: there is no sample, the shapes do not fit, or a logit is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import activation_distance
        >>> activation_distance(torch.tensor([[50.0, 0.0]]), torch.tensor([[0.0, 50.0]]))
        tensor(1.4142)
    """
    return mean_over_samples(_activation_distances(logits, reference_logits))


def prediction_agreement(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """Share of samples for which two models predict the same class, also called completeness.

    The predicted class has the largest logit; of equal ones the first counts.

    Source: "completeness" of Cao and Yang, "Towards Making Systems Forget with Machine Unlearning", S&P 2015.

    Arguments and errors are those of :func:`activation_distance`.

    Returns:
        0-d float32 tensor in [0, 1]; 1 if both always agree, whether right or wrong.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import prediction_agreement
        >>> prediction_agreement(torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([[9.0, 0.0], [1.0, 0.0]]))
        tensor(0.5000)
    """
    return mean_over_samples(_agreements(logits, reference_logits))


def reference_js_divergence(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """Mean over samples of the Jensen–Shannon divergence of a model's probabilities `p` from a reference's `q`.

    `JS(p, q) = ½ KL(p‖m) + ½ KL(q‖m)` with `m = ½ (p + q)`, in nats. It is symmetric and bounded.

    Source: Chundawat et al., AAAI 2023. Their code differs in two ways. It takes the mean where the definition has a sum
    over classes (the default reduction of `kl_div`), which divides by C; and it turns the direction round,
    `½ KL(m‖p) + ½ KL(m‖q)`, which is unbounded, and infinite once a probability underflows.

    Arguments and errors are those of :func:`activation_distance`.

    Returns:
        0-d float32 tensor in [0, log 2]; 0 if both say the same.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import reference_js_divergence
        >>> reference_js_divergence(torch.tensor([[900.0, 0.0]]), torch.tensor([[0.0, 900.0]]))
        tensor(0.6931)
    """
    return mean_over_samples(_js_divergences(logits, reference_logits))


def reference_kl_divergence(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """Mean over samples of `KL(p_ref‖p) = Σ_c p_ref(c) (log p_ref(c) − log p(c))`, in nats.

    The reference's probabilities are the weights: a class that the reference finds likely and the model does not is
    expensive, the reverse is cheap. Logarithms are computed from logits, so that the value is finite for probabilities
    that underflow; code that takes `log(softmax(z))` gives infinity or NaN there.

    Source: the output divergence of Huang et al., "Unified Gradient-Based Machine Unlearning with Remain Geometry
    Enhancement", NeurIPS 2024, with a retrained model as the reference.

    Arguments and errors are those of :func:`activation_distance`.

    Returns:
        0-d float32 tensor, at least 0; 0 if both say the same.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import reference_kl_divergence
        >>> reference_kl_divergence(torch.tensor([[900.0, 0.0]]), torch.tensor([[0.0, 900.0]]))
        tensor(900.)
    """
    return mean_over_samples(_kl_divergences(logits, reference_logits))


def _activation_distances(logits: Tensor, reference_logits: Tensor) -> Tensor:
    ours, theirs = both_logits(logits, reference_logits, "reference_logits")
    distances: Tensor = torch.linalg.vector_norm(ours.softmax(1) - theirs.softmax(1), dim=1)
    return distances


def _agreements(logits: Tensor, reference_logits: Tensor) -> Tensor:
    ours, theirs = both_logits(logits, reference_logits, "reference_logits")
    return (ours.argmax(1) == theirs.argmax(1)).double()


def _js_divergences(logits: Tensor, reference_logits: Tensor) -> Tensor:
    return js_divergences(*map(log_probabilities, both_logits(logits, reference_logits, "reference_logits")))


def _kl_divergences(logits: Tensor, reference_logits: Tensor) -> Tensor:
    ours, theirs = both_logits(logits, reference_logits, "reference_logits")
    return kl_divergences(log_probabilities(theirs), log_probabilities(ours))
