"""How many forget samples an attacker takes for unseen, who has learned what retained and unseen samples look like."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import finite_samples

Array = NDArray[np.float64]


def mia_efficacy(
    retain_scores: Tensor, test_scores: Tensor, forget_scores: Tensor, *, seed: int = 0
) -> Tensor:
    """Share of forget samples that a support vector machine judges unseen, trained on retained and unseen samples.

    As :func:`salun_mia_efficacy`, but so that the number depends on the model alone: the larger of the two groups is
    subsampled by `seed` from its sorted scores to the size of the smaller one, so that neither class nor the order of the
    samples decides; the score is standardised, so that it may have any scale; and samples that lie on the boundary, as all
    do if the scores say nothing, count one half.

    The number alone says little: what a retrained model gets depends on how well it generalises, and a forget set that is
    made unfamiliar gets more than that. Read it beside the reference's, and beside the value for unseen samples that were
    held out of `test_scores` and are passed as the forget set.

    One seed always draws the same ranks of the larger group, which moves the number if the smaller one is small: with 50
    retained and 200 unseen samples of a skewed score and nothing to find, seed 0 gives about 0.59 on average, and
    seeds together 0.5. Average over seeds.

    Source: Fan et al., "SalUn", ICLR 2024, https://arxiv.org/abs/2310.12508; after Song and Mittal,
    USENIX Security 2021.

    Args:
        retain_scores: shape (N,): a score of samples that the model has been trained on; see :func:`logit_gap`.
        test_scores: shape (M,): of unseen samples.
        forget_scores: shape (K,).
        seed: of the subsampling.

    Returns:
        0-d float32 tensor in [0, 1] on the device of `forget_scores`.

    Raises:
        ValueError: a group is empty or not one-dimensional, or a score is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import mia_efficacy
        >>> seen, unseen = torch.linspace(5, 6, 40), torch.linspace(0, 1, 30)
        >>> mia_efficacy(seen, unseen, forget_scores=torch.tensor([0.5, 0.7, 0.9, 5.5]))
        tensor(0.7500)
    """
    retain, test, forget = _groups(
        retain_scores=retain_scores, test_scores=test_scores, forget_scores=forget_scores
    )
    generator, size = np.random.default_rng(seed), min(len(retain), len(test))
    shadow = [generator.choice(np.sort(part), size, replace=False, shuffle=False) for part in (retain, test)]
    attack = make_pipeline(StandardScaler(), SVC(C=3, gamma="auto", kernel="rbf", tol=1e-6, random_state=0))
    attack.fit(np.concatenate(shadow)[:, None], np.repeat([1, 0], size))
    decision = attack.decision_function(forget[:, None])
    unseen = np.where(np.abs(decision) < 1e-9, 0.5, decision < 0)
    return torch.tensor(unseen.mean(), dtype=torch.float32, device=forget_scores.device)


def salun_mia_efficacy(
    retain_confidence: Tensor, test_confidence: Tensor, forget_confidence: Tensor
) -> Tensor:
    """MIA-efficacy as the code of SalUn computes it, for comparison with published tables (which are in percent).

    The attacker is `SVC(C=3, gamma="auto", kernel="rbf")` on the :func:`confidence`, trained on the first M retained samples
    and the M unseen ones. The number depends on which retained samples come first, and its kernel is wide
    beside confidences that lie close to 1: one sample more in one group may decide; :func:`mia_efficacy` mends both. The
    code also has an attack on modified entropy that does not depend on the label: see :func:`negative_modified_entropy`.

    Source: Fan et al., "SalUn", ICLR 2024, https://arxiv.org/abs/2310.12508, `Classification/evaluation/SVC_MIA.py`.

    Args:
        retain_confidence: shape (N,), in [0, 1], in the order of the retain set; if N is below M, all of them are used.
        test_confidence: shape (M,), in [0, 1].
        forget_confidence: shape (K,), in [0, 1].

    Returns:
        0-d float32 tensor in [0, 1] on the device of `forget_confidence`.

    Raises:
        ValueError: as :func:`mia_efficacy`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import salun_mia_efficacy
        >>> seen, unseen = torch.linspace(0.9, 1, 40), torch.linspace(0, 0.3, 30)
        >>> salun_mia_efficacy(seen, unseen, forget_confidence=torch.tensor([0.1, 0.2, 0.3, 0.95]))
        tensor(0.7500)
    """
    retain, test, forget = _groups(
        retain_confidence=retain_confidence,
        test_confidence=test_confidence,
        forget_confidence=forget_confidence,
    )
    retain = retain[: len(test)]
    # draws nothing, but without a state it takes its seed from NumPy's global stream
    attack = SVC(C=3, gamma="auto", kernel="rbf", random_state=0)
    attack.fit(np.concatenate([retain, test])[:, None], np.repeat([1, 0], [len(retain), len(test)]))
    unseen = 1 - attack.predict(forget[:, None])
    return torch.tensor(unseen.mean(), dtype=torch.float32, device=forget_confidence.device)


def _groups(**groups: Tensor) -> list[Array]:
    return [finite_samples(name, scores).cpu().numpy() for name, scores in groups.items()]
