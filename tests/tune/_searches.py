"""Searches that nobody has run."""

from dataclasses import replace

from lightning_unlearn.tune._search import Baseline, Search
from lightning_unlearn.tune._trial import WORST, Trial

NAMES = ("forget_accuracy", "retain_accuracy", "test_accuracy", "membership")
BOUNDED = {"class_path": "lightning_unlearn.Bounded", "init_args": {"offset": 0.01}}
ABOUT = {
    "request": {
        "name": "the digit <b>7</b>",
        "forget": {"forget_class": 7},
        "settings": {"max_steps": 60, "model": {"lr": 0.01}, "monitor": {"every_n_steps": 6}},
    },
    "entry": {
        "strategy": {"class_path": "lightning_unlearn.GradientSurgery", "init_args": {"when": "always"}}
    },
    "space": [
        {"name": "alpha", "low": 0.001, "high": 1.0, "log": True, "step": None, "integer": False},
        {"name": "max_steps", "low": 10, "high": 60, "log": False, "step": 10, "integer": True},
        {"name": "objective", "values": [None, BOUNDED], "complete": [None, BOUNDED]},
        {"name": "model.lr", "low": 0.001, "high": 0.1, "log": True, "step": None, "integer": False},
    ],
    "retain_floor": 0.98,
    "search_seed": 0,
    "seeds": {"original": [1, 2, 3], "unlearning": [1], "evaluation": [1], "reference": [101, 102]},
    "predict": None,
    "digests": {"retain": "0" * 64},
    "versions": {"torch": "2"},
}


def trial(number, alpha, distance, violation=0.0, error=None):
    values = {
        "alpha": alpha,
        "max_steps": 10 * (number % 6 + 1),
        "objective": BOUNDED if number % 2 else None,
    }
    values["model.lr"] = 0.01 / (number + 1)
    numbers = {} if distance is None else dict(zip(NAMES, (0.01 * number, 0.99, 0.98, 0.5), strict=True))
    each = [] if distance is None else [distance - 0.5, distance, distance + 0.5]
    seconds = None if distance is None else 1.25
    return Trial(number, values, distance, violation, numbers, each, seconds, error)


BASELINE = Baseline(
    "retraining",
    NAMES,
    dict(zip(NAMES, (1.0, 1.0, 0.99, 0.16), strict=True)),
    46.05,
    dict(zip(NAMES, (0.0, 1.0, 0.99, 1.0), strict=True)),
    0.06,
)
SEARCH = Search(
    ABOUT,
    BASELINE,
    True,
    [
        trial(0, 1.0, 33.87, 21.2),
        trial(1, 0.3, 12.0),
        trial(2, 0.5, None, WORST, "Traceback\n  File 'x'\nValueError: <script>alert(1)</script>"),
        trial(3, 0.03, 0.75),
        trial(4, 0.01, 3.5),
        trial(5, 0.02, 1.5),
        trial(6, 0.1, 8.0),
    ],
)
NOTHING = replace(SEARCH, trials=[SEARCH.trials[0], SEARCH.trials[2]], defaults_inside=False)
HELD_OUT = replace(
    SEARCH,
    baseline=Baseline(
        "held-out data",
        ("forget_accuracy", "forget_target", "separation", "retain_accuracy", "test_accuracy"),
        dict.fromkeys(
            ("forget_accuracy", "forget_target", "separation", "retain_accuracy", "test_accuracy"), 0.5
        ),
        20.0,
        None,
        None,
    ),
    trials=[
        replace(
            t,
            numbers=dict.fromkeys(
                ("forget_accuracy", "forget_target", "separation", "retain_accuracy", "test_accuracy"), 0.25
            ),
        )
        for t in SEARCH.trials
    ],
)
