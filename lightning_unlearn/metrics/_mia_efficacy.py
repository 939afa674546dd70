"""MIA-efficacy, as it should be and as it is published, accumulated over batches and processes."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._base import SampleMetric
from lightning_unlearn.metrics._membership_roc import Score
from lightning_unlearn.metrics.functional._checks import flags
from lightning_unlearn.metrics.functional._membership_scores import confidence, logit_gap
from lightning_unlearn.metrics.functional._mia_efficacy import mia_efficacy, salun_mia_efficacy


class _MIAEfficacy(SampleMetric):
    """Keeps a score of each sample, and which of the three groups the sample is of."""

    target = "reference"
    higher_is_better = None
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    scores: list[Tensor]
    forget: list[Tensor]
    retain: list[Tensor]

    def __init__(self, score: Score, **kwargs: Any) -> None:
        super().__init__("scores", "forget", "retain", **kwargs)
        self.score = score

    @override
    def update(self, logits: Tensor, labels: Tensor, forget: Tensor, retain: Tensor) -> None:
        """Add the samples of a batch.

        Args:
            logits: shape (N, C), finite.
            labels: class indices of shape (N,).
            forget: bool tensor of shape (N,): true for the forget set.
            retain: bool tensor of shape (N,): true for the retain set; samples of neither are unseen ones.
        """
        scores = self.score(logits, labels)
        forget, retain = flags("forget", forget, len(scores)), flags("retain", retain, len(scores))
        both = int((forget & retain).sum())
        if both:
            raise ValueError(
                f"`forget` and `retain` must not both be true, found {both} samples where they are. Pass false and false "
                "for unseen samples."
            )
        self._keep(scores=scores, forget=forget, retain=retain)

    def _groups(self) -> tuple[Tensor, Tensor, Tensor]:
        scores, forget, retain = (self._kept(name) for name in ("scores", "forget", "retain"))
        return scores[retain], scores[~forget & ~retain], scores[forget]


class MIAEfficacy(_MIAEfficacy):
    """Share of forget samples that a support vector machine judges unseen, trained on retained and unseen samples.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.mia_efficacy`, which says what is computed.

    Args:
        score: what the attacker looks at: a function of logits (N, C) and labels (N,).
        seed: of the subsampling of the larger group. If the other has few samples, such as 50, average over seeds: where there is
            nothing to find, a single one may give about 0.6 on average, not 0.5.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: from `update`, the shapes do not fit, a logit is not finite, or a sample is of two groups; from
            `compute`, a group is empty.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import MIAEfficacy
        >>> metric = MIAEfficacy()
        >>> logits = torch.tensor([[5.0, 0.0], [1.0, 0.0], [1.5, 0.0]])
        >>> forget, retain = torch.tensor([False, False, True]), torch.tensor([True, False, False])
        >>> metric.update(logits, torch.zeros(3, dtype=int), forget, retain)
        >>> metric.compute()
        tensor(1.)
    """

    measures = "How many forget samples an attacker takes for unseen who knows retained and unseen ones."
    citation = "Fan et al., SalUn, ICLR 2024"

    def __init__(self, score: Score = logit_gap, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(score, **kwargs)
        self.seed = seed

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [0, 1]."""
        return mia_efficacy(*self._groups(), seed=self.seed)


class SalUnMIAEfficacy(_MIAEfficacy):
    """MIA-efficacy as the code of SalUn computes it, for comparison with published tables (which are in percent).

    Modular twin of :func:`~lightning_unlearn.metrics.functional.salun_mia_efficacy`, which says what is computed. Retained
    samples count in the order in which they are seen: over several processes, first all of the first process. Errors are
    those of :class:`MIAEfficacy`.

    Args:
        **kwargs: passed to `torchmetrics.Metric`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import SalUnMIAEfficacy
        >>> metric = SalUnMIAEfficacy()
        >>> logits = torch.tensor([[5.0, 0.0], [0.0, 3.0], [0.0, 0.0]])
        >>> forget, retain = torch.tensor([False, False, True]), torch.tensor([True, False, False])
        >>> metric.update(logits, torch.zeros(3, dtype=int), forget, retain)
        >>> metric.compute()
        tensor(1.)
    """

    measures = "How many forget samples the attacker of published tables takes for unseen."
    citation = "Fan et al., SalUn, ICLR 2024"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(confidence, **kwargs)

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in [0, 1]."""
        return salun_mia_efficacy(*self._groups())
