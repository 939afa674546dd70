"""How an unlearning is run, apart from its strategy."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

from lightning_unlearn._checks import positive_int
from lightning_unlearn.compare._names import check_names
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.monitor import ForgettingMonitor
from lightning_unlearn.reference._description import canonical

_NOT_OF_MONITOR = ("self", "test", "predict")  # what a comparison has of its own


@dataclass(frozen=True)
class Settings:
    """What a strategy and its controls share.

    Attributes:
        max_steps: optimiser steps at most, ≥ 1.
        batch_size: of the retain side; `None` for that of the data module.
        forget_batch_size: of the forget side; `None` for that of the data module.
        model: arguments of the module that differ from those of the training.
        monitor: arguments of :class:`ForgettingMonitor`; `None` for no monitor, and the full number of steps.
    """

    max_steps: int
    batch_size: int | None
    forget_batch_size: int | None
    model: Mapping[str, Any]
    monitor: Mapping[str, Any] | None

    def to_plain(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @cached_property
    def identifier(self) -> str:
        """Eight digits, which differ where settings do."""
        return hashlib.sha256(canonical(self.to_plain()).encode()).hexdigest()[:8]


def settings_of(general: Any, special: Any, what: str) -> Settings:
    """The settings of a request, overridden by those of an entry.

    Args:
        general: of the request, by name.
        special: of the entry. What they say about the model and the monitor is added to what the request says; `monitor: null`
            takes the monitor away.
        what: for messages.

    Raises:
        ConfigurationError: a setting is unknown or out of range.

    Example:
        >>> settings_of({"max_steps": 60, "model": {"lr": 0.1}}, {"model": {"lr": 0.01}}, "the entry")
        Settings(max_steps=60, batch_size=None, forget_batch_size=None, model={'lr': 0.01}, monitor=None)
    """
    names = [field.name for field in fields(Settings)]
    for given in (general, special):
        _check_mapping(f"The settings of {what}", given)
        check_names(f"The settings of {what}", given or (), names)
        for section in ("model", "monitor"):
            _check_mapping(f"`{section}` in the settings of {what}", (given or {}).get(section))
    general, special = general or {}, special or {}
    merged: dict[str, Any] = {"batch_size": None, "forget_batch_size": None, **general, **special}
    merged["model"] = {**(general.get("model") or {}), **(special.get("model") or {})}
    merged["monitor"] = _monitor(general.get("monitor"), special, what)
    if "max_steps" not in merged:
        raise ConfigurationError(
            f"The settings of {what} must have `max_steps`, found none. It is the number of steps that every strategy and "
            "control has."
        )
    positive_int("max_steps", merged["max_steps"])
    for name in ("batch_size", "forget_batch_size"):
        if merged[name] is not None:
            positive_int(name, merged[name])
    return Settings(**merged)


def _monitor(general: Any, special: Mapping[str, Any], what: str) -> dict[str, Any] | None:
    if "monitor" in special and special["monitor"] is None:
        return None
    if general is None and "monitor" not in special:
        return None
    merged = {**(general or {}), **special.get("monitor", {})}
    names = [n for n in inspect.signature(ForgettingMonitor.__init__).parameters if n not in _NOT_OF_MONITOR]
    check_names(f"`monitor` in the settings of {what}", merged, names)
    ForgettingMonitor(**merged)  # it knows the ranges
    return merged


def _check_mapping(what: str, given: Any) -> None:
    if given is not None and not isinstance(given, Mapping):
        raise ConfigurationError(
            f"{what} must be values by name, found {given!r}. Write `name: value` lines."
        )
