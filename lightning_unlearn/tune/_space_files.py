"""Search spaces from files: of a user, and of the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

import lightning_unlearn
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.tune._space import Space, space_of

_PACKAGED = files("lightning_unlearn.tune") / "spaces"


def space_from(path: Path) -> Space:
    """The search space of a YAML file.

    Raises:
        ConfigurationError: there is no such file, it is not YAML, or no space.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"`space` must name a YAML file, found {path} that cannot be read: {error}. Leave it out for the space of the "
            "strategy."
        ) from error
    return space_of(_loaded(text, str(path)), str(path))


def packaged_space(cls: type) -> Space:
    """The search space that comes with a strategy.

    Args:
        cls: class of the strategy.

    Raises:
        ConfigurationError: none comes with it.
    """
    path = _PACKAGED / f"{cls.__name__}.yaml"
    is_ours = getattr(lightning_unlearn, cls.__name__, None) is cls
    if not is_ours or not path.is_file():
        raise ConfigurationError(
            f"`space` must name a YAML file for {cls.__name__}, which no search space comes with, found none. Write one: "
            "`alpha: {low: 0.01, high: 1.0, log: true}`."
        )
    return space_of(_loaded(path.read_text("utf-8"), path.name), path.name)


def _loaded(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"The search space in {where} must be YAML, found that it is not: {error}"
        ) from error
