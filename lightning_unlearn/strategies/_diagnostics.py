from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def count_conflict(state: dict[str, Any], conflicts: Tensor) -> None:
    """Keep count, in what a strategy keeps, of the evaluations and of those in which the two gradients conflict."""
    if "conflicts" not in state:
        state["conflicts"] = torch.zeros((), dtype=torch.float64, device=conflicts.device)
        state["evaluations"] = 0
    state["conflicts"] += conflicts
    state["evaluations"] += 1


def angles(state: dict[str, Any], cosine: Tensor) -> dict[str, Tensor]:
    """What strategies of two gradients report."""
    return {"grad_cosine": cosine, "conflict_rate": state["conflicts"] / state["evaluations"]}
