from __future__ import annotations

from abc import abstractmethod
from typing import final

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import BatchSizeFinder, LearningRateFinder
from typing_extensions import override

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.passes import Side, Source
from lightning_unlearn.strategies._base import UnlearningStrategy


class EditStrategy(UnlearningStrategy):
    """A one-shot change of weights: `edit` runs once at the start of the first epoch, then the run ends without a step.

    `ModelCheckpoint` saves nothing in such a run, because no epoch ends: call `trainer.save_checkpoint` after `fit`.

    Example:
        >>> import torch
        >>> from lightning_unlearn import EditStrategy
        >>> class Dampen(EditStrategy):
        ...     "Halves the weights."
        ...     def edit(self, module, forget, retain):
        ...         for parameter in module.parameters():
        ...             parameter.mul_(0.5)
    """

    @abstractmethod
    def edit(self, module: pl.LightningModule, forget: Source, retain: Source | None) -> None:
        """Change the weights of `module` in place, without a graph."""

    @final
    @override
    def direction(self, forget: Side, retain: Side | None) -> Gradient:
        raise AssertionError("an edit takes no step")

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit" and (trainer.fit_loop.min_epochs or trainer.fit_loop.min_steps):
            raise ConfigurationError(
                f"`min_epochs` and `min_steps` must not be set with {type(self).__name__}, which takes no step, found "
                f"{trainer.fit_loop.min_epochs} and {trainer.fit_loop.min_steps}. Leave them out."
            )
        finders = [c for c in trainer.callbacks if isinstance(c, (LearningRateFinder, BatchSizeFinder))]  # type: ignore[attr-defined]
        if stage == "fit" and finders:
            raise ConfigurationError(
                f"`callbacks` must hold no finder beside {type(self).__name__}, which takes no step, found "
                f"{type(finders[0]).__name__}. Leave it out, and do not use `Tuner`."
            )
        super().setup(trainer, pl_module, stage)

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_epoch_start(trainer, pl_module)
        # not in `on_train_start`: a monitor that measures the original there may stand behind in the list
        with torch.no_grad():
            self.edit(pl_module, *Source.of_sides(trainer, pl_module, self._needed))
        trainer.should_stop = True
