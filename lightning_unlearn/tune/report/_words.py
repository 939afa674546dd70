"""Numbers, values and sentences of a search as people read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lightning_unlearn.rendering import NONE
from lightning_unlearn.tune._search import Search
from lightning_unlearn.tune._trial import Trial, best_of

HEADS = {
    "forget_accuracy": "Forget accuracy",
    "forget_target": "Forget target",
    "separation": "Separation",
    "retain_accuracy": "Retain accuracy",
    "test_accuracy": "Test accuracy",
    "membership": "Membership",
}
DISTANCES = {
    "retraining": "The distance is the average gap to the retrained models: the mean difference of forget, retain and test "
    "accuracy and of membership, in points.",
    "held-out data": "The distance is the mean of three, in points: how far the forget accuracy is from its target, how far the "
    "losses of the forget set can be told from those of unseen samples of its kind, and how far the test accuracy has moved. "
    "No retrained model was at hand: what one would say of the forget set beyond that cannot be seen.",
}


def shown(value: Any) -> str:
    """A value of a parameter.

    Example:
        >>> shown(0.0123456), shown(30), shown(None), shown("eval")
        ('0.0123', '30', 'none', 'eval')
        >>> shown({"class_path": "lightning_unlearn.Bounded", "init_args": {"offset": 0.01, "predict": None}})
        'Bounded(offset=0.01)'
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}".replace("-", "−")
    if isinstance(value, Mapping) and "class_path" in value:
        arguments = {k: v for k, v in (value.get("init_args") or {}).items() if v is not None}
        inner = ", ".join(f"{name}={shown(inner)}" for name, inner in arguments.items())
        return str(value["class_path"]).rpartition(".")[2] + (f"({inner})" if inner else "")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def points(value: float | None) -> str:
    """A distance.

    Example:
        >>> points(1.234), points(None)
        ('1.23', '–')
    """
    return NONE if value is None else f"{value:.2f}"


def percent(value: float | None) -> str:
    """A share, in percent.

    Example:
        >>> percent(0.98765)
        '98.8'
    """
    return NONE if value is None else f"{100 * value:.1f}"


def state(trial: Trial) -> str:
    """What became of a trial, where it could not be chosen."""
    if trial.distance is None:
        return "failed"
    return "" if trial.is_feasible else f"{trial.violation:.1f} points too low"


def reason(trial: Trial) -> str:
    """Why it failed, in one line."""
    lines = [line.strip() for line in (trial.error or "").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def findings(search: Search) -> Iterator[str]:
    """What the search has found, in sentences."""
    best, baseline = best_of(search.trials), search.baseline
    floor = search.about["retain_floor"]
    if best is None:
        yield (
            f"No trial left {percent(floor)} % of the retain accuracy with every original. Search weaker steps, or allow more "
            "loss by `retain_floor`."
        )
    else:
        count, first = len(search.trials), search.trials[0]
        beside = (
            f"Without the search it is {points(first.distance)}, and"
            if best.number
            else "It is the strategy as it is;"
        )
        yield (
            f"Trial {best.number} of {count} is closest: {points(best.distance)} points from {baseline.against}. "
            f"{beside} the originals are at {points(baseline.distance)}."
        )
        if baseline.floor is not None and best.distance is not None and best.distance <= baseline.floor:
            yield (
                f"That is within the floor of {points(baseline.floor)} points, by which retrained models differ among "
                "themselves: smaller differences say nothing."
            )
        elif baseline.floor is not None:
            yield f"Retrained models differ by {points(baseline.floor)} points among themselves."
    failed = sum(trial.distance is None for trial in search.trials)
    if failed:
        last = [reason(trial) for trial in search.trials if trial.distance is None][-1]
        yield f"{failed} of {len(search.trials)} trials failed; the last said: {last}"
    if not search.defaults_inside:
        yield "The strategy as it is, trial 0, lies outside the search space: the search has not learned from it."
    yield (
        "The best of several is chosen by the same numbers that are shown: they flatter it. Measure it on another request, with "
        "other seeds."
    )
