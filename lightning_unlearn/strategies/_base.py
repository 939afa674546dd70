from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, cast

import lightning.pytorch as pl
import torch
from torch import Tensor
from typing_extensions import override

from lightning_unlearn import _checks as arguments
from lightning_unlearn.errors import ConfigurationError, UnlearningError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Ascent, Guidance, Objective, Quotient
from lightning_unlearn.passes import Session, Side, Source
from lightning_unlearn.passes._reducer import of_wrapper
from lightning_unlearn.passes._sides import SideName
from lightning_unlearn.strategies import _checks
from lightning_unlearn.strategies._constraint import Constraint
from lightning_unlearn.strategies._diagnostics import are_due, log_diagnostics
from lightning_unlearn.strategies._tuning import Tunable


class UnlearningStrategy(Tunable, ABC):
    """A callback that turns the forget and the retain side into the direction of each optimiser step.

    Lightning runs the user's `training_step` on the retain batch as ever. At the end of each accumulation window,
    in `on_after_backward`, the strategy asks the sides for the gradients it needs and the result is put into
    `p.grad`, from where clipping, scaling and the optimiser go on as with any gradient. The module is not wrapped
    and keeps nothing of it.

    A subclass implements :meth:`direction`; it knows nothing of devices, processes, precision or accumulation.

    Args:
        objective: the forget side's loss, to be minimised; `None` is `Ascent()`, the training loss with its sign
            turned.
        guidance: a classifier's term that is added to the losses of both sides; `None` for none. Not beside an objective
            with a function of its mean, such as `Holdout`.
        hold: where the batches of an accumulation window wait for its end: `"device"`, or `"cpu"` to save memory.
        seed: of the random numbers (dropout, random labels) of the forget side's passes.
        batch_norm: mode of batch normalisation in the forget side's passes: `"train"` normalises with the statistics
            of the forget batch, `"eval"` with the running ones, as the deployed model does. A batch of a single class
            looks nothing like training data once it is normalised by itself: an objective that watches the
            predictions needs `"eval"` there. Running statistics never move with forget data in either mode.
        state_dir: where large state (the original weights, what `prepare` keeps) is written: `None` puts it into every
            checkpoint; a folder gets it once, in a file named by its SHA-256, and checkpoints hold path and hash.

    Attributes:
        state: what `prepare` or `direction` keeps for later steps, under names of its own choice: tensors, Gradients,
            numbers, strings, and lists and dicts of them. It is in every checkpoint and back when a run is resumed,
            which `prepare` is then left out of. What a subclass keeps elsewhere is lost.

    Example:
        >>> from lightning_unlearn import UnlearningStrategy
        >>> class Alternate(UnlearningStrategy):
        ...     "Forget on even steps, retain on odd ones; a side that is not asked costs nothing."
        ...     def direction(self, forget, retain):
        ...         return (forget if self.progress.step % 2 == 0 else retain).gradient()
        >>> Alternate().progress
        Progress(step=0, total_steps=None, epoch=0)
    """

    needs_forget: ClassVar[bool] = True
    needs_retain: ClassVar[bool] = True

    def __init__(
        self,
        *,
        objective: Objective | None = None,
        guidance: Guidance | None = None,
        hold: Literal["device", "cpu"] = "device",
        seed: int = 0,
        batch_norm: Literal["train", "eval"] = "train",
        state_dir: str | None = None,
    ) -> None:
        super().__init__()
        self.state_dir = state_dir
        if objective is not None and not isinstance(objective, Objective):
            raise ConfigurationError(
                f"`objective` must be an instance of an Objective, such as `Ascent()`, found {objective!r}."
            )
        self.objective: Objective = Ascent() if objective is None else objective
        self.guidance = _checks.guidance_beside(self.objective, guidance)
        self.hold = cast(Literal["device", "cpu"], arguments.one_of("hold", hold, ("device", "cpu")))
        self.seed = arguments.non_negative_int("seed", seed)
        mode = arguments.one_of("batch_norm", batch_norm, ("train", "eval"))
        self.batch_norm = cast(Literal["train", "eval"], mode)
        self.diagnostics: dict[str, Tensor] = {}
        self.reports = True  # whether `diagnostics` will be logged at this step
        self._started = self._combined = False
        self._reach_checked = self._forget_side_silent = False

    # ---- for subclasses ----------------------------------------------------------------------------------------
    @abstractmethod
    def direction(self, forget: Side, retain: Side | None) -> Gradient:
        """What the optimiser subtracts; belongs to the Trainer from then on, and may be changed by it.

        Args:
            forget: the forget side; its loss is the forget objective.
            retain: the retain side; `None` if the strategy has `needs_retain = False`.
        """

    def prepare(self, module: pl.LightningModule, forget: Source, retain: Source | None) -> None:
        """Work that is done once before the first step, its result in :attr:`state`. Nothing by default.

        `retain` is `None` if there is no such loader; a strategy that does not need one may still look at it here.

        Left out when a run is resumed: its result is in the checkpoint.
        """

    def forget_loss(self, module: pl.LightningModule, batch: Any, batch_idx: int) -> Tensor | Quotient | None:
        """What is averaged over the forget samples; the objective's loss by default.

        An override calls `super().forget_loss`, never `module.training_step`, which leads back here.
        """
        return self.objective.loss(module, batch, self._attached.context())

    def retain_loss(self, module: pl.LightningModule, batch: Any, batch_idx: int) -> Tensor | None:
        """The retain side's loss; the user's own `training_step` by default, which is then left unpatched."""
        return self._attached.training_loss(batch)

    def constrain(self, update: Gradient) -> Gradient:
        """What of the optimiser's `update` (new weights − old weights) may stand; runs after each of its steps.

        The place for masks and projections that must hold under momentum and weight decay. Identity by default,
        and then it costs nothing.
        """
        return update

    @property
    def constrains(self) -> bool:
        """Whether :meth:`constrain` is asked at all: by default, where it is overridden."""
        return type(self).constrain is not UnlearningStrategy.constrain

    # ---- attaching and detaching -------------------------------------------------------------------------------
    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        self._detach()
        others = [c for c in trainer.callbacks if isinstance(c, UnlearningStrategy) and c is not self]  # type: ignore[attr-defined]
        averaging = [] if self.needs_retain else _checks.of_averaging(trainer, pl_module)
        misfits = _checks.of_trainer(trainer, others) + _checks.of_module(pl_module) + averaging
        _checks.raise_together(misfits, trainer)
        self._start_anew()
        self._started = False
        replaces_retain = (
            type(self).retain_loss is not UnlearningStrategy.retain_loss or self.guidance is not None
        )
        joined = (lambda loss: loss) if self.guidance is None else self.guidance.added_to
        self._session = Session(
            trainer,
            pl_module,
            own="retain" if self.needs_retain else "forget",
            wanted=self._needed,
            losses={
                "forget": joined(self.forget_loss),
                "retain": joined(self.retain_loss) if replaces_retain else None,
            },
            objective=self.objective,
            hold=self.hold,
            seed=self.seed,
            batch_norm=self.batch_norm,
            arriving=lambda: self._join(trainer, pl_module),
            decide=lambda: self._combine(trainer, pl_module),
        )
        self._session.open()

    @property
    def _needed(self) -> tuple[SideName, ...]:
        sides: tuple[tuple[SideName, bool], ...] = (
            ("forget", self.needs_forget),
            ("retain", self.needs_retain),
        )
        return tuple(side for side, needed in sides if needed)

    # ---- before the first step ---------------------------------------------------------------------------------
    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._forget_trials(trainer)
        self._started = True
        self.diagnostics, self._reach_checked, self._forget_side_silent = {}, False, False
        misfits = _checks.of_parameters(pl_module) + _checks.of_loaders(trainer, self._needed)
        misfits += of_wrapper(trainer) + _checks.of_placement(trainer, pl_module)
        misfits += _checks.of_guidance(trainer, pl_module, self.guidance)
        _checks.raise_together(misfits, trainer)
        if len(self._needed) == 2:
            _checks.warn_of_shared_stream(trainer)
        steps = trainer.estimated_stepping_batches
        self.progress.total_steps = None if steps == float("inf") else int(steps)
        self._take_up(trainer)
        if type(self).prepare is not UnlearningStrategy.prepare and not self._restored:
            self.prepare(pl_module, *Source.of_sides(trainer, pl_module, self._needed))
        self._file_state(trainer)
        if self.constrains:
            self._constraint = Constraint(trainer.optimizers, self._attached.parameters, self.constrain)

    @override
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        nothing_planned = (
            trainer.limit_train_batches == 0 or trainer.max_epochs == 0 or trainer.max_steps == 0
        )
        if not self._started and not self._restored and not nothing_planned:
            self._detach()  # Lightning skips an epoch without batches and says nothing
            _checks.raise_together(_checks.of_loaders(trainer, self._needed), trainer)

    # ---- the step ----------------------------------------------------------------------------------------------
    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.progress.epoch = trainer.current_epoch
        self._attached.forget_window()

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._attached.step = self.progress.step
        self._attached.begin_batch(batch, batch_idx)
        self._combined = False

    @override
    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        session = self._attached
        if session.busy or session.is_manual:  # a precision plugin may call hooks from inside our own pass
            return
        session.after_own_backward()
        if session.at_boundary(trainer.fit_loop.batch_idx):
            self._combine(trainer, pl_module)

    @override
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        session = self._attached
        if self._combined or session.is_manual or not session.at_boundary(trainer.fit_loop.batch_idx):
            return
        _checks.warn_of_last_batch_without_loss()  # there was no backward pass to be told of
        if session.has_own_loss:
            self._combine(trainer, pl_module)

    def _combine(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        session = self._attached
        forget, retain = session.sides()
        self._keep_unfrozen()
        self.reports = are_due(trainer, self.progress.step)
        with torch.no_grad():
            direction = self.direction(cast(Side, forget), retain)  # None only for who needs no forget side
        if not isinstance(direction, Gradient):
            raise UnlearningError(
                f"`{type(self).__name__}` must give its direction as a Gradient, found {type(direction).__name__}. "
                "Return what comes of the sides' gradients."
            )
        if forget is not None:
            self._check_reach(forget)
        with torch.no_grad():
            session.write(direction)
        self._combined = True
        if self.reports:
            log_diagnostics(pl_module, self.diagnostics, session.optimizer)

    def _check_reach(self, forget: Side) -> None:
        if not self._reach_checked and forget.reaches_no_parameter:
            optimizer = self._attached.optimizer
            of = (
                ""
                if optimizer is None
                else (
                    f" at a step of optimiser {optimizer}: the objective must depend on what each optimiser moves"
                )
            )
            raise ConfigurationError(
                f"A trainable parameter must get a gradient from the forget side, found none that does{of}. Unfreeze the "
                "parameters that the forget loss depends on, and give them to the optimiser."
            )
        self._reach_checked = self._reach_checked or forget.asked
        self._forget_side_silent = self._forget_side_silent or forget.silent

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._attached.at_boundary(batch_idx):
            self.progress.step += 1
            self._combined = False

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        skipped = self._attached.take_unhealthy()
        if self._in_trial(trainer):  # to diverge is what a search for the learning rate is after
            return
        _checks.warn_of_epoch(
            skipped=skipped,
            has_fallback=self.needs_retain,
            no_forget_loss=self._forget_side_silent and not self._reach_checked,
        )
