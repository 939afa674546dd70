"""The tests of an audit, against scipy and enumeration, and their level."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, rankdata, ttest_ind

from lightning_unlearn.audit._statistics import holm, membership_test, outlier_test

numbers = st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 3))


@given(value=numbers, references=st.lists(numbers, min_size=2, max_size=8, unique=True))
@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_an_outlier_is_a_sample_of_one(alternative, value, references):
    statistic, p_value = outlier_test(value, references, alternative)
    expected = ttest_ind([value], references, alternative=alternative)
    assert statistic == pytest.approx(expected.statistic, rel=1e-6, abs=1e-9)
    assert p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("value", "expected"), [(0.3, (0.0, 1.0)), (0.4, (np.inf, 0.0)), (0.2, (-np.inf, 0.0))]
)
def test_equal_references_leave_room_for_nothing_else(value, expected):
    assert outlier_test(value, [0.1 + 0.2] * 3, "two-sided") == expected


def test_a_resolution_makes_room():
    assert outlier_test(0.4, [0.4005] * 3, "two-sided", resolution=1e-3)[1] > 0.5
    assert outlier_test(0.4, [0.4005] * 3, "two-sided")[1] == 0.0


def test_p_values_of_one_more_reference_are_uniform():
    draws = np.random.default_rng(0).normal(3, 2, (2000, 4))
    found = [outlier_test(row[0], list(row[1:]), "two-sided")[1] for row in draws]
    assert kstest(found, "uniform").pvalue > 0.01


def test_a_normal_instead_of_students_distribution_would_not_be():
    draws = np.random.default_rng(0).normal(3, 2, (2000, 4))
    from scipy.stats import norm

    found = [2 * norm.sf(abs(outlier_test(row[0], list(row[1:]), "two-sided")[0])) for row in draws]
    assert kstest(found, "uniform").pvalue < 1e-6


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 8)), min_size=1, max_size=7), st.booleans())
def test_holm_is_closed_testing_by_bonferroni(tests, weighted):
    p_values = [p_value for p_value, _ in tests]
    weights = [weight if weighted else 1 for _, weight in tests]
    everyone = range(len(tests))
    adjusted = []
    for one in everyone:
        sets = [s for size in everyone for s in itertools.combinations(set(everyone) - {one}, size)]
        adjusted.append(
            max(
                min(
                    1.0, min(sum(weights[j] for j in (*s, one)) / weights[i] * p_values[i] for i in (*s, one))
                )
                for s in sets
            )
        )
    assert holm(p_values, weights if weighted else None) == pytest.approx(adjusted)


def enumerated(forget, unseen):
    """The exact p-value of the largest standardised rank sum."""
    ranks = rankdata(np.concatenate([forget, unseen]), axis=0)
    ranks = ranks - ranks.mean(0)
    divisions = list(itertools.combinations(range(len(ranks)), len(forget)))
    sums = np.array([ranks[list(chosen)].sum(0) for chosen in divisions])
    spread = sums.std(0)
    largest = (
        np.abs(sums[:, spread > 0] / spread[spread > 0]).max(1) if (spread > 0).any() else np.zeros(len(sums))
    )
    return float((largest >= largest[0] - 1e-9).mean())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), columns=st.integers(1, 3), ties=st.booleans())
@example(seed=33812, columns=1, ties=False)  # a rank sum of zero, and of zero but for rounding
def test_the_permutation_test_draws_from_all_divisions(seed, columns, ties):
    scores = np.random.default_rng(seed).normal(size=(9, columns))
    scores = scores.round() if ties else scores
    exact = enumerated(scores[:4], scores[4:])
    _, p_value = membership_test({"a": scores[:4]}, {"a": scores[4:]}, permutations=1999)["a"]
    assert p_value == pytest.approx(exact, abs=1e-3 + 5 * np.sqrt(exact * (1 - exact) / 1999))


def test_families_share_one_level():
    """Dependent families, rejected together no more often than the level; each by itself would be."""
    generator = np.random.default_rng(0)
    together = apart = 0
    for number in range(300):
        scores = {f"{family}": generator.normal(size=(40, 2)) for family in range(4)}
        halves = [{name: of[part] for name, of in scores.items()} for part in (slice(20), slice(20, None))]
        found = membership_test(*halves, permutations=199, seed=number)
        together += min(p for _, p in found.values()) <= 0.05
        single = [
            membership_test({n: halves[0][n]}, {n: halves[1][n]}, permutations=199, seed=number)
            for n in scores
        ]
        apart += min(p for one in single for _, p in one.values()) <= 0.05
    assert 4 <= together <= 28  # 300 audits at 5 %: 15, four standard deviations
    assert apart > 35


def test_the_sign_is_that_of_the_strongest_score():
    forget, unseen = np.array([[1.0, 5], [2, 6], [3, 7]]), np.array([[4.0, 1], [5, 2], [2.5, 3]])
    assert membership_test({"a": forget}, {"a": unseen})["a"][0] > 0
    assert membership_test({"a": -forget}, {"a": -unseen})["a"][0] < 0


def test_equal_scores_say_nothing():
    assert membership_test({"a": np.ones((5, 2))}, {"a": np.ones((4, 2))})["a"] == (0.0, 1.0)
