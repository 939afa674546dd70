"""`--settings.monitor.every_n_steps 4` and the like, of which jsonargparse would take the last one of a section only."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from lightning_unlearn.errors import ConfigurationError

_PREFIX = "--settings."


def without_settings(arguments: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """The arguments of a command line without those of settings, and these by their dotted names.

    Raises:
        ConfigurationError: one has no value.

    Example:
        >>> without_settings(["--trials", "9", "--settings.max_steps=30", "--settings.model.lr", "1e-3"])
        (['--trials', '9'], {'max_steps': 30, 'model.lr': 0.001})
    """
    others, found = list[str](), dict[str, Any]()
    waiting = iter(arguments)
    for argument in waiting:
        if not argument.startswith(_PREFIX):
            others.append(argument)
            continue
        name, equals, text = argument.removeprefix(_PREFIX).partition("=")
        value = text if equals else next(waiting, None)
        if value is None:
            raise ConfigurationError(f"`{argument}` must have a value, found none. Write `{argument} VALUE`.")
        found[name] = _parsed(value)
    return others, found


def with_settings(settings: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of settings in which some are others.

    Args:
        settings: as a file has them.
        options: by their dotted names.

    Example:
        >>> with_settings({"max_steps": 3, "monitor": {"retain_goal": 0.5}}, {"monitor.every_n_steps": 4})
        {'max_steps': 3, 'monitor': {'retain_goal': 0.5, 'every_n_steps': 4}}
    """
    changed = copy.deepcopy(dict(settings))
    for name, value in options.items():
        *sections, last = name.split(".")
        place = changed
        for section in sections:
            if not isinstance(place.get(section), dict):
                place[section] = {}
            place = place[section]
        place[last] = value
    return changed


def _parsed(text: str) -> Any:
    value = yaml.safe_load(text)
    if isinstance(value, str):
        try:
            return float(value)  # YAML takes 1e-3 for a word
        except ValueError:
            return value
    return value
