"""Dotted names of what a search varies, in an entry of a comparison."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from lightning_unlearn.errors import ConfigurationError

COUNTS = ("max_steps", "batch_size", "forget_batch_size")
SECTIONS = ("model", "monitor")


def value_of(entry: Mapping[str, Any], name: str) -> Any:
    """What an entry says, `None` where it says nothing.

    Args:
        entry: `strategy` (`class_path`, `init_args`) and `settings`.
        name: of an argument of the strategy (`alpha`, `objective.init_args.offset`), of a setting (`max_steps`), or of an
            argument of the model or the monitor (`model.lr`).

    Example:
        >>> entry = {"strategy": {"class_path": "SFRon", "init_args": {"alpha": 2.0}}, "settings": {"model": {"lr": 0.1}}}
        >>> value_of(entry, "alpha"), value_of(entry, "model.lr"), value_of(entry, "max_steps")
        (2.0, 0.1, None)
    """
    found: Any = entry
    for part in _path(name):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def with_values(entry: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of an entry that says other things.

    Args:
        entry: as for :func:`value_of`.
        values: by name; that of a whole before those of its parts.

    Raises:
        ConfigurationError: there is nothing that could have such a part.

    Example:
        >>> with_values({"strategy": {"class_path": "SFRon"}}, {"alpha": 2.0, "max_steps": 30})
        {'strategy': {'class_path': 'SFRon', 'init_args': {'alpha': 2.0}}, 'settings': {'max_steps': 30}}
    """
    changed = copy.deepcopy(dict(entry))
    for name in sorted(values, key=lambda name: name.count(".")):
        *way, last = _path(name)
        place: Any = changed
        for part in way:
            place = _step(place, part, name)
        place[last] = copy.deepcopy(values[name])
    return changed


def _path(name: str) -> list[str]:
    parts = name.split(".")
    if name in COUNTS or parts[0] in SECTIONS:
        return ["settings", *parts]
    return ["strategy", "init_args", *parts]


def _step(place: dict[str, Any], part: str, name: str) -> dict[str, Any]:
    if place.get(part) is None and part in ("settings", "init_args", *SECTIONS):
        place[part] = {}
    inner = place.get(part)
    if not isinstance(inner, dict):
        raise ConfigurationError(
            f"`{name}` must be part of something that the strategy is given, found `{part}` to be {inner!r}. Say what it is, in "
            f"the strategy's arguments or in the search space: `{part}: {{choices: [{{class_path: ...}}]}}`."
        )
    return inner
