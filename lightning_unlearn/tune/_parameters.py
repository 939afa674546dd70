"""What is varied, once it is known what it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.tune._names import value_of
from lightning_unlearn.tune._space import Choices, Range, Space
from lightning_unlearn.tune._subject import Subject


@dataclass(frozen=True)
class Number:
    """A number between two bounds.

    Attributes:
        name: see :func:`~lightning_unlearn.tune._names.value_of`.
        low: smallest value.
        high: largest value.
        log: whether values are equally likely on a logarithmic scale.
        step: distance between neighbouring values; `None` for any value, or for 1 between integers.
        integer: whether values are integers.
    """

    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    integer: bool = False

    @property
    def ends(self) -> Sequence[Any]:
        """Values by which it is tried out before a search."""
        return (self.low, self.high)

    def holds(self, value: Any) -> bool:
        """Whether a search could find this value.

        Example:
            >>> lr = Number("model.lr", 0.001, 0.1, log=True)
            >>> lr.holds(0.01), lr.holds(1.0), lr.holds(None)
            (True, False, False)
        """
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return self.low <= value <= self.high and abs(steps - round(steps)) < 1e-6


@dataclass(frozen=True)
class Choice:
    """One of a few plain values.

    Attributes:
        name: see :func:`~lightning_unlearn.tune._names.value_of`.
        values: distinct, as they were given.
        complete: the same with everything that they leave to defaults.
    """

    name: str
    values: Sequence[Any]
    complete: Sequence[Any] = ()

    @property
    def ends(self) -> Sequence[Any]:
        """Values by which it is tried out before a search: all of them."""
        return self.values

    def index(self, value: Any) -> int:
        """Where a value is among them, which must be there."""
        return list(self.values if value in self.values else self.complete).index(value)

    def holds(self, value: Any) -> bool:
        """Whether a search could find this value.

        Example:
            >>> Choice("batch_norm", ["train", "eval"]).holds("train")
            True
        """
        return value in self.values or value in self.complete


Parameter: TypeAlias = Number | Choice


def parameters_of(space: Space, subject: Subject) -> list[Parameter]:
    """The parameters of a space, each tried out at its ends.

    Args:
        space: what is varied.
        subject: what it is varied of.

    Raises:
        ConfigurationError: a name is unknown, which names the closest one, or a bound or choice is refused by what it is for.
    """
    known: dict[str, Parameter] = {}
    for name in sorted(space, key=lambda name: name.count(".")):
        subject.check_name(name)
        bound = _bound(name, space[name], subject)
        whole = next((known[above] for above in known if name.startswith(f"{above}.")), None)
        for of_whole in [{}] if whole is None else [{whole.name: value} for value in whole.ends]:
            found = [value_of(subject.complete({**of_whole, name: end}), name) for end in bound.ends]
            bound = _typed(bound, found)
        known[name] = bound
    return [known[name] for name in space]


def inside(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> bool:
    """Whether a search could find these values."""
    return all(parameter.holds(values[parameter.name]) for parameter in parameters)


def _bound(name: str, dimension: Range | Choices, subject: Subject) -> Parameter:
    if isinstance(dimension, Choices):
        return Choice(name, dimension.values)
    low, high, step = dimension.low, dimension.high, dimension.step
    if dimension.relative:
        own = value_of(subject.complete({}), name)
        if isinstance(own, bool) or not isinstance(own, int | float) or not own > 0:
            raise ConfigurationError(
                f"`{name}` in the search space must have a positive value of its own if the bounds are relative to it, found "
                f"{own!r}. Leave `relative` out, or give it one."
            )
        low, high = _times(low, own), _times(high, own)
        step = None if step is None else _times(step, own)
    integers = all(isinstance(n, int) for n in (low, high, step or 0))
    return Number(name, low, high, dimension.log, step, integers)


def _times(factor: float, own: float) -> float:
    return max(1, round(factor * own)) if isinstance(own, int) else factor * own


def _typed(parameter: Parameter, found: Sequence[Any]) -> Parameter:
    """The parameter with what its values are once they are parsed."""
    if isinstance(parameter, Choice):
        return replace(parameter, complete=found)
    is_float = any(isinstance(value, float) for value in found)
    return replace(parameter, integer=False) if is_float else parameter
