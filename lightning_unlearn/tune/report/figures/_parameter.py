"""Each parameter against the distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from lightning_unlearn.rendering import Shown, drawing, slug
from lightning_unlearn.tune._search import Search
from lightning_unlearn.tune._trial import ordered
from lightning_unlearn.tune.report._words import points, shown
from lightning_unlearn.tune.report.figures._marks import draw_levels, draw_trials, scale_distance

_LONGEST = 22  # letters of a choice under the axis; the numbers have all of them


def by_parameter(search: Search) -> list[Shown]:
    """One figure for each parameter.

    Args:
        search: with its trials.
    """
    return [_figure(search, parameter) for parameter in search.about["space"]]


def _figure(search: Search, parameter: Mapping[str, Any]) -> Shown:
    name = str(parameter["name"])
    choices = parameter.get("values")
    places = {}
    for trial in search.trials:
        place = _place(parameter, trial.values[name])
        if place is not None:
            places[trial.number] = place
    with drawing(4.2, 3.2) as (figure, axes):
        draw_levels(axes, search)
        top = scale_distance(axes, search)
        if choices is None:
            _scale(axes, parameter, list(places.values()))
        else:
            axes.set_xticks(range(len(choices)), [_short(shown(choice)) for choice in choices], rotation=15)
            for label in axes.get_xticklabels():
                label.set_parse_math(False)
            axes.set_xlim(-0.6, len(choices) - 0.4)
        draw_trials(axes, search, places, top)
        axes.set_xlabel(name, parse_math=False)
    best = ordered(search.trials)[0]
    return Shown(
        f"parameter-{slug(name)}",
        "Parameters",
        name,
        f"Distance against {name} in {len(places)} trials; the best has {shown(best.values[name])}.",
        figure,
        (name, "distance (points)", "trial"),
        [(shown(t.values[name]), points(t.distance), str(t.number)) for t in ordered(search.trials)],
        ""
        if len(places) == len(search.trials)
        else "Trial 0 has a value outside the search space, and is not drawn.",
    )


def _place(parameter: Mapping[str, Any], value: Any) -> float | None:
    """Where a value stands on the axis; `None` for one that has no place there."""
    if "values" in parameter:
        for known in (parameter["values"], parameter["complete"]):
            if value in known:
                return float(list(known).index(value))
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or (parameter["log"] and value <= 0):
        return None
    return float(value)


def _scale(axes: Axes, parameter: Mapping[str, Any], places: list[float]) -> None:
    low, high = min([parameter["low"], *places]), max([parameter["high"], *places])
    if parameter["log"]:
        axes.set_xscale("log")
        factor = max(high / low, 1.1) ** 0.05
        axes.set_xlim(low / factor, high * factor)
    else:
        room = 0.05 * (high - low) or 0.5
        axes.set_xlim(low - room, high + room)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
