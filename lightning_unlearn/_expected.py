"""What the metrics of a run should be at its end: the key `expected` of a configuration."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import lightning.pytorch as pl

from lightning_unlearn import _checks
from lightning_unlearn.compare._names import check_names, did_you_mean
from lightning_unlearn.errors import ConfigurationError, UnlearningError
from lightning_unlearn.monitor import ForgettingMonitor

_ROUNDING = 1e-9  # 0.99 - 0.98 is more than 0.01


class Expected(NamedTuple):
    """A value, and how far a run may be from it.

    Attributes:
        value: finite.
        tolerance: finite, at least 0.
    """

    value: float
    tolerance: float

    def holds(self, found: float) -> bool:
        """Whether a value is near enough; one that is not finite never is.

        Example:
            >>> Expected(0.98, 0.01).holds(0.99), Expected(0.98, 0.01).holds(float("nan"))
            (True, False)
        """
        return abs(found - self.value) <= self.tolerance + _ROUNDING


def expected_of(given: Any) -> dict[str, Expected]:
    """The values of a configuration, checked.

    Args:
        given: `value` and `tolerance` by the name of a metric; `None` for nothing.

    Raises:
        ConfigurationError: one of the two is missing, not finite, or the tolerance is negative, or there is something else.

    Example:
        >>> expected_of({"unlearn/forget_accuracy": {"value": 0, "tolerance": 0.01}})
        {'unlearn/forget_accuracy': Expected(value=0.0, tolerance=0.01)}
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"`expected` must be values by the names of metrics, found {given!r}.")
    return {str(name): _one(str(name), one) for name, one in given.items()}


def _one(name: str, given: Any) -> Expected:
    what = f"`{name}` of `expected`"
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{what} must have `value` and `tolerance`, found {given!r}.")
    check_names(what, given, Expected._fields)
    missing = [field for field in Expected._fields if field not in given]
    if missing:
        raise ConfigurationError(f"{what} must have `value` and `tolerance`, found no `{missing[0]}`.")
    value = _checks.finite(f"{name}: value", given["value"])
    return Expected(value, _checks.non_negative(f"{name}: tolerance", given["tolerance"]))


def logged_by(trainer: pl.Trainer, names: Collection[str]) -> dict[str, float]:
    """What the metrics were at the end of a fit: those of `trainer.callback_metrics`, and the monitor's last evaluation.

    Args:
        trainer: after `fit`.
        names: of those that are of interest.

    Raises:
        UnlearningError: one is the monitor's, whose last evaluation is not of the weights after the last step. (It is, unless something
            other than the number of steps, of epochs or the monitor itself has stopped the run.)
    """
    values = {name: float(value) for name, value in trainer.callback_metrics.items()}
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set by one of its connectors
        if isinstance(callback, ForgettingMonitor) and callback.history:
            row = dict(callback.history[-1])
            step = row.pop("step")
            if step != trainer.global_step and not row.keys().isdisjoint(names):
                raise UnlearningError(
                    f"The last evaluation of `ForgettingMonitor` must be of the final weights to be compared with `expected`, "
                    f"found that it is of step {step:g}, and that the run was stopped after {trainer.global_step} steps. "
                    "Evaluate at `every_n_steps=1`, or let the run go on."
                )
            values |= row
    return values


def compare(expected: Mapping[str, Expected], trainer: pl.Trainer) -> None:
    """Print for each metric what was found and what was expected.

    Nothing is compared after a `fast_dev_run` or an interrupt, which is said. Weights that a callback puts in place after the
    last step (an average, for instance) are not those that were evaluated.

    Args:
        expected: by the name of the metric.
        trainer: after `fit`.

    Raises:
        ConfigurationError: no metric of that name was logged.
        UnlearningError: a value is outside its tolerance, or not of the final weights.
    """
    if not expected:
        return
    cut = [why for why in ("fast_dev_run", "interrupted") if getattr(trainer, why)]
    if cut:
        _say(trainer, f"`expected` was not compared: {cut[0]}")
        return
    logged = logged_by(trainer, expected)
    for name in expected:
        if name not in logged:
            remedy = did_you_mean(name, logged) if logged else "Nothing was logged."
            raise ConfigurationError(
                f"`expected` must name metrics that the run logs, found {name!r}. {remedy}"
            )
    outside = []
    for name, one in expected.items():
        said = f"{name}: {logged[name]:.4g}, expected {one.value:.4g} ± {one.tolerance:.2g}"
        holds = one.holds(logged[name])
        _say(trainer, f"{said}: {'within' if holds else 'OUTSIDE'}")
        outside += [] if holds else [said]
    if outside:
        raise UnlearningError(
            f"The run must end within the tolerances of `expected`, found {'; '.join(outside)}. Look at what the loggers have; "
            "`--expected null` runs without the comparison."
        )


def _say(trainer: pl.Trainer, text: str) -> None:
    if trainer.is_global_zero:
        print(text)
