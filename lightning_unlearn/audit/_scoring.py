"""One pass over a side, by all models at once, so that the data are read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from lightning_unlearn.audit._blind import INPUTS, sketched
from lightning_unlearn.audit._features import inputs_of
from lightning_unlearn.audit._identity import Identify, identifiers
from lightning_unlearn.audit._statistics import Array
from lightning_unlearn.audit._table import COMPARISONS, SCORES, Rows, SideScores
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.predictions import Predict, predicted

_OUT_OF_REACH = 1e4  # how far below the largest logit an infinitely small one is taken to be


class Scorer:
    """Scores the samples of a side by several models at once, so that the data are read once.

    Args:
        models: by name; in eval mode, on one device.
        references: names of those that the others are compared with.
        predict: as everywhere in the package.
        identify: as in `identifiers`.
        layer: whose input the features are; `None` for none.
        max_features: how many samples' features are kept.
    """

    def __init__(
        self,
        models: Mapping[str, LightningModule],
        references: list[str],
        predict: Predict | None,
        identify: Identify | None,
        layer: str | None,
        max_features: int,
    ) -> None:
        self._models, self._references = models, references
        self._predict, self._identify = predict, identify
        self._layer, self._max_features = layer, max_features

    @torch.inference_mode()
    def __call__(
        self,
        side: str,
        batches: Iterable[Any],
        after_batch: Callable[[list[str]], None],
        *,
        compare: bool,
        keep: bool,
    ) -> SideScores:
        """One pass.

        Args:
            side: for messages.
            batches: of the side, in eval order.
            after_batch: given the identifiers of each batch.
            compare: whether models are compared with the references.
            keep: whether features are kept.

        Raises:
            ConfigurationError: there is no sample, a batch or a label does not fit.
        """
        rows = Rows(self._max_features if keep else 0)
        for batch in batches:
            names: list[str] = []
            labels = answer = torch.empty(0, 0)
            logits: dict[str, Tensor] = {}
            columns: dict[str, dict[str, Any]] = {"scores": {}, "finite": {}}
            for name, model in self._models.items():
                with inputs_of(model, self._layer if keep else None) as seen:
                    answer, labels = predicted(self._predict, model, on_device(model, batch))
                answer, labels = answer.cpu(), labels.cpu()  # not every device has float64
                if not names:
                    _check(side, answer, labels)
                    names = identifiers(batch, len(labels), self._identify)
                    after_batch(names)
                logits[name], finite = tamed(answer)
                columns["scores"][name] = _scores(logits[name], labels, finite)
                columns["finite"][name] = finite.cpu().numpy()
                if seen and len(seen[-1]) == len(labels):
                    columns.setdefault("features", {})[name] = (
                        seen[-1].float().nan_to_num(0.0, 0.0, 0.0).cpu().numpy()
                    )
            inputs = sketched(batch, len(labels)) if keep else None
            if inputs is not None:
                columns.setdefault("features", {})[INPUTS] = inputs
            if compare and self._references:
                columns["comparisons"] = {name: self._compared(name, logits) for name in self._models}
            rows.add(names, labels, answer.shape[1], columns)
        return rows.sorted(side)

    def _compared(self, model: str, logits: Mapping[str, Tensor]) -> Array:
        others = [name for name in self._references if name != model]
        ours = logits[model]
        per_reference = [
            torch.stack([metric(ours, logits[name]) for metric in COMPARISONS.values()], 1) for name in others
        ]
        if not per_reference:  # the only reference, compared with itself
            return np.full((len(ours), len(COMPARISONS)), np.nan)
        return torch.stack(per_reference).mean(0).cpu().numpy()


def on_device(model: LightningModule, batch: Any) -> Any:
    """The batch, as the module's own transfer hooks deliver it."""
    batch = model.on_before_batch_transfer(batch, 0)
    batch = model.transfer_batch_to_device(batch, model.device, 0)
    return model.on_after_batch_transfer(batch, 0)


def _check(side: str, logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ConfigurationError(
            f"`predict` must return logits (N, C) and one label for each sample of `{side}`, found {tuple(logits.shape)} "
            f"and {tuple(labels.shape)}. Models with several labels a sample cannot be audited."
        )
    if len(labels) and not (int(labels.min()) >= 0 and int(labels.max()) < logits.shape[1]):
        raise ConfigurationError(
            f"The labels of `{side}` must be between 0 and {logits.shape[1] - 1}, found {int(labels.min())} to "
            f"{int(labels.max())}. Number the classes as the model does."
        )


def tamed(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Logits in float64 with which one can count, and where they are the model's own: not NaN, nor infinitely large."""
    logits = logits.double()
    answered = ~(logits.isnan() | (logits == torch.inf)).any(1) & logits.isfinite().any(1)
    logits = logits.where(answered[:, None], 0.0)
    lowest = logits.amax(1, keepdim=True) - _OUT_OF_REACH
    return logits.where(logits.isfinite(), lowest), answered  # a class that is masked out is an answer, too


def _scores(logits: Tensor, labels: Tensor, finite: Tensor) -> Array:
    scores = torch.stack([score(logits, labels) for score in SCORES.values()], 1)
    scores[:, list(SCORES).index("correctness")] *= finite  # of equal logits the first one counts
    return scores.cpu().numpy()
