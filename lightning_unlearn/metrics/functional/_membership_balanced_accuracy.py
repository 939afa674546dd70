"""How often a threshold is right on samples that it was not chosen on."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_curve
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples, whole_number

Array = NDArray[np.float64]


def membership_balanced_accuracy(
    member_scores: Tensor, nonmember_scores: Tensor, *, repeats: int = 50, seed: int = 0
) -> Tensor:
    """Balanced accuracy of a threshold attack, each half of the samples judged by the threshold of the other half.

    ``½ (true positive rate + true negative rate)``. The threshold of a half is the one, midway between two scores, that
    tells members from others best there, members being above it or below it: also a forget set that looks *less* familiar
    than unseen data gives itself away. A half that no threshold divides takes nobody for a member.

    The halves are drawn by `seed` from the sorted scores, so that the order of the samples does not matter, and anew for
    each of the repeats, over which the mean is taken. Alternate ranks would not do: such halves are so alike that a
    threshold chosen on one is overfitted to the other. Nor would one drawing: the halves of a seed hold the same ranks
    whatever the scores are, and where there is nothing to find they give several hundredths more or less than one half.

    Source: the threshold attack of Yeom et al., CSF 2018, and Song and Mittal, USENIX Security 2021, whose published code
    chooses the threshold on shadow data and in one direction. Code that chooses it on the samples that it is scored on
    finds more than 0.5 where there is nothing to find.

    Args:
        member_scores: shape (N,), N at least 2; see :func:`log_likelihood` and the others.
        nonmember_scores: shape (M,), M at least 2.
        repeats: how often halves are drawn, at least 1.
        seed: of the halves.

    Returns:
        0-d float32 tensor in [0, 1] on the device of `member_scores`; 0.5 is chance, below it is chance as well.

    Raises:
        ValueError: a group has less than two samples or is not one-dimensional, a score is not finite, or `repeats` is less
            than 1.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import membership_balanced_accuracy
        >>> scores = torch.linspace(0, 1, 50)
        >>> membership_balanced_accuracy(scores + 2, scores), membership_balanced_accuracy(scores, scores + 2)
        (tensor(1.), tensor(1.))
    """
    whole_number("repeats", repeats, least=1)
    members, others = (
        finite_samples(name, scores, least=2).cpu().sort().values.numpy()
        for name, scores in (("member_scores", member_scores), ("nonmember_scores", nonmember_scores))
    )
    generator = np.random.default_rng(seed)
    accuracies = [_accuracy(members, others, generator) for _ in range(repeats)]
    return torch.tensor(np.mean(accuracies), dtype=torch.float32, device=member_scores.device)


def _accuracy(members: Array, others: Array, generator: np.random.Generator) -> float:
    """Of one drawing of halves."""
    halves = [np.array_split(generator.permutation(group), 2) for group in (members, others)]
    found, cleared = [], []
    for judge, judged in ((0, 1), (1, 0)):
        cut, members_above = _best_cut(halves[0][judge], halves[1][judge])
        found.append((halves[0][judged] >= cut) == members_above)
        cleared.append((halves[1][judged] >= cut) != members_above)
    return float(np.concatenate(found).mean() + np.concatenate(cleared).mean()) / 2


def _best_cut(members: Array, others: Array) -> tuple[float, bool]:
    """Where to cut, and whether members are above."""
    truth = np.repeat([1, 0], [len(members), len(others)])
    false, true, scores = roc_curve(truth, np.concatenate([members, others]), drop_intermediate=False)
    best = int(np.abs(true - false).round(12).argmax())  # of equally good cuts the uppermost
    if true[best] == false[best]:
        return float("inf"), True
    upper, lower = scores[best], scores[best + 1]
    middle = upper / 2 + lower / 2
    # between neighbouring numbers there is no middle
    return float(middle if middle > lower else upper), bool(true[best] > false[best])
