"""What is to be forgotten, and how it is tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightning_unlearn.compare._classes import class_of, completed, constructed, path_of
from lightning_unlearn.compare._names import check_names
from lightning_unlearn.compare._settings import Settings, settings_of
from lightning_unlearn.compare._spoken import spoken
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.predictions import Predict
from lightning_unlearn.strategies import UnlearningStrategy

FORGET = ("forget", "forget_class", "forget_fraction", "seed")  # arguments of an `UnlearningDataModule`
_REQUEST = ("name", "forget", "settings", "entries")
_ENTRY = ("strategy", "name", "settings")


@dataclass(frozen=True)
class Strategy:
    """A strategy that can be written down.

    Attributes:
        class_path: of its class.
        init_args: all of its arguments; its `seed` only if it was given, else it is that of the unlearning.
    """

    class_path: str
    init_args: Mapping[str, Any]

    def made(self, seed: int, predict: Predict | None = None) -> UnlearningStrategy:
        """A new one.

        Args:
            seed: of the unlearning.
            predict: for the strategy and its objective, where they have such an argument and were not given another.
        """
        cls = class_of(self.class_path, UnlearningStrategy, "`strategy`")
        own = {"seed": seed} if "seed" in completed(cls, self.init_args, "`strategy`") else {}
        strategy: UnlearningStrategy = constructed(cls, {**own, **self.init_args})
        for part in (strategy, getattr(strategy, "objective", None)):
            if predict is not None and getattr(part, "predict", predict) is None:
                part.predict = predict  # type: ignore[union-attr]  # it has one, and `None` has not
        return strategy


@dataclass(frozen=True)
class Entry:
    """One strategy with its arguments and settings.

    Attributes:
        name: in tables.
        strategy: how it unlearns.
        settings: while it does.
    """

    name: str
    strategy: Strategy
    settings: Settings


@dataclass(frozen=True)
class Request:
    """One thing to forget.

    Attributes:
        name: in tables.
        forget: arguments of an :class:`UnlearningDataModule` that choose it.
        entries: how it is tried, in the order of the configuration.
    """

    name: str
    forget: Mapping[str, Any]
    entries: Sequence[Entry]

    @property
    def settings(self) -> list[Settings]:
        """The distinct settings of its entries: each has controls of its own."""
        return list({entry.settings.identifier: entry.settings for entry in self.entries}.values())


def strategy_of(given: Any, what: str) -> Strategy:
    """A strategy from its class and arguments.

    Args:
        given: a mapping with `class_path` and, if need be, `init_args`; or a text, see :func:`spoken`.
        what: for messages.

    Raises:
        ConfigurationError: there is no such class, it has no such argument, or a value is out of range.
    """
    plain = spoken(given) if isinstance(given, str) else given
    if not isinstance(plain, Mapping) or not plain:
        raise ConfigurationError(
            f"{what} must be a class with its arguments, found {given!r}. Write `class_path: ...` and `init_args: ...`."
        )
    check_names(what, plain, ("class_path", "init_args"))
    cls = class_of(plain.get("class_path"), UnlearningStrategy, what)
    arguments = plain.get("init_args") or {}
    complete = completed(cls, arguments, what)
    constructed(cls, complete)  # it knows the ranges
    if "seed" not in arguments:
        complete.pop("seed", None)
    return Strategy(path_of(cls), complete)


def requests_of(given: Any, strategies: Sequence[str] | None) -> list[Request]:
    """The requests of a configuration.

    Args:
        given: as it stands there.
        strategies: in place of the entries of every request.

    Raises:
        ConfigurationError: something is missing, unknown, there twice or out of range.
    """
    if not given:
        raise ConfigurationError(
            "`requests` must name at least one thing to forget, found none. Write a configuration, or pass `--task digits`."
        )
    requests = [_request(one, number, strategies) for number, one in enumerate(given, 1)]
    _check_distinct("`requests`", [request.name for request in requests])
    return requests


def _request(given: Any, number: int, strategies: Sequence[str] | None) -> Request:
    name = given.get("name") if isinstance(given, Mapping) else None
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(
            f"Request {number} must have a `name`, found {name!r}. Say what is forgotten."
        )
    what = f"the request {name!r}"
    check_names(what[0].upper() + what[1:], given, _REQUEST)
    forget = given.get("forget")
    if not isinstance(forget, Mapping) or not forget:
        raise ConfigurationError(
            f"`forget` of {what} must say what is forgotten, found {forget!r}. Write for instance `forget_class: 3`."
        )
    check_names(f"`forget` of {what}", forget, FORGET)
    entries = given.get("entries") if strategies is None else [{"strategy": s, "name": s} for s in strategies]
    if not entries:
        raise ConfigurationError(
            f"`entries` of {what} must name at least one strategy, found none. The controls are added to them."
        )
    made = [_entry(entry, given.get("settings"), what) for entry in entries]
    _check_distinct(f"`entries` of {what}", [entry.name for entry in made])
    return Request(name, dict(forget), made)


def _entry(given: Any, settings: Any, what: str) -> Entry:
    plain = given if isinstance(given, Mapping) and "class_path" not in given else {"strategy": given}
    check_names(f"An entry of {what}", plain, _ENTRY)
    strategy = strategy_of(plain.get("strategy"), f"`strategy` of {what}")
    name = plain.get("name") or strategy.class_path.rpartition(".")[2]
    return Entry(str(name), strategy, settings_of(settings, plain.get("settings"), f"{what}, {name}"))


def _check_distinct(what: str, names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigurationError(
            f"{what} must have distinct names, found {', '.join(map(repr, twice))} more than once. Give each a `name` of its "
            "own."
        )
