"""Users' modules, from the plainest to one that leaves traces wherever a `training_step` can."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import lightning.pytorch as L
import numpy as np
import torch
import torchmetrics
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import LBFGS, SGD, AdamW, Optimizer
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from tests.strategies._fits import CLASSES, FEATURES

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


def plain_sgd(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return SGD(parameters, lr=0.1)


def sgd(parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Momentum and weight decay: a gradient of zero is not a step of zero."""
    return SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01)


def adamw(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return AdamW(parameters, lr=0.01, weight_decay=0.1)


def lbfgs(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return LBFGS(parameters, lr=0.05, max_iter=3)


class Net(L.LightningModule):
    """Smooth, without state: two layers and a cross-entropy.

    Args:
        optimizer: makes the optimiser.
        output: what `training_step` returns, `"tensor"` or `"dict"`.
        dtype: of the parameters.
    """

    def __init__(
        self,
        optimizer: MakeOptimizer = sgd,
        output: str = "tensor",
        dtype: torch.dtype = torch.float64,
        seed: int = 0,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.net = self.build().to(dtype)
        self.make_optimizer = optimizer
        self.output = output
        self.calls = 0

    def build(self) -> nn.Module:
        return nn.Sequential(nn.Linear(FEATURES, 5), nn.Tanh(), nn.Linear(5, CLASSES))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.net(inputs)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.calls += 1
        loss = cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, on_step=True, on_epoch=True)
        return {"loss": loss, "more": 1} if self.output == "dict" else loss

    def configure_optimizers(self) -> Optimizer:
        return self.make_optimizer(self.parameters())


class Spare(Net):
    """Has a layer that no loss reaches, and one that is frozen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unused = nn.Linear(2, 2, dtype=torch.float64)
        self.net[0].requires_grad_(False)


class Traces(Net):
    """Batch norm, dropout, metric objects, augmentation, and all random streams."""

    def __init__(self, optimizer: MakeOptimizer = sgd, seed: int = 0) -> None:
        super().__init__(optimizer, dtype=torch.float32, seed=seed)
        self.accuracy = MulticlassAccuracy(CLASSES)
        self.mean = torchmetrics.MeanMetric()
        self.collection = torchmetrics.MetricCollection(
            {"a": MulticlassAccuracy(CLASSES, average="micro"), "f": MulticlassF1Score(CLASSES)}
        )
        self.curve = torchmetrics.CatMetric()

    def build(self) -> nn.Module:
        return nn.Sequential(
            nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, CLASSES)
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        inputs, labels = batch
        return [inputs + 0.1 * torch.randn_like(inputs), labels] if self.trainer.training else batch

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.calls += 1
        inputs, labels = batch
        logits = self(inputs * (1 + 0.1 * random.random()) + 0.1 * float(np.random.rand()))
        loss = cross_entropy(logits, labels)
        self.accuracy(logits, labels)
        self.curve.update(logits.detach().max())
        self.log("loss", loss, prog_bar=True, on_step=True, on_epoch=True)
        self.log("accuracy", self.accuracy, on_step=True, on_epoch=True)
        self.log("mean", self.mean(loss), on_step=False, on_epoch=True)
        self.log_dict(self.collection(logits, labels), on_step=True, on_epoch=False)
        self.log_dict({"last": loss.detach(), "labels": labels.double().mean()})
        return loss

    def on_train_epoch_end(self) -> None:
        self.log_dict({f"epoch_{name}": value for name, value in self.collection.compute().items()})
        self.log("curve", self.curve.compute().sum())
        for metric in (self.mean, self.collection, self.curve):
            metric.reset()


class BatchNormed(Net):
    """No trace but running statistics."""

    def __init__(self) -> None:
        super().__init__(dtype=torch.float32)

    def build(self) -> nn.Module:
        return nn.Sequential(nn.Linear(FEATURES, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, CLASSES))


class LoggedCollection(Traces):
    """Hands a `MetricCollection` itself to `log_dict`: Lightning resets its members, with their compute groups."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        inputs, labels = batch
        logits = self(inputs)
        self.collection.update(logits, labels)
        self.log_dict(self.collection, on_step=False, on_epoch=True)
        return cross_entropy(logits, labels)

    def on_train_epoch_end(self) -> None:
        pass
