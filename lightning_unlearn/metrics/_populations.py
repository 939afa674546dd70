"""Keeps outputs of two sets of models for the same samples."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from lightning_unlearn.metrics._base import SampleMetric


class PopulationMetric(SampleMetric):
    """A metric of two sets of models; a batch is some models, of one set or of both, never some samples.

    Args:
        *more: names of further tensors of one row a model.
        **kwargs: passed to `torchmetrics.Metric`.
    """

    gaps: list[Tensor]
    reference: list[Tensor]

    def __init__(self, *more: str, **kwargs: Any) -> None:
        super().__init__("gaps", "reference", *more, **kwargs)

    def _keep_models(self, gaps: Tensor, **flags: Tensor) -> None:
        seen = self.gaps[0].shape[1] if self.gaps else None
        if gaps.ndim != 2 or seen not in (None, gaps.shape[1]):
            raise ValueError(
                f"`gaps` must have the shape (M, {'S' if seen is None else seen}), found {tuple(gaps.shape)}. Pass one row "
                "for each model and one column for each sample, the same samples each time."
            )
        for name, flag in flags.items():
            if flag.dtype != torch.bool or flag.shape != gaps.shape[:1]:
                raise ValueError(
                    f"`{name}` must be a bool tensor of shape ({len(gaps)},), found {flag.dtype} of shape "
                    f"{tuple(flag.shape)}. Pass one flag for each model."
                )
        self._keep(gaps=gaps, **flags)

    def _sets(self, name: str = "gaps") -> tuple[Tensor, Tensor]:
        """Rows of the unlearned models and of the reference models."""
        rows, reference = self._kept(name), self._kept("reference")
        return rows[~reference], rows[reference]


class GapMetric(PopulationMetric):
    """A metric of two sets of models that needs nothing but their outputs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    @override
    def update(self, gaps: Tensor, reference: Tensor) -> None:
        """Add models.

        Args:
            gaps: shape (M, S): the logit gap of each model for each sample, the same samples in the same order each time.
            reference: bool tensor of shape (M,): true for models trained without the forget set, false for unlearned ones.
        """
        self._keep_models(gaps, reference=reference)
