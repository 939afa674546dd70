"""A copy of a model, trained a little further: on the forget set again, or on nothing but the retain set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.seed import isolate_rng
from torch.nn.functional import cross_entropy

from lightning_unlearn.audit._loading import copied
from lightning_unlearn.audit._scoring import on_device
from lightning_unlearn.predictions import Predict, predicted

_LR = 1e-3


def steps(
    module: LightningModule, batches: Iterable[Any], predict: Predict | None, *, seed: int
) -> Iterator[LightningModule]:
    """Train a copy by Adam (1e-3) on the cross-entropy of the batches, and hand it out before the first and after each step.

    The module's own `training_step` and optimiser are not asked: they may need a Trainer, and the same steps for every
    model are what makes them comparable. Whoever takes the copy may put it into eval mode; it is put back.

    Source: the protocol of relearn time, Chundawat et al., "Zero-Shot Machine Unlearning", TIFS 2023.

    Args:
        module: stays as it is.
        batches: of the training.
        predict: as everywhere in the package.
        seed: of what is random in the module.
    """
    copy = copied(module)
    for parameter in copy.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    optimizer = torch.optim.Adam(copy.parameters(), lr=_LR)
    yield copy.eval()
    with isolate_rng():
        torch.manual_seed(seed)
        for batch in batches:
            copy.train()
            with torch.enable_grad():
                logits, labels = predicted(predict, copy, on_device(copy, batch))
                optimizer.zero_grad()
                torch.autograd.backward(cross_entropy(logits.float(), labels))
                optimizer.step()
            yield copy.eval()


def tuned(
    module: LightningModule,
    batches: Iterable[Any],
    predict: Predict | None,
    *,
    seed: int,
    after_step: Callable[[], None],
) -> LightningModule:
    """The copy after the last step."""
    copies = steps(module, batches, predict, seed=seed)
    copy = next(copies)
    for _ in copies:  # one and the same, one step further
        after_step()
    return copy
