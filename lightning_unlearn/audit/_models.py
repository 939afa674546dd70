"""The models of an audit: loaded, named, told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from lightning_unlearn.audit._digests import weights_digest
from lightning_unlearn.audit._loading import Weights, model_of, state_of
from lightning_unlearn.audit._report import ModelRecord
from lightning_unlearn.errors import ConfigurationError


@dataclass(frozen=True)
class Models:
    """Original, unlearned and reference models, in eval mode.

    Attributes:
        modules: by name, on the device of the audit.
        states: their weights, on the CPU.
        records: what is written of them.
        references: names of the references.
    """

    modules: Mapping[str, LightningModule]
    states: Mapping[str, Mapping[str, Tensor]]
    records: Sequence[ModelRecord]
    references: list[str]

    @property
    def unchanged(self) -> bool:
        """Whether the unlearned model's weights are the original's."""
        original, unlearned = self.records[:2]
        return original.sha256 == unlearned.sha256

    def on(self, device: torch.device) -> Models:
        """The same, moved there."""
        for module in self.modules.values():
            module.to(device)
        return self


def load_models(
    module: LightningModule, original: Weights, unlearned: Weights, references: Sequence[Weights]
) -> Models:
    """Load all of them before anything is measured.

    Raises:
        ConfigurationError: a file is missing or needs arbitrary pickle, an architecture differs, or two of the models that
            must be independent are the same.
    """
    if isinstance(references, (str, Path, nn.Module, Mapping)):
        raise ConfigurationError(
            f"`references` must be a list of models, found one {type(references).__name__}. Put it into a list."
        )
    given: dict[str, Weights] = {"original": original, "unlearned": unlearned}
    given |= {f"reference {number}": weights for number, weights in enumerate(references, 1)}
    states = {name: state_of(name, weights) for name, weights in given.items()}
    modules = {name: model_of(name, module, state) for name, state in states.items()}
    records = [_record(name, given[name], state) for name, state in states.items()]
    _check_independent(records)
    return Models(modules, states, records, list(given)[2:])


def _record(name: str, weights: Weights, state: Mapping[str, Tensor]) -> ModelRecord:
    roles: dict[str, Literal["original", "unlearned"]] = {"original": "original", "unlearned": "unlearned"}
    source = str(weights) if isinstance(weights, (str, Path)) else None
    numbers = sum(tensor.numel() for tensor in state.values())
    return ModelRecord(name, roles.get(name, "reference"), source, weights_digest(state), numbers)


def _check_independent(records: Sequence[ModelRecord]) -> None:
    seen: dict[str, str] = {}
    for record in records:
        other = seen.setdefault(record.sha256, record.name)
        if other != record.name and record.role == "reference":
            raise ConfigurationError(
                f"`references` must be models of their own, found that {record.name} has the weights of {other}. Retrain "
                "each from scratch with another seed: `lightning-unlearn reference`."
            )
