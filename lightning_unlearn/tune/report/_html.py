"""A search as one page that needs nothing beside it: no network, no script, no file."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_unlearn.rendering import page
from lightning_unlearn.tune._search import Search
from lightning_unlearn.tune._trial import Trial, best_of, ordered
from lightning_unlearn.tune.report import _words
from lightning_unlearn.tune.report._entry import entry_yaml
from lightning_unlearn.tune.report.figures import figures

_ELSEWHERE = ("space", "digests")  # shown above, or for machines


def to_html(search: Search) -> str:
    """The search as a page; every text that came from the user is escaped.

    Args:
        search: with its trials.

    Returns:
        HTML with its styles and figures in it; the same text for the same search.
    """
    best = best_of(search.trials)
    return page(
        "lightning_unlearn.tune.report",
        {
            "points": _words.points,
            "percent": _words.percent,
            "shown": _words.shown,
            "state": _words.state,
            "reason": _words.reason,
        },
        search=search,
        best=best,
        trials=ordered(search.trials),
        entry="" if best is None else entry_yaml(search, best),
        findings=list(_words.findings(search)),
        distance=_words.DISTANCES[search.baseline.against],
        heads=[_words.HEADS[name] for name in search.baseline.numbers],
        figures=figures(search),
        space=list(_space(search)),
        about={name: value for name, value in search.about.items() if name not in _ELSEWHERE},
    )


def _space(search: Search) -> Iterator[tuple[str, str]]:
    first: Trial = search.trials[0]
    for parameter in search.about["space"]:
        name = str(parameter["name"])
        if "values" in parameter:
            said = "one of " + ", ".join(_words.shown(value) for value in parameter["values"])
        else:
            said = f"{_words.shown(parameter['low'])} to {_words.shown(parameter['high'])}"
            said += ", logarithmic" if parameter["log"] else ""
            said += f", in steps of {_words.shown(parameter['step'])}" if parameter["step"] else ""
        yield name, f"{said}; as it is: {_words.shown(first.values[name])}"
