"""What an attacker looks at: numbers that are larger for samples a model was trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import logits_and_labels


def log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """Logarithm of the probability of a sample's class, `log p_y`: the negative cross-entropy loss.

    Source: Yeom et al., "Privacy Risk in Machine Learning", CSF 2018.

    Args:
        logits: shape (N, C), finite.
        labels: class indices of shape (N,).

    Returns:
        float64 tensor of shape (N,), at most 0.

    Raises:
        ValueError: shapes do not fit, a logit is not finite, or a label is out of range.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import log_likelihood
        >>> log_likelihood(torch.zeros(2, 4), torch.tensor([0, 3]))
        tensor([-1.3863, -1.3863], dtype=torch.float64)
    """
    logits, labels = logits_and_labels(logits, labels)
    return logits.log_softmax(1).gather(1, labels[:, None])[:, 0]


def confidence(logits: Tensor, labels: Tensor) -> Tensor:
    """Probability of a sample's class, `p_y`, in [0, 1]; orders samples as :func:`log_likelihood` does.

    Arguments and errors are those of :func:`log_likelihood`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import confidence
        >>> confidence(torch.zeros(2, 4), torch.tensor([0, 3]))
        tensor([0.2500, 0.2500], dtype=torch.float64)
    """
    return log_likelihood(logits, labels).exp()


def logit_gap(logits: Tensor, labels: Tensor) -> Tensor:
    """Logit-scaled confidence, `log(p_y / (1 − p_y)) = z_y − log Σ_{c≠y} exp z_c`, close to normal over models.

    Source: Carlini et al., "Membership Inference Attacks From First Principles", S&P 2022, section V.C. Infinite where
    there is only one class. Arguments and errors are those of :func:`log_likelihood`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import logit_gap
        >>> logit_gap(torch.tensor([[3.0, 1.0]]), torch.tensor([0]))
        tensor([2.], dtype=torch.float64)
    """
    logits, labels = logits_and_labels(logits, labels)
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return own - others.logsumexp(1)


def negative_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """`Σ_c p_c log p_c` in [−log C, 0]: how sure a prediction is, whether right or wrong.

    Source: Shokri et al., "Membership Inference Attacks Against Machine Learning Models", S&P 2017. Arguments and errors
    are those of :func:`log_likelihood`; the labels are not looked at.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import negative_entropy
        >>> negative_entropy(torch.zeros(1, 4), torch.tensor([0]))
        tensor([-1.3863], dtype=torch.float64)
    """
    logits, _ = logits_and_labels(logits, labels)
    logs = logits.log_softmax(1)
    return (logs.exp() * logs).sum(1)


def negative_modified_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """`(1 − p_y) log p_y + Σ_{c≠y} p_c log(1 − p_c)`, at most 0: small if a prediction is unsure or wrong.

    Source: Song and Mittal, "Systematic Evaluation of Privacy Risks of Machine Learning Models", USENIX Security 2021,
    equation 8, with its sign turned. Several published repositories index columns for rows there, so that their number
    does not depend on the label; this one does. Arguments and errors are those of :func:`log_likelihood`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import negative_modified_entropy
        >>> negative_modified_entropy(torch.zeros(1, 2), torch.tensor([0]))
        tensor([-0.6931], dtype=torch.float64)
    """
    logits, labels = logits_and_labels(logits, labels)
    logs = logits.log_softmax(1)
    is_own = torch.zeros_like(logits, dtype=torch.bool).scatter(1, labels[:, None], value=True)
    rest = _log_of_the_rest(logits)
    own_terms = rest.exp() * logs
    other_terms = logs.exp() * rest
    return torch.where(is_own, own_terms, other_terms).sum(1)


def correctness(logits: Tensor, labels: Tensor) -> Tensor:
    """1 where the class with the largest logit is the label, 0 elsewhere; of equal logits the first counts.

    Source: Yeom et al. 2018 ("gap attack"). Arguments and errors are those of :func:`log_likelihood`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import correctness
        >>> correctness(torch.eye(2), torch.tensor([0, 0]))
        tensor([1., 0.], dtype=torch.float64)
    """
    logits, labels = logits_and_labels(logits, labels)
    return (logits.argmax(1) == labels).double()


def _log_of_the_rest(logits: Tensor) -> Tensor:
    """`log(1 − p_c)` for every class, exact where `p_c` is 1 within rounding; the lowest float64 for a lone class."""
    logs = logits.log_softmax(1)
    rest = torch.log(-torch.expm1(logs))
    # only the largest probability can round to 1
    top = logits.argmax(1, keepdim=True)
    others = logits.scatter(1, top, -torch.inf).logsumexp(1, keepdim=True)
    rest = rest.scatter(1, top, others - logits.logsumexp(1, keepdim=True))
    return rest.clamp_min(torch.finfo(rest.dtype).min)
