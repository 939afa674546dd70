import math
import re

import numpy as np
import pytest
import torch
from scipy import stats

from lightning_unlearn.metrics.functional import bootstrap_interval, membership_auc


def normal(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def independent(statistic, *groups, level=0.95, resamples=2000):
    """Draws and quantiles by hand, with another stream."""
    generator = np.random.default_rng(123)
    draws = [statistic(*(generator.choice(g.numpy(), len(g)) for g in groups)) for _ in range(resamples)]
    return np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])


def auc(members, others):
    return stats.mannwhitneyu(members, others).statistic / len(members) / len(others)


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_it_is_what_draws_by_hand_give(level):
    members, others = normal(0, 60) + 0.5, normal(1, 90)
    for ours, theirs, groups in (
        (membership_auc, auc, (members, others)),
        (torch.mean, np.mean, (members,)),
    ):
        found = bootstrap_interval(ours, *groups, level=level, resamples=2000)
        width = float(found[1] - found[0])
        assert [float(x) for x in found] == pytest.approx(
            independent(theirs, *groups, level=level), abs=width / 10
        )


def test_the_mean_has_the_interval_of_the_normal_distribution():
    values = normal(0, 400)
    low, high = bootstrap_interval(torch.mean, values, resamples=2000)
    half = 1.96 * values.std(correction=0) / 20
    assert [float(low), float(high)] == pytest.approx(
        [float(values.mean() - half), float(values.mean() + half)], abs=0.01
    )


def test_rows_stay_together():
    x = normal(0, 50)
    low, high = bootstrap_interval(
        lambda pairs: (pairs[:, 0] - pairs[:, 1]).mean(), torch.stack([x, x - 1], 1)
    )
    assert low == pytest.approx(1)
    assert high == pytest.approx(1)


def test_groups_are_drawn_independently():
    x = normal(0, 50)
    low, high = bootstrap_interval(lambda a, b: a.mean() - b.mean(), x, x)
    assert low < -0.1 < 0.1 < high


def test_order_and_streams_are_left_alone_and_the_seed_counts():
    members, others = normal(0, 30), normal(1, 40).requires_grad_()
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    found = bootstrap_interval(membership_auc, members, others)
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()
    assert bootstrap_interval(membership_auc, members.flip(0), others.roll(7)) == found
    assert bootstrap_interval(membership_auc, members, others, seed=1) != found
    assert all(x.ndim == 0 and x.dtype == torch.float32 and not x.requires_grad for x in found)


def test_a_higher_level_is_wider():
    values = normal(0, 50)
    bounds = [bootstrap_interval(torch.mean, values, level=level) for level in (0.5, 0.9, 0.99)]
    assert bounds[2][0] < bounds[1][0] < bounds[0][0] < bounds[0][1] < bounds[1][1] < bounds[2][1]


def test_samples_that_are_all_equal_have_an_interval_of_no_width():
    assert bootstrap_interval(torch.mean, torch.ones(2)) == (1, 1)
    assert bootstrap_interval(membership_auc, torch.ones(5), torch.zeros(2)) == (1, 1)


GOOD = torch.linspace(0, 1, 10)


@pytest.mark.parametrize(
    ("groups", "options", "message"),
    [
        ((), {}, "`groups` must hold at least one group, found none"),
        ((GOOD[:1],), {}, "`groups` must hold at least 2 samples, found 1"),
        ((GOOD, GOOD[:0]), {}, "`groups` must hold at least 2 samples, found 0"),
        ((GOOD.log(),), {}, "`groups` must be finite, found 1 of 10"),
        ((GOOD[0],), {}, "`groups` must have the shape (N,), found ()"),
        ((torch.zeros(2, 2, 2),), {}, "`groups` must have the shape (N,), found (2, 2, 2)"),
        *(
            ((GOOD,), {"level": x}, "`level` must be a number between 0 and 1")
            for x in (0, 1, 95, True, "a", math.nan)
        ),
        *(
            ((GOOD,), {"resamples": x}, "`resamples` must be an integer of at least 40")
            for x in (0, 39, 50.0, True)
        ),
        ((GOOD,), {"level": 0.99, "resamples": 199}, "`resamples` must be an integer of at least 200"),
    ],
)
def test_what_does_not_fit(groups, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        bootstrap_interval(torch.mean, *groups, **options)


def test_a_number_of_draws_that_just_suffices():
    bootstrap_interval(torch.mean, GOOD, resamples=40)
    bootstrap_interval(torch.mean, GOOD, level=0.9, resamples=20)


@pytest.mark.parametrize("statistic", [lambda x: x, lambda x: x.mean() / 0, lambda x: (x - x).mean() / 0])
def test_a_statistic_that_is_not_one_finite_number(statistic):
    with pytest.raises(ValueError, match="`statistic` must return one finite number for every draw, found"):
        bootstrap_interval(statistic, GOOD)


@pytest.mark.slow
def test_intervals_of_an_auc_hold_the_true_value_as_often_as_they_say():
    """Of 300 intervals of 95 %, as many hold it as a binomial count of that rate gives in 999 of 1000 cases."""
    generator, held = np.random.default_rng(0), 0
    for i in range(300):
        members, others = (torch.from_numpy(generator.normal(shift, 1, 100)) for shift in (1, 0))
        low, high = bootstrap_interval(membership_auc, members, others, resamples=200, seed=i)
        held += bool(low <= stats.norm.cdf(1 / math.sqrt(2)) <= high)
    assert stats.binomtest(held, 300, 0.95).pvalue > 0.001, held


@pytest.mark.slow
def test_intervals_of_a_mean_hold_the_true_value_as_often_as_exact_ones_do():
    """Exact are those of Student; where only one of the two holds it, either is as likely, in 999 of 1000 cases."""
    generator, only_ours, only_exact = np.random.default_rng(0), 0, 0
    for i in range(300):
        values = generator.normal(0, 1, 100)
        low, high = bootstrap_interval(torch.mean, torch.from_numpy(values), resamples=200, seed=i)
        ours, exact = bool(low <= 0 <= high), stats.ttest_1samp(values, 0).pvalue >= 0.05
        only_ours, only_exact = only_ours + (ours and not exact), only_exact + (exact and not ours)
    assert stats.binomtest(only_ours, max(1, only_ours + only_exact)).pvalue > 0.001, (only_ours, only_exact)
