from __future__ import annotations

from copy import deepcopy
from typing import Any

import lightning.pytorch as pl
from typing_extensions import override

from lightning_unlearn.strategies._resumable import Resumable


class Tunable(Resumable):
    """Takes part in the trial runs of `LearningRateFinder`, `BatchSizeFinder` and `Tuner`, and forgets them.

    Those exchange the list of callbacks for one of their own while they try: without the strategy, the trial would be
    of plain training, at half of the memory. It joins when the first batch of a trial arrives; the finder then puts
    its own list back, the weights, the optimiser and the counters.
    """

    @override
    def _start_anew(self) -> None:
        super()._start_anew()
        self._trial: list[pl.Callback] | None = None
        self._before_trial: dict[str, Any] | None = None

    def _join(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Become a callback of the run that a batch has just arrived in, if it is one without."""
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set by one of its connectors
        if any(callback is self for callback in callbacks):
            return
        self._trial = trainer.callbacks = [*callbacks, self]  # type: ignore[attr-defined]
        if not self._started:
            self._before_trial = deepcopy(self.state_dict())
        if self._before_trial is not None:  # else a search in mid-run: what the start has prepared is there
            self.on_train_start(trainer, module)
        self.on_train_epoch_start(trainer, module)

    def _in_trial(self, trainer: pl.Trainer) -> bool:
        return self._trial is not None and trainer.callbacks is self._trial  # type: ignore[attr-defined]

    def _forget_trials(self, trainer: pl.Trainer) -> None:
        """To be called when a run starts: whatever was tried before, it starts from the same state."""
        if self._before_trial is None:
            return
        trial, before = self._trial, self._before_trial
        self._start_anew()
        self._started = False
        self.load_state_dict(deepcopy(before))
        self._trial = trial
        self._before_trial = before if self._in_trial(trainer) else None
        self._attached.take_unhealthy()
        if self._constraint is not None:
            self._constraint.detach()
            self._constraint = None
