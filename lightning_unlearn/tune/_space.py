"""What a search may vary, and between which values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from lightning_unlearn.compare._names import check_names
from lightning_unlearn.errors import ConfigurationError


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds, both included.

    Attributes:
        low: smallest value; with `relative`, as a multiple of the value that the configuration has.
        high: largest value, likewise.
        log: whether values are equally likely on a logarithmic scale; needs `low > 0`.
        step: distance between two neighbouring values; `None` for any value, or for 1 between integers.
        relative: whether the bounds are multiples of the value that the configuration has.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    relative: bool = False


@dataclass(frozen=True)
class Choices:
    """One of a few plain values.

    Attributes:
        values: such as `["train", "eval"]`, or classes with their arguments; distinct.
    """

    values: Sequence[Any]


Dimension: TypeAlias = Range | Choices
Space: TypeAlias = Mapping[str, Dimension]
_OF_RANGE = tuple(field.name for field in fields(Range))


def space_of(given: Any, where: str) -> Space:
    """A search space from plain values.

    Args:
        given: by name, `{low, high, log, step, relative}`, of which the first two are needed, or `{choices}`.
        where: the space comes from, for messages.

    Raises:
        ConfigurationError: it is empty, or something in it is unknown, missing or out of range.

    Example:
        >>> space_of({"alpha": {"low": 0.1, "high": 1}, "when": {"choices": ["conflict"]}}, "here")["alpha"]
        Range(low=0.1, high=1, log=False, step=None, relative=False)
    """
    if not isinstance(given, Mapping) or not given:
        raise ConfigurationError(
            f"The search space in {where} must name at least one thing to vary, found {'nothing' if given is None else given}. Write for instance "
            "`alpha: {low: 0.01, high: 1.0, log: true}`."
        )
    return {str(name): _dimension(f"`{name}` in {where}", plain) for name, plain in given.items()}


def _dimension(what: str, plain: Any) -> Dimension:
    if not isinstance(plain, Mapping) or not ({"low", "high"} <= plain.keys() or "choices" in plain):
        raise ConfigurationError(
            f"{what} must be a range or choices, found {plain!r}. Write `{{low: ..., high: ...}}` or `{{choices: [...]}}`."
        )
    if "choices" in plain:
        check_names(what, plain, ("choices",))
        return _choices(what, plain["choices"])
    check_names(what, plain, _OF_RANGE)
    return _range(what, Range(**plain))


def _choices(what: str, values: Any) -> Choices:
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise ConfigurationError(
            f"`choices` of {what} must be a list of values, found {values!r}. Name at least one."
        )
    if any(value in values[:n] for n, value in enumerate(values)):
        raise ConfigurationError(f"`choices` of {what} must be distinct, found {list(values)!r}.")
    return Choices(list(values))


def _range(what: str, found: Range) -> Range:
    for name in ("low", "high", "step"):
        value = getattr(found, name)
        if name == "step" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            hint = " Write 1.0e-3: YAML takes 1e-3 for a word." if isinstance(value, str) else ""
            raise ConfigurationError(f"`{name}` of {what} must be a finite number, found {value!r}.{hint}")
    for name in ("log", "relative"):
        if not isinstance(getattr(found, name), bool):
            raise ConfigurationError(
                f"`{name}` of {what} must be true or false, found {getattr(found, name)!r}."
            )
    if found.low > found.high:
        raise ConfigurationError(
            f"`low` of {what} must be at most `high`, found {found.low} and {found.high}. Exchange them."
        )
    if found.log and found.low <= 0:
        raise ConfigurationError(
            f"`low` of {what} must be above 0 on a logarithmic scale, found {found.low}. Take a small positive number, or leave "
            "`log` out."
        )
    if found.step is not None:
        _check_step(what, found, found.step)
    return found


def _check_step(what: str, found: Range, step: float) -> None:
    if step <= 0 or found.log:
        raise ConfigurationError(
            f"`step` of {what} must be above 0 and on a linear scale, found {step} and `log: {str(found.log).lower()}`. Leave "
            "one of the two out."
        )
    steps = (found.high - found.low) / step
    if abs(steps - round(steps)) > 1e-6:
        last = found.low + math.floor(steps) * step
        raise ConfigurationError(
            f"`high` of {what} must be a whole number of steps of {step} above `low`, found {found.high}. Take {last:g}."
        )
