"""The best trial as an entry of a comparison, in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from lightning_unlearn.tune._names import with_values
from lightning_unlearn.tune._search import Search
from lightning_unlearn.tune._trial import Trial
from lightning_unlearn.tune.report._words import points


def entry_of(search: Search, trial: Trial) -> dict[str, Any]:
    """The entry of a trial: what was given and what was searched of the strategy, and all settings.

    Args:
        search: that it is of.
        trial: the first one changes nothing.
    """
    changed = with_values(search.about["entry"], trial.values if trial.number else {})
    general, special = search.about["request"]["settings"] or {}, changed.get("settings") or {}
    settings = {**general, **special}
    for section in ("model", "monitor"):
        if section in settings and settings[section] is not None:
            settings[section] = {**(general.get(section) or {}), **(special.get(section) or {})}
    strategy = changed["strategy"]
    return {"name": search.strategy, "strategy": strategy, "settings": settings}


def entry_yaml(search: Search, trial: Trial) -> str:
    """The same as text, for the `entries` of a comparison."""
    count = len(search.about["seeds"]["original"])
    head = (
        f"# {search.strategy}: trial {trial.number} of {len(search.trials)} on {search.request!r}, {count} originals.\n"
        f"# {points(trial.distance)} points from {search.baseline.against}"
        f" (nothing done: {points(search.baseline.distance)}).\n"
        "# To be put among the `entries` of a request.\n"
    )
    text: str = yaml.safe_dump([_tidy(entry_of(search, trial))], sort_keys=False, allow_unicode=True)
    return head + text


def _tidy(value: Any) -> Any:
    """Without arguments that are absent anyway."""
    if isinstance(value, Mapping):
        return {name: _tidy(inner) for name, inner in value.items() if name != "predict" or inner is not None}
    return value
