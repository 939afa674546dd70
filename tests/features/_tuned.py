"""Modules and data for `LearningRateFinder`, `BatchSizeFinder` and `Tuner`."""

import lightning.pytorch as L
import torch
from lightning.pytorch.callbacks import BatchSizeFinder, LearningRateFinder

from lightning_unlearn import UnlearningDataModule
from tests.strategies import _fits as fits
from tests.strategies._modules import Net, Traces


def with_rate(base):
    """A user's module with a learning rate that a finder can set."""

    class Rated(base):
        def __init__(self, lr: float = 0.05) -> None:
            super().__init__()
            self.lr = lr

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9, weight_decay=0.01)

    return Rated


Plain, Tracing = with_rate(Net), with_rate(Traces)


def module_for(case, lr: float) -> L.LightningModule:
    """Metrics of a module that sees forget batches alone stay empty, and torchmetrics warns of it."""
    return (Plain if case.retain_free else Tracing)(lr)


class SmallSet(UnlearningDataModule):
    """36 samples, of which 12 are to be forgotten; both sides, the forget side alone, or retain batches as such."""

    def __init__(
        self, dtype: torch.dtype, forget_only: bool = False, plain: bool = False, **arguments
    ) -> None:
        arguments = {"batch_size": 4} | arguments
        super().__init__(fits.samples(36, 1, dtype), forget=list(range(0, 36, 3)), **arguments)
        self.forget_only, self.plain = forget_only, plain

    def train_dataloader(self):
        if self.plain:
            return self.retain_dataloader()
        return {"forget": self.forget_dataloader()} if self.forget_only else super().train_dataloader()


def data_for(case, **arguments) -> SmallSet:
    return SmallSet(torch.float64 if case.retain_free else torch.float32, case.retain_free, **arguments)


def searches_rate(steps=6, **arguments):
    """No multiple of the best loss says that a run diverges, where losses may be negative."""
    return LearningRateFinder(num_training_steps=steps, early_stop_threshold=None, **arguments)


def searches_size(trials=3, **arguments):
    return BatchSizeFinder(max_trials=trials, **arguments)


class Outcome:
    """All that a fit leaves: weights, buffers, logs, streams, counters."""

    def __init__(self, case, *finders, lr=0.05, batch_size=4, strategy=None):
        self.module, self.data = module_for(case, lr), data_for(case, batch_size=batch_size)
        self.strategy, self.logger = strategy or case.make(), fits.Recording()
        fits.seed_all()
        self.trainer = fits.fit(self.module, self.data, *finders, self.strategy, logger=self.logger)
        self.streams = fits.streams()

    def equals(self, other, streams=True):
        assert fits.same(fits.weights(self.module), fits.weights(other.module)), "weights differ"
        assert fits.same(dict(self.module.named_buffers()), dict(other.module.named_buffers()))
        assert self.logger.records == other.logger.records, "what was logged differs"
        assert self.strategy.progress == other.strategy.progress, "the strategy's counters differ"
        assert self.trainer.global_step == other.trainer.global_step == self.strategy.progress.step
        assert self.trainer.current_epoch == other.trainer.current_epoch
        assert not streams or self.streams == other.streams, "random streams differ"
