"""What is tried next."""

import math
import random
import sys

import pytest

from lightning_unlearn import ConfigurationError
from lightning_unlearn.tune._parameters import Choice, Number
from lightning_unlearn.tune._propose import check_installed, propose
from lightning_unlearn.tune._trial import WORST, Trial

PARAMETERS = [
    Number("alpha", 0.001, 1.0, log=True),
    Number("steps", 1, 9, step=2, integer=True),
    Choice("objective", [None, {"class_path": "a"}, {"class_path": "b"}]),
]


def trial(number, values, distance, violation=0.0):
    return Trial(number, values, distance, violation, {}, (), None, None)


def searched(count, distance, seed, violation=lambda values: 0.0):
    trials = []
    while len(trials) < count:
        values = propose(PARAMETERS, trials, seed, len(trials))
        trials.append(trial(len(trials), values, distance(values), violation(values)))
    return trials


def far(values):
    """Least at alpha = 0.03, 7 steps and the last objective."""
    off = abs(math.log10(values["alpha"] / 0.03)) + abs(values["steps"] - 7) / 4
    return min(WORST, 10 * off + (0 if values["objective"] == {"class_path": "b"} else 10))


def test_values_are_in_the_space_and_short():
    for number in range(30):
        values = propose(PARAMETERS, [], 3, number)
        assert list(values) == ["alpha", "steps", "objective"]
        assert 0.001 <= values["alpha"] <= 1.0
        assert float(f"{values['alpha']:.3g}") == values["alpha"]
        assert values["steps"] in (1, 3, 5, 7, 9)
        assert values["objective"] in PARAMETERS[2].values


def test_it_is_a_function_of_its_arguments():
    random.seed(1)
    first = searched(14, far, seed=0)
    random.seed(2)
    assert searched(14, far, seed=0) == first
    assert [t.values for t in searched(14, far, seed=1)] != [t.values for t in first]
    assert len({t.values["alpha"] for t in first}) == 14


def test_it_learns():
    """Against as many random trials, in most of several searches."""
    wins = 0
    for seed in range(5):
        blind = [far(propose(PARAMETERS, [], seed, number)) for number in range(40)]
        wins += min(t.distance for t in searched(40, far, seed)) < min(blind)
    assert wins >= 4


def test_it_avoids_what_breaks_the_constraint():
    """The distance alone would lead it to large weights, where the retain accuracy is lost."""

    def tempting(values):
        return 10 * abs(math.log10(values["alpha"]))

    def lost(values):
        return max(0.0, 20 * (values["alpha"] - 0.1))

    free = searched(40, tempting, seed=0)[20:]
    held = searched(40, tempting, seed=0, violation=lost)[20:]
    share = [sum(t.values["alpha"] > 0.1 for t in trials) / 20 for trials in (free, held)]
    assert share[0] > 0.7
    assert share[1] <= share[0] - 0.2


def test_a_failure_counts_as_the_largest_distance():
    failed = trial(0, propose(PARAMETERS, [], 0, 0), None, WORST)
    worst = trial(0, failed.values, WORST, WORST)
    others = [trial(n, propose(PARAMETERS, [], 0, n), 50.0 - n) for n in range(1, 13)]
    assert propose(PARAMETERS, [failed, *others], 0, 13) == propose(PARAMETERS, [worst, *others], 0, 13)


def test_what_is_being_tried_is_not_tried_again():
    trials = searched(15, far, seed=0)
    next_one = propose(PARAMETERS, trials, 0, 15)
    beside = propose(PARAMETERS, trials, 0, 15, waiting=[next_one] * 8)
    assert beside != next_one


def test_a_default_outside_the_values_as_they_were_given_is_understood():
    complete = {"class_path": "a", "init_args": {"x": 1}}
    parameters = [Choice("objective", [{"class_path": "a"}], [complete])]
    known = trial(0, {"objective": complete}, 1.0)
    assert propose(parameters, [known], 0, 1) == {"objective": {"class_path": "a"}}


def test_settings_of_optuna_are_left_alone(capfd):
    import optuna

    before = optuna.logging.get_verbosity()
    propose(PARAMETERS, [], 0, 0)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_without_optuna(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        ConfigurationError, match=r"needs the extra `tune`, found Optuna not installed. Run `pip install"
    ):
        check_installed()
    monkeypatch.undo()
    check_installed()
