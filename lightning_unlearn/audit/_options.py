"""How an audit is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lightning_unlearn._checks import non_negative_int, positive_int
from lightning_unlearn.audit._identity import Identify
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.predictions import Predict


@dataclass(frozen=True)
class Options:
    """The arguments of :func:`audit` that are not models or data; checked at once."""

    level: Any
    predict: Predict | None
    identify: Identify | None
    features: str | None
    bits: Sequence[int]
    benign_epoch: bool
    relearning_steps: int
    batch_size: int
    max_features: int
    permutations: int
    accelerator: str
    seed: int

    def __post_init__(self) -> None:
        if wrong := of_level(self.level) + of_bits(self.bits):
            raise ConfigurationError("\n".join(wrong))
        non_negative_int("relearning_steps", self.relearning_steps)
        positive_int("batch_size", self.batch_size)
        positive_int("max_features", self.max_features)
        non_negative_int("seed", self.seed)
        if positive_int("permutations", self.permutations) < 2 / self.level:
            raise ConfigurationError(
                f"`permutations` must be at least {2 / self.level:.0f} for the level {self.level}, found "
                f"{self.permutations}. Usual is 1999."
            )

    def configuration(self) -> dict[str, Any]:
        """As plain values, for the report."""
        return {
            "level": self.level,
            "predict": named(self.predict),
            "identify": named(self.identify),
            "features": self.features,
            "bits": list(self.bits),
            "benign_epoch": self.benign_epoch,
            "relearning_steps": self.relearning_steps,
            "batch_size": self.batch_size,
            "max_features": self.max_features,
            "permutations": self.permutations,
            "accelerator": self.accelerator,
            "seed": self.seed,
        }


def of_level(level: Any) -> list[str]:
    """What does not fit, unless it is a probability below one half."""
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 0.5:
        return [f"`level` must be a probability above 0 and below 0.5, found {level!r}. Usual is 0.05."]
    return []


def of_bits(several: Any) -> list[str]:
    """What does not fit, unless it is a list of numbers of bits."""
    if not isinstance(several, (list, tuple)):
        return [f"`bits` must be a list of integers, found {several!r}. Put it into a list."]
    return [
        f"`bits` must be integers from 2 to 16, found {bits!r}. Usual are 8 and 4."
        for bits in several
        if isinstance(bits, bool) or not isinstance(bits, int) or not 2 <= bits <= 16
    ]


def named(function: Any) -> str | None:
    """Where a function is from, for the report."""
    if function is None:
        return None
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
