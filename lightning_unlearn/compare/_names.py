"""Names that somebody has typed, and those that there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from lightning_unlearn.errors import ConfigurationError


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """The remedy for a name that does not exist.

    Example:
        >>> did_you_mean("sfrom", ["SFRon", "PGU"])
        'Did you mean `SFRon`?'
        >>> did_you_mean("dropout", ["SFRon", "PGU"])
        'There are PGU, SFRon.'
    """
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(found.lower(), by_lower, n=1, cutoff=0.55)
    return f"Did you mean `{by_lower[close[0]]}`?" if close else f"There are {', '.join(sorted(known))}."


def check_names(what: str, found: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names that do not exist.

    Args:
        what: whose names these are, for the message.
        found: names that were given.
        known: names that there are.

    Raises:
        ConfigurationError: one is unknown; the message has the closest known one.

    Example:
        >>> check_names("`settings`", ["max_steps"], ["max_steps", "batch_size"])
    """
    known = list(known)
    for name in found:
        if name not in known:
            has = f"have names among {', '.join(known)}" if known else "be empty"
            raise ConfigurationError(f"{what} must {has}, found `{name}`. {_remedy(name, known)}")


def _remedy(name: str, known: list[str]) -> str:
    said = did_you_mean(name, known) if known else ""
    return said if said.startswith("Did") else "Leave it out."
