from __future__ import annotations

import math
from typing import Any, Literal

import lightning.pytorch as pl
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn._evaluation import Evaluator
from lightning_unlearn._monitored import find_sources
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.passes import Source
from lightning_unlearn.predictions import Predict
from lightning_unlearn.weights import Snapshot

_IN_PROGRESS_BAR = ("unlearn/forget_accuracy", "unlearn/retain_accuracy")


class ForgettingMonitor(pl.Callback):
    """Evaluates the sides during the run, stops it when forgetting has reached its target, and guards the rest.

    Before the first step, every `every_n_steps` optimiser steps and at the end of each epoch it measures accuracy
    and loss on the forget set, on the retain set and, if there is one, on test data, in evaluation mode, each sample
    once, on any number of processes. The values go to every logger at the step they belong to, and to
    `trainer.callback_metrics`, so that `EarlyStopping` and `ModelCheckpoint` can monitor them:
    `unlearn/forget_accuracy`, `unlearn/retain_accuracy`, `unlearn/test_accuracy`, and the same with `_loss`. The
    first two are shown in the progress bar. :attr:`history` keeps them all.

    **Target.** The run stops at the first evaluation after a step whose forget accuracy is at most the target; with a
    `retain_goal`, at the first one that also has the retain accuracy back where it should be.
    **Collapse guard.** If retain accuracy falls below `retain_floor` times its value before the first step, the best
    weights seen (closest to the target with retain accuracy above the floor) are put back and the run stops with a
    warning.

    Nothing is needed from the module but `forward`.

    Args:
        every_n_steps: optimiser steps between evaluations, at least 1; `None` for about 20 evaluations in the run.
        target: forget accuracy in [0, 1] at which to stop; `"holdout"` is the accuracy of the model at that moment
            on test data, or 0 if no forget label occurs in the retain set (a whole class is forgotten); `None` never
            stops.
        retain_floor: share of the original retain accuracy, in [0, 1]; 0 turns the guard off.
        predict: a function of (module, batch) that returns logits `(N, C, ...)` and integer labels `(N, ...)`; by
            default a batch is (inputs, labels) and the logits are `module(inputs)`.
        retain_goal: share of the original retain accuracy, in [0, 1], that the run must have kept or regained
            before it stops at its target. A step that forgets often dents the rest, which further steps repair.
        test: loader of data never trained on; by default the datamodule's `test_dataloader`, if it has one.
        max_samples: of the retain and the test side a fixed random choice of this many samples is evaluated; `None`
            for all. The forget side is always evaluated as a whole.

    Raises:
        ConfigurationError: for arguments out of range, and for batches that need a `predict`.

    Example:
        >>> from lightning_unlearn import ForgettingMonitor
        >>> monitor = ForgettingMonitor(every_n_steps=5, retain_floor=0.95)
        >>> monitor.history
        []
    """

    def __init__(
        self,
        every_n_steps: int | None = None,
        target: float | Literal["holdout"] | None = "holdout",
        retain_floor: float = 0.9,
        predict: Predict | None = None,
        *,
        retain_goal: float = 0.0,
        test: Any = None,
        max_samples: int | None = 5000,
    ) -> None:
        self.every_n_steps = (
            None if every_n_steps is None else _checks.positive_int("every_n_steps", every_n_steps)
        )
        if isinstance(target, str):
            if target != "holdout":
                raise ConfigurationError(
                    f'`target` must be a number between 0 and 1, "holdout" or None, found {target!r}.'
                )
        elif target is not None:
            target = _checks.fraction("target", target)
        self.target: float | str | None = target
        self.retain_floor = _checks.fraction("retain_floor", retain_floor)
        self.retain_goal = _checks.fraction("retain_goal", retain_goal)
        self.predict = predict
        self.test = test
        self.max_samples = None if max_samples is None else _checks.positive_int("max_samples", max_samples)
        self.history: list[dict[str, float]] = []
        self.stopped: Literal["target", "collapse"] | None = None
        self._sources: dict[str, Source] = {}
        self._best: tuple[dict[str, float], Snapshot] | None = None
        self._is_class = False
        self._interval = 1

    # ---- the run -----------------------------------------------------------------------------------------------
    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        self.history, self.stopped, self._best = [], None, None

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._sources = find_sources(trainer, pl_module, self.test, self.max_samples)
        self._interval = self.every_n_steps or _twentieth(trainer)
        if self.target == "holdout" and not self.history:
            self._is_class = self._forgets_a_class(trainer, pl_module)
            if not self._is_class and "test" not in self._sources:
                rank_zero_info(
                    "`ForgettingMonitor` will not stop the run: there is no test data to compare the forget accuracy "
                    "with. Pass `test=`, or a number as `target=`."
                )
        if not self.history:
            original = self._evaluate(trainer, pl_module)
            if not math.isfinite(original.get("unlearn/retain_loss", 0.0)):
                raise ConfigurationError(
                    "The module must give finite predictions on the retain set before the first step, found NaN or "
                    "inf. Check the weights that were loaded."
                )
            self._check_trained(original)
        elif self.retain_floor and "unlearn/retain_accuracy" in self.history[-1]:
            self._keep_best(pl_module, self.history[-1])  # resumed: the guard needs weights to go back to

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        due = step % self._interval == 0 or trainer.is_last_batch or step == trainer.max_steps
        if not due or step == self.history[-1]["step"]:
            return
        self._decide(trainer, self._evaluate(trainer, pl_module))
        if not trainer.barebones:
            for name, value in self.history[-1].items():  # after a roll-back: of the weights that are back
                if name.startswith("unlearn/"):  # loggers have it already, at the step it belongs to
                    pl_module.log(
                        name,
                        value,
                        on_step=True,
                        on_epoch=False,
                        logger=False,
                        prog_bar=name in _IN_PROGRESS_BAR,
                    )

    @override
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.global_step == 0:  # an edit takes no step
            self._decide(trainer, self._evaluate(trainer, pl_module))
        last = self.history[-1]
        target = self._target_of(last)
        if self.stopped is not None or target is None:
            return
        forget, retain = last["unlearn/forget_accuracy"], last.get("unlearn/retain_accuracy", 0.0)
        if forget > target:
            rank_zero_info(
                f"The run is over and forgetting has not reached its target: forget accuracy is {forget:.1%}, the target "
                f"{target:.1%}. Take more steps, a larger learning rate, a larger weight of the forget side, or another objective."
            )
        elif retain < self.retain_goal * self._original_retain():
            rank_zero_info(
                f"The run is over, and forgetting has cost too much: forget accuracy is {forget:.1%}, the target {target:.1%}, but "
                f"retain accuracy {retain:.1%}, below `retain_goal` {self.retain_goal:g} times the "
                f"original {self._original_retain():.1%}. Lower the learning rate or the weight of the forget side, or take more "
                "steps for the rest to recover."
            )

    @override
    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._sources, self._best = {}, None

    @override
    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._sources, self._best = {}, None

    # ---- evaluation --------------------------------------------------------------------------------------------
    def _forgets_a_class(self, trainer: pl.Trainer, module: pl.LightningModule) -> bool:
        if getattr(getattr(trainer, "datamodule", None), "forget_class", None) is not None:
            return True
        if "retain" not in self._sources:
            return False
        evaluator = Evaluator(module, self.predict)
        forget, retain = (evaluator.label_counts(self._sources[side]) for side in ("forget", "retain"))
        return not bool(((forget > 0) & (retain > 0)).any())

    def _evaluate(self, trainer: pl.Trainer, module: pl.LightningModule) -> dict[str, float]:
        evaluator = Evaluator(module, self.predict)
        row: dict[str, float] = {"step": trainer.global_step}
        for name, source in self._sources.items():
            evaluation = evaluator(source)
            row[f"unlearn/{name}_accuracy"] = evaluation.accuracy
            row[f"unlearn/{name}_loss"] = evaluation.loss
        self._record(trainer, row)
        if self.retain_floor and "unlearn/retain_accuracy" in row and self._is_best(row):
            self._keep_best(module, row)
        return row

    def _check_trained(self, original: dict[str, float]) -> None:
        if self.target is not None and original["unlearn/forget_accuracy"] == 0:
            rank_zero_warn(
                "Before the first step, forget accuracy is 0: there is nothing to forget, or is this not the trained model? Load its "
                "weights, by `load_from_checkpoint` or `--original`."
            )

    def _keep_best(self, module: pl.LightningModule, row: dict[str, float]) -> None:
        tensors = dict(module.named_parameters()) | dict(module.named_buffers())
        self._best = (row, Snapshot(tensors))

    def _record(self, trainer: pl.Trainer, row: dict[str, float]) -> None:
        self.history.append(row)
        logged = {name: value for name, value in row.items() if name != "step"}
        for logger in trainer.loggers:
            logger.log_metrics(logged, step=int(row["step"]))

    # ---- decisions: on numbers that every rank has alike -------------------------------------------------------
    def _target_of(self, row: dict[str, float]) -> float | None:
        if not isinstance(self.target, str):
            return self.target
        return 0.0 if self._is_class else row.get("unlearn/test_accuracy")

    def _original_retain(self) -> float:
        return self.history[0].get("unlearn/retain_accuracy", 0.0)

    def _floor(self) -> float:
        return self.retain_floor * self._original_retain()

    def _is_best(self, row: dict[str, float]) -> bool:
        if row["unlearn/retain_accuracy"] < self._floor() or not math.isfinite(row["unlearn/retain_loss"]):
            return False
        return self._best is None or self._merit(row) > self._merit(self._best[0])

    def _merit(self, row: dict[str, float]) -> tuple[float, float]:
        excess = max(0.0, row["unlearn/forget_accuracy"] - (self._target_of(row) or 0.0))
        return -excess, row["unlearn/retain_accuracy"]

    def _decide(self, trainer: pl.Trainer, row: dict[str, float]) -> None:
        retain = row.get("unlearn/retain_accuracy")
        target = self._target_of(row)
        is_finite = math.isfinite(row.get("unlearn/retain_loss", 0.0))
        if self.retain_floor and retain is not None and (retain < self._floor() or not is_finite):
            self._roll_back(trainer, retain)
        elif not is_finite or target is None or (retain or 0.0) < self.retain_goal * self._original_retain():
            return
        elif row["unlearn/forget_accuracy"] <= target:
            self.stopped = "target"
            trainer.should_stop = True
            rank_zero_info(
                f"Forgetting has reached its target after {row['step']} steps: forget accuracy is "
                f"{row['unlearn/forget_accuracy']:.1%}, the target {target:.1%}."
            )

    def _roll_back(self, trainer: pl.Trainer, retain: float) -> None:
        assert self._best is not None
        best, snapshot = self._best
        snapshot.restore()
        self.stopped = "collapse"
        trainer.should_stop = True
        rank_zero_warn(
            f"Retain accuracy fell to {retain:.1%} after {trainer.global_step} steps, below `retain_floor` "
            f"{self.retain_floor:g} times the original {self.history[0]['unlearn/retain_accuracy']:.1%}. The weights "
            f"of step {best['step']} are back (forget accuracy {best['unlearn/forget_accuracy']:.1%}, retain accuracy "
            f"{best['unlearn/retain_accuracy']:.1%}) and the run stops. Lower the learning rate or the weight of the "
            "forget side."
        )
        self._record(trainer, best | {"step": trainer.global_step})

    # ---- state -------------------------------------------------------------------------------------------------
    @override
    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history, "is_class": self._is_class}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history, self._is_class = list(state_dict["history"]), state_dict["is_class"]


def _twentieth(trainer: pl.Trainer) -> int:
    steps = trainer.estimated_stepping_batches
    return 50 if steps == float("inf") else max(1, int(steps) // 20)
