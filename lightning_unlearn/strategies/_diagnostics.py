from __future__ import annotations

from collections.abc import Mapping

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor


def are_due(trainer: Trainer, step: int) -> bool:
    """Whether a strategy's numbers are logged at this step: where the loggers write, at the first, and at epoch ends.

    Not at every step, because each log call costs about as much as an inner product of a million parameters.
    """
    every = max(1, trainer.log_every_n_steps)  # type: ignore[attr-defined]  # set by one of its connectors
    return not trainer.barebones and (step == 0 or (step + 1) % every == 0 or trainer.is_last_batch)


def log_diagnostics(
    module: LightningModule, diagnostics: Mapping[str, Tensor], optimizer: int | None = None
) -> None:
    """Log a strategy's numbers as `unlearn/<name>`; of the first of several optimisers as `unlearn/optimizer_0/<name>`."""
    prefix = "unlearn/" if optimizer is None else f"unlearn/optimizer_{optimizer}/"
    for name, value in diagnostics.items():
        module.log(f"{prefix}{name}", torch.as_tensor(value).float(), on_step=True, on_epoch=False)
