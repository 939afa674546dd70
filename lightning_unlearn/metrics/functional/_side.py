"""What a model does on the samples of one side."""

from __future__ import annotations

from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples
from lightning_unlearn.metrics.functional._membership_scores import correctness, log_likelihood


def side_accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of samples whose largest logit is that of their class; of equal logits the first counts.

    The field calls it by the side: RA on the retain set, TA on unseen samples; UA of the forget set is `1 −` this.

    Source: Fan et al., "SalUn", ICLR 2024, https://arxiv.org/abs/2310.12508; published tables are in percent.

    Args:
        logits: shape (N, C), finite.
        labels: class indices of shape (N,).

    Returns:
        0-d float32 tensor in [0, 1] on the device of `logits`.

    Raises:
        ValueError: there are no samples, shapes do not fit, a logit is not finite, or a label is out of range.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import side_accuracy
        >>> side_accuracy(torch.eye(3), torch.tensor([0, 1, 1]))
        tensor(0.6667)
    """
    return finite_samples("labels", correctness(logits, labels)).mean().float()


def side_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy, `−1/N Σ log p_y`.

    Each sample weighs the same, however the samples were batched: a mean of the means of batches does not do that if the
    last batch is smaller. Arguments and errors are those of :func:`side_accuracy`.

    Source: the loss that the attack of Kurmanji et al., "Towards Unbounded Machine Unlearning", NeurIPS 2023, looks at.

    Returns:
        0-d float32 tensor, at least 0; `log C` is a guess.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import side_loss
        >>> side_loss(torch.zeros(2, 4), torch.tensor([0, 3]))
        tensor(1.3863)
    """
    return -finite_samples("labels", log_likelihood(logits, labels)).mean().float()
