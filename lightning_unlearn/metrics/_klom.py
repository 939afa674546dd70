"""KLoM, accumulated over models and processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._populations import GapMetric
from lightning_unlearn.metrics.functional._checks import whole_number
from lightning_unlearn.metrics.functional._gaussian_klom import gaussian_klom
from lightning_unlearn.metrics.functional._klom import klom
from lightning_unlearn.metrics.functional._klom_p_value import _klom_p_value_validate_args, klom_p_value

Aggregate: TypeAlias = Callable[[Tensor], Tensor]


class KLoM(GapMetric):
    """Divergence of unlearned models from oracles in the distribution of each sample's margin, by a histogram.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.klom`, which says what is computed.

    Args:
        bins: of the histogram, at least 2.
        aggregate: makes one number of the values (S,); for a percentile `functools.partial(torch.quantile, q=0.95)`.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: `bins` is not an integer of at least 2; from `update`, the shapes do not fit; from `compute`, a set has
            no models, or a gap is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import KLoM
        >>> metric = KLoM()
        >>> metric.update(torch.tensor([[0.0, 1.0], [1.0, 1.0]]), reference=torch.tensor([False, False]))
        >>> metric.update(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), reference=torch.tensor([True, True]))
        >>> metric.compute()
        tensor(2.5317)
    """

    measures = "How far the outputs of unlearned models are distributed from those of retrained ones."
    target = 0.0
    citation = (
        "Georgiev et al., Attribute-to-Delete: Machine Unlearning via Datamodel Matching, 2024, appendix E.1"
    )
    higher_is_better = False
    plot_lower_bound = 0.0

    def __init__(self, bins: int = 20, aggregate: Aggregate = torch.mean, **kwargs: Any) -> None:
        whole_number("bins", bins, least=2)
        super().__init__(**kwargs)
        self.bins = bins
        self.aggregate = aggregate

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor, not negative."""
        return klom(*self._sets(), bins=self.bins, aggregate=self.aggregate)


class GaussianKLoM(GapMetric):
    """Divergence of normals fitted to the margins of few unlearned models and few oracles, without bias.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.gaussian_klom`. Needs 2 unlearned models and 4 oracles.

    Args:
        aggregate: makes one number of the values (S,).
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: from `update`, the shapes do not fit; from `compute`, there are too few models, or a gap is not finite.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import GaussianKLoM
        >>> metric = GaussianKLoM()
        >>> oracles = torch.linspace(-2, 2, 9)[:, None]
        >>> metric.update(oracles, reference=torch.ones(9, dtype=torch.bool))
        >>> metric.update(oracles + 4, reference=torch.zeros(9, dtype=torch.bool))
        >>> metric.compute()
        tensor(2.9778)
    """

    measures = "How far the outputs of a few unlearned models are distributed from those of retrained ones."
    target = 0.0
    citation = "Georgiev et al., Attribute-to-Delete, 2024, appendix E.1, with normals for histograms"
    higher_is_better = None

    def __init__(self, aggregate: Aggregate = torch.mean, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aggregate = aggregate

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor; may be below 0 by chance."""
        return gaussian_klom(*self._sets(), aggregate=self.aggregate)


class KLoMPValue(GapMetric):
    """Probability that models of one kind are as different as the unlearned models are from the oracles.

    Modular twin of :func:`~lightning_unlearn.metrics.functional.klom_p_value`.

    Args:
        statistic: makes one number of the margins of two sets of models, larger for more different sets.
        permutations: number of random divisions, at least 1.
        seed: of the divisions.
        **kwargs: passed to `torchmetrics.Metric`.

    Raises:
        ValueError: `permutations` or `seed` is not an integer in range; others as for :class:`KLoM`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics import KLoMPValue
        >>> metric = KLoMPValue(permutations=199)
        >>> oracles = torch.linspace(-2, 2, 9)[:, None]
        >>> metric.update(oracles, reference=torch.ones(9, dtype=torch.bool))
        >>> metric.update(oracles + 6, reference=torch.zeros(9, dtype=torch.bool))
        >>> metric.compute()
        tensor(0.0050)
    """

    measures = "How often models of one kind differ as much by chance as unlearned from retrained ones."
    target = "reference"
    citation = "Phipson and Smyth, Permutation P-values Should Never Be Zero, 2010"
    higher_is_better = None
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    def __init__(
        self,
        statistic: Callable[[Tensor, Tensor], Tensor] = gaussian_klom,
        permutations: int = 999,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        _klom_p_value_validate_args(permutations, seed)
        super().__init__(**kwargs)
        self.statistic = statistic
        self.permutations = permutations
        self.seed = seed

    @override
    def compute(self) -> Tensor:
        """0-d float32 tensor in (0, 1]."""
        return klom_p_value(
            *self._sets(), statistic=self.statistic, permutations=self.permutations, seed=self.seed
        )
