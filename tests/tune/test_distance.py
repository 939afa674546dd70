"""Cells as trials: distances, floors and violations, against plain arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_unlearn.metrics.functional import average_gap
from lightning_unlearn.tune._distance import (
    MEASURES,
    FromRetraining,
    baseline_of,
    floor_of,
    means,
    numbers_of,
    trial_of,
)
from lightning_unlearn.tune._trial import WORST, Trial, best_of, ordered

share = st.floats(0, 1)
numbers = st.fixed_dictionaries(dict.fromkeys(MEASURES, share))


def cell(original, *evaluations, seconds=2.0, error=None):
    named = [dict(zip(MEASURES, one, strict=True), seed=n) for n, one in enumerate(evaluations)]
    return {"seeds": {"original": original}, "evaluations": named, "seconds": seconds, "error": error}


@given(numbers, numbers)
def test_the_distance_is_the_average_gap(found, retrained):
    expected = average_gap(found, retrained)
    assert FromRetraining(retrained)(found, {}) == pytest.approx(100 * float(expected), abs=1e-4)
    assert 0 <= FromRetraining(retrained)(found, {}) <= 100


def test_the_floor_is_that_of_each_against_the_others():
    references = [dict.fromkeys(MEASURES, value) for value in (0.1, 0.2, 0.6)]
    assert floor_of(references) == pytest.approx(100 * (0.3 + 0.15 + 0.45) / 3)
    assert floor_of(references[:1]) is None
    assert floor_of([]) is None


def test_a_trial_by_hand():
    retrained = dict.fromkeys(MEASURES, 0.5)
    originals = {7: dict.fromkeys(MEASURES, 0.8), 9: dict.fromkeys(MEASURES, 1.0)}
    cells = [
        cell(7, (0.5, 0.7, 0.5, 0.5), (0.5, 0.7, 0.5, 0.7), seconds=1.0),  # mean: 0.5, 0.7, 0.5, 0.6
        cell(7, (0.5, 0.5, 0.5, 0.5), seconds=3.0),
        cell(9, (0.1, 0.9, 0.5, 0.5)),
        cell(9, (0.5, 0.5, 0.5, 0.9)),
    ]
    found = trial_of(4, {"alpha": 1.0}, cells, originals, FromRetraining(retrained), 0.9)
    assert found.by_original == pytest.approx([(7.5 + 0) / 2, (20 + 10) / 2])
    assert found.distance == pytest.approx((3.75 + 15) / 2)
    assert found.violation == pytest.approx(100 * (0.9 * 1.0 - 0.5))  # the last cell is the worst
    assert not found.is_feasible
    assert found.seconds == 2.0
    assert found.numbers == pytest.approx(dict(zip(MEASURES, (0.4, 0.65, 0.5, 0.625), strict=True)))
    kept = trial_of(4, {}, cells, originals, FromRetraining(retrained), 0.5)
    assert (kept.violation, kept.is_feasible) == (0.0, True)


def test_one_cell_that_failed_is_a_trial_that_failed():
    cells = [cell(1, (0.5,) * 4), cell(2, error="Traceback\nValueError: no")]
    found = trial_of(1, {}, cells, {1: {}, 2: {}}, FromRetraining({}), 0.9)
    assert (found.distance, found.violation, found.counts_as) == (None, WORST, WORST)
    assert found.error == "Traceback\nValueError: no"
    assert not found.is_feasible


def test_the_baseline():
    originals = {n: dict.fromkeys(MEASURES, value) for n, value in ((1, 0.5), (2, 0.9))}
    references = [dict.fromkeys(MEASURES, value) for value in (0.2, 0.4)]
    found = baseline_of(MEASURES, originals, references, FromRetraining(means(references)))
    assert found.against == "retraining"
    assert found.original == pytest.approx(dict.fromkeys(MEASURES, 0.7))
    assert found.distance == pytest.approx((20 + 60) / 2)
    assert found.retrained == pytest.approx(dict.fromkeys(MEASURES, 0.3))
    assert found.floor == pytest.approx(20)
    alone = baseline_of(MEASURES, originals, [], FromRetraining(references[0]))
    assert (alone.against, alone.retrained, alone.floor) == ("held-out data", None, None)


def test_means_over_evaluations():
    assert numbers_of(cell(1, (0, 0, 0, 0), (1, 0.5, 0, 0)), MEASURES[:2]) == {
        "forget_accuracy": 0.5,
        "retain_accuracy": 0.25,
    }


def test_the_best_and_the_order():
    def trial(number, distance, violation=0.0):
        return Trial(number, {}, distance, violation, {}, (), None, None)

    trials = [
        trial(0, 5.0),
        trial(1, None, WORST),
        trial(2, 1.0, 3.0),
        trial(3, 2.0),
        trial(4, 2.0),
        trial(5, 0.5, 9.0),
    ]
    assert best_of(trials).number == 3
    assert [t.number for t in ordered(trials)] == [3, 4, 0, 2, 5, 1]
    assert best_of([t for t in trials if not t.is_feasible]) is None
    assert best_of([]) is None
