"""The four numbers of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_unlearn.audit._scoring import on_device, tamed
from lightning_unlearn.errors import UnlearningError
from lightning_unlearn.metrics.functional import logit_gap, membership_auc, mia_efficacy
from lightning_unlearn.predictions import Predict, predicted


@dataclass(frozen=True)
class Answers:
    """What a model says about the samples of a side.

    Attributes:
        labels: of the samples, shape (N,), or (N, ...) where each has several.
        right: share of a sample's labels that are predicted right, float64, shape (N,).
        gap: mean of :func:`logit_gap` over a sample's labels, float64, shape (N,).
    """

    labels: Tensor
    right: Tensor
    gap: Tensor

    def __getitem__(self, chosen: Tensor) -> Answers:
        return Answers(self.labels[chosen], self.right[chosen], self.gap[chosen])


def evaluate(
    module: LightningModule,
    loaders: Mapping[str, DataLoader[Any]],
    predict: Predict | None,
    seeds: Sequence[int],
    attack_samples: int | None,
) -> list[dict[str, Any]]:
    """Accuracy on the forget set, the retain set and the test set, and two numbers on membership, once for each seed.

    Where whole classes are forgotten, the test set is taken without them. `membership` is :func:`membership_auc` of the scores
    :func:`logit_gap` of forget and test set, and `mia_efficacy` is :func:`mia_efficacy` of those of retain, test and forget set; only the
    latter depends on the seed, by which the attacker's examples are drawn.

    Args:
        module: on the device where it is evaluated; is put into eval mode.
        loaders: of the sides `forget`, `retain`, `test`; each sample once.
        predict: as everywhere in the package.
        seeds: of the evaluations.
        attack_samples: how many test samples, and retained ones, the attacker is trained on at most; `None` for all. The time that
            takes grows with the square.

    Returns:
        `seed`, `forget_accuracy`, `retain_accuracy`, `test_accuracy`, `membership`, `mia_efficacy` by name; all but the seed
        in [0, 1].

    Raises:
        UnlearningError: an answer is not finite, or no test sample is left.
    """
    module.eval()
    sides = {name: answers(module, name, loaders[name], predict) for name in ("forget", "retain", "test")}
    forget, retain, test = sides["forget"], sides["retain"], kept(sides)
    fixed = {
        "forget_accuracy": float(forget.right.mean()),
        "retain_accuracy": float(retain.right.mean()),
        "test_accuracy": float(test.right.mean()),
        "membership": float(membership_auc(forget.gap, test.gap)),
    }
    return [
        {
            "seed": seed,
            **fixed,
            "mia_efficacy": float(
                mia_efficacy(retain.gap, _drawn(test.gap, attack_samples, seed), forget.gap, seed=seed)
            ),
        }
        for seed in seeds
    ]


def _drawn(scores: Tensor, count: int | None, seed: int) -> Tensor:
    """So many, whatever their order."""
    if count is None or len(scores) <= count:
        return scores
    chosen = np.random.default_rng(seed).choice(len(scores), count, replace=False, shuffle=False)
    return scores.sort().values[torch.from_numpy(chosen)]


def kept(sides: Mapping[str, Answers]) -> Answers:
    """The test samples of the kinds that are retained.

    Args:
        sides: `forget`, `retain` and `test`.

    Raises:
        UnlearningError: there is none.
    """
    test = sides["test"]
    if test.labels.ndim > 1:
        return test
    retained = torch.unique(sides["retain"].labels)
    forgotten = torch.unique(sides["forget"].labels)
    if bool(torch.isin(forgotten, retained).any()):  # single samples are forgotten
        return test
    kept = test[~torch.isin(test.labels, forgotten)]
    if not len(kept.labels):
        raise UnlearningError(
            "The test set must have samples of classes that are retained, found none. Add some."
        )
    return kept


@torch.inference_mode()
def answers(module: LightningModule, side: str, loader: DataLoader[Any], predict: Predict | None) -> Answers:
    """One pass over a side.

    Args:
        module: in eval mode.
        side: its name, for messages.
        loader: visits each sample once.
        predict: as everywhere in the package.

    Raises:
        UnlearningError: an answer is not finite.
    """
    labels, right, gap = list[Tensor](), list[Tensor](), list[Tensor]()
    for batch in loader:
        logits, found = predicted(predict, module, on_device(module, batch))
        logits, found = logits.cpu(), found.cpu()  # not every device has float64
        logits, finite = tamed(logits)
        if not bool(finite.all()):
            raise UnlearningError(
                f"The predictions of a model must be finite, found some on the {side} set that are not, although its weights "
                "are. Lower the learning rate."
            )
        rows = logits.movedim(1, -1).flatten(0, -2)
        labels.append(found)
        right.append(_by_sample((logits.argmax(1) == found).double()))
        gap.append(_by_sample(logit_gap(rows, found.flatten()).reshape(found.shape)))
    return Answers(torch.cat(labels), torch.cat(right), torch.cat(gap))


def _by_sample(values: Tensor) -> Tensor:
    return values.flatten(1).mean(1) if values.ndim > 1 else values
