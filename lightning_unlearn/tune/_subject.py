"""What a search is about: one request, one strategy, and what is fixed of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pydoc import locate
from typing import Any

from jsonargparse import Namespace

from lightning_unlearn.compare._classes import completed
from lightning_unlearn.compare._names import check_names
from lightning_unlearn.compare._request import Entry, Request, requests_of
from lightning_unlearn.compare._training import check_model
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.monitor import ForgettingMonitor
from lightning_unlearn.tune._names import COUNTS, SECTIONS, with_values


@dataclass(frozen=True)
class Subject:
    """One request and one strategy, as plain values of a configuration.

    Attributes:
        sections: of LightningCLI: how an original is trained.
        request: `name`, `forget` and `settings`.
        entry: `strategy`, and `settings` that are not the request's.
    """

    sections: Namespace
    request: Mapping[str, Any]
    entry: Mapping[str, Any]

    def with_values(self, values: Mapping[str, Any]) -> Request:
        """The request with this one entry, in which some values are others.

        Raises:
            ConfigurationError: one is refused.
        """
        entry = with_values(self.entry, values)
        try:
            [request] = requests_of([{**self.request, "entries": [entry]}], None)
            check_model(self.sections, request.entries[0].settings.model, "`model`")
        except ConfigurationError as error:
            if not values:
                raise
            said = ", ".join(f"{name} = {value!r}" for name, value in values.items())
            raise ConfigurationError(
                f"The search space must have values that can be used, found {said}: {error}"
            ) from error
        return request

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The entry with some other values, and with everything that it leaves to defaults."""
        return _complete(self.with_values(values).entries[0], self._model)

    def check_name(self, name: str) -> None:
        """Refuse a name of which nothing in the entry is.

        Raises:
            ConfigurationError: it is unknown; the message has the closest one.
        """
        complete = self.complete({})
        arguments = complete["strategy"]["init_args"]
        first = name.partition(".")[0]
        check_names("The search space", [first], (*arguments, *COUNTS, *SECTIONS))
        if first in SECTIONS:
            known = (f"{first}.{argument}" for argument in complete["settings"][first])
            check_names("The search space", [name], known)

    def _model(self, given: Mapping[str, Any]) -> dict[str, Any]:
        config = self.sections.model
        cls: Any = locate(config.class_path)
        own = config.get("init_args")
        return completed(cls, {**({} if own is None else own.as_dict()), **given}, "`model`")


def _complete(entry: Entry, model: Any) -> dict[str, Any]:
    strategy = {"class_path": entry.strategy.class_path, "init_args": dict(entry.strategy.init_args)}
    settings = {**asdict(entry.settings), "model": model(entry.settings.model)}
    monitor = completed(ForgettingMonitor, settings["monitor"] or {}, "`monitor`")
    return {"strategy": strategy, "settings": {**settings, "monitor": monitor}}
