"""How soon a model learns again what it has forgotten."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples
from lightning_unlearn.metrics.functional._shares import share


def relearn_time(
    accuracies: Tensor | Sequence[float], original: float | Tensor, *, alpha: float = 0.05
) -> Tensor:
    """First step at which the accuracy on the forget set is at least `(1 − alpha) · original`.

    `accuracies[k]` is measured after `k` optimiser steps of training on data that includes the forget set, `accuracies[0]`
    before the first: 0 means that the model never was below the threshold. If no step reaches it, the time is infinite: it
    is longer than the steps that were done, which are not returned in its place. A later fall below does not matter.

    There is no modular twin: the training that yields the accuracies is not a metric's, and one model gives one sequence.

    Source: Chundawat et al., "Zero-Shot Machine Unlearning", TIFS 2023, https://arxiv.org/abs/2201.05629, section on the
    Anamnesis Index.

    Args:
        accuracies: shares in [0, 1] after 0, 1, 2, … steps, shape (K,), at least one.
        original: accuracy on the forget set of the model before unlearning, in (0, 1].
        alpha: tolerated relative loss in [0, 1); the paper has 0.05.

    Returns:
        0-d float32 tensor: a number of steps, or infinity.

    Raises:
        ValueError: a number is not finite or out of its range, or there is no accuracy.

    Example:
        >>> from lightning_unlearn.metrics.functional import relearn_time
        >>> relearn_time([0.0, 0.4, 0.93, 0.96], original=1.0)
        tensor(3.)
        >>> relearn_time([0.0, 0.4], original=1.0)
        tensor(inf)
    """
    _relearn_time_validate_args(alpha)
    before = share("original", original)
    if before == 0:
        raise ValueError(
            "`original` must be positive, found 0.0. Ask how soon it learns again only what a model has known before."
        )
    values = finite_samples("accuracies", torch.as_tensor(accuracies, dtype=torch.float64))
    for value in values.tolist():
        share("accuracies", value)
    # what equals the threshold reaches it, even where accuracies were rounded to float32
    reached = (values >= (1 - alpha) * before * (1 - 1e-6)).nonzero()
    step = float(reached[0]) if len(reached) else math.inf
    return torch.tensor(step, dtype=torch.float32, device=values.device)


def anamnesis_index(unlearned_steps: float | Tensor, gold_steps: float | Tensor) -> Tensor:
    """AIN: relearn time of an unlearned model over that of a model which was never trained on the forget set.

    1 is ideal. Well below 1, the model learns the forget set again sooner than one that never knew it: some of it was
    left. Well above 1, it resists, which gives away that there was something to forget. Infinite if the unlearned model
    never reaches the accuracy. Two infinite times cannot be compared, nor can any with a gold model that reaches the
    accuracy at once (as for forget samples that resemble the rest): both are errors.

    There is no modular twin: two numbers are no samples.

    Source: Chundawat et al., "Zero-Shot Machine Unlearning", TIFS 2023, https://arxiv.org/abs/2201.05629.

    Args:
        unlearned_steps: :func:`relearn_time` of the unlearned model, at least 0.
        gold_steps: the same of the retrained model, positive and finite.

    Returns:
        0-d float32 tensor, at least 0.

    Raises:
        ValueError: `unlearned_steps` is negative or NaN, or `gold_steps` is not positive and finite.

    Example:
        >>> from lightning_unlearn.metrics.functional import anamnesis_index
        >>> anamnesis_index(6, 24)
        tensor(0.2500)
    """
    unlearned, gold = float(unlearned_steps), float(gold_steps)
    if not unlearned >= 0:
        raise ValueError(f"`unlearned_steps` must be at least 0, found {unlearned}. Pass a relearn time.")
    if not 0 < gold < math.inf:
        raise ValueError(
            f"`gold_steps` must be positive and finite, found {gold}. Let the retrained model learn for longer, or, where "
            "it knows the forget set at once, do not use the index."
        )
    device = unlearned_steps.device if isinstance(unlearned_steps, Tensor) else None
    return torch.tensor(unlearned / gold, dtype=torch.float32, device=device)


def _relearn_time_validate_args(alpha: object) -> None:
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 <= alpha < 1:
        raise ValueError(f"`alpha` must be a number of at least 0 and below 1, found {alpha!r}.")
