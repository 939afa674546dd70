from __future__ import annotations

from collections.abc import Mapping

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor


def log_diagnostics(
    trainer: Trainer,
    module: LightningModule,
    diagnostics: Mapping[str, Tensor],
    step: int,
    optimizer: int | None = None,
) -> None:
    """Log a strategy's numbers as `unlearn/<name>`: where the loggers write, at the first step, and at epoch ends.

    Of the first of several optimisers as `unlearn/optimizer_0/<name>`, and so on.

    Not at every step, because each log call costs about as much as an inner product of a million parameters.
    """
    if trainer.barebones:
        return
    every = max(1, trainer.log_every_n_steps)  # type: ignore[attr-defined]  # set by one of its connectors
    if step == 0 or (step + 1) % every == 0 or trainer.is_last_batch:
        prefix = "unlearn/" if optimizer is None else f"unlearn/optimizer_{optimizer}/"
        for name, value in diagnostics.items():
            module.log(f"{prefix}{name}", torch.as_tensor(value).float(), on_step=True, on_epoch=False)
