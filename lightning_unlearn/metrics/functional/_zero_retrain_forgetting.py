"""Does a model treat the forget set as a network does that has learned nothing?"""

from __future__ import annotations

from torch import Tensor

from lightning_unlearn.metrics.functional._outputs import (
    both_logits,
    js_divergences,
    log_probabilities,
    mean_over_samples,
)


def zero_retrain_forgetting(logits: Tensor, random_logits: Tensor) -> Tensor:
    """ZRF: 1 less the mean Jensen–Shannon divergence of a model's probabilities from a random network's.

    `ZRF = 1 − 1/(N R) Σ_i Σ_r JS(p_i, q_ir)` with `JS(p, q) = ½ KL(p‖m) + ½ KL(q‖m)`, `m = ½ (p + q)`, in nats, for
    the forget samples `i` and randomly initialised networks `r` of the same architecture. One network gives the published
    number, which depends on its seed: several average that out.

    A random network has about the same output for every sample, so that this measures how unsure a model is rather than
    what it remembers. A retrained model, which recognises what is like its training data, is below 1.

    Source: Chundawat et al., "Can Bad Teaching Induce Forgetting?", AAAI 2023, https://arxiv.org/abs/2205.08096. The
    published code gives other numbers: it leaves `kl_div` at its default, the mean over classes rather than their sum,
    which divides the divergence by C and brings scores nearer to 1; and it computes `KL(m‖p)` for `KL(p‖m)`, which is
    unbounded, and infinite once a probability underflows.

    Args:
        logits: the model's, shape (N, C), finite.
        random_logits: of the random network, shape (N, C), or of R random networks, shape (N, R, C), finite.

    Returns:
        0-d float32 tensor in [1 − log 2, 1] on the device of `logits`; 1 if the outputs are the random network's.

    Raises:
        ValueError: there is no sample, the shapes do not fit, or a logit is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import zero_retrain_forgetting
        >>> sure, unsure = torch.tensor([[50.0, 0.0]]), torch.tensor([[0.0, 0.0]])
        >>> zero_retrain_forgetting(sure, unsure), zero_retrain_forgetting(unsure, unsure)
        (tensor(0.7842), tensor(1.))
    """
    return mean_over_samples(_zrf_scores(logits, random_logits))


def _zrf_scores(logits: Tensor, random_logits: Tensor) -> Tensor:
    ndim = 3 if random_logits.ndim == 3 else 2
    ours, random = map(log_probabilities, both_logits(logits, random_logits, "random_logits", ndim=ndim))
    if ndim == 2:
        return 1 - js_divergences(ours, random)
    return 1 - js_divergences(ours[:, None], random).mean(1)
