"""Intervals over samples and over seeds, against the metrics, scikit-learn and scipy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from lightning_unlearn.audit import _intervals as intervals
from lightning_unlearn.metrics import functional as F


def scores(seed, members=70, others=90, ties=False):
    generator = np.random.default_rng(seed)
    found = generator.normal(0.7, 1, members), generator.normal(0, 1, others)
    return tuple(part.round(1) if ties else part for part in found)


@pytest.mark.parametrize("ties", [False, True])
def test_rates_are_those_of_the_metrics(ties):
    members, others = scores(0, ties=ties)
    curve = intervals.RocDraws(members, others, 0.95, 0)
    pair = torch.from_numpy(members), torch.from_numpy(others)
    expected = roc_auc_score(np.r_[np.ones(len(members)), np.zeros(len(others))], np.r_[members, others])
    assert curve.auc().value == pytest.approx(expected, abs=1e-12)
    assert curve.advantage().value == pytest.approx(float(F.membership_advantage(*pair)), abs=1e-6)
    for rate in (0.0, 0.01, 0.1, 1.0):
        assert curve.tpr_at(rate).value == pytest.approx(float(F.membership_tpr(*pair, fpr=rate)), abs=1e-6)


def test_the_interval_is_that_of_drawing_samples():
    members, others = scores(1)
    found = intervals.RocDraws(members, others, 0.95, 0).auc()
    low, high = F.bootstrap_interval(F.membership_auc, torch.from_numpy(members), torch.from_numpy(others))
    assert (found.low, found.high) == pytest.approx((float(low), float(high)), abs=0.02)


def test_one_sample_and_all_equal():
    assert intervals.RocDraws(np.array([1.0]), np.array([0.0]), 0.95, 0).auc().value == 1.0
    assert intervals.RocDraws(np.ones(5), np.ones(4), 0.95, 0).auc() == intervals.Estimate(0.5, 0.5, 0.5)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_a_share_has_wilsons_interval(counts):
    samples, right = counts
    found = intervals.share(np.r_[np.ones(right), np.zeros(samples - right)], 0.9)
    z, share = norm.ppf(0.95), right / samples
    middle = (share + z * z / (2 * samples)) / (1 + z * z / samples)
    half = z / (1 + z * z / samples) * np.sqrt(share * (1 - share) / samples + z * z / (4 * samples**2))
    assert (found.low, found.high) == pytest.approx((max(0, middle - half), min(1, middle + half)), abs=1e-12)


def test_one_more_reference_lies_in_the_interval_over_seeds():
    draws = np.random.default_rng(0).normal(size=(2000, 5))
    found = [intervals.over_seeds(list(row[1:]), 0.9) for row in draws]
    held = np.mean([seeds.low <= row[0] <= seeds.high for row, seeds in zip(draws, found, strict=True)])
    assert held == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / 2000))


def test_the_gap_over_seeds_is_that_of_all_pairs():
    assert intervals.over_seeds([1.0, 2.0, 4.0], 0.9).gap == pytest.approx((1 + 3 + 2) / 3)
    assert intervals.over_seeds([1.0], 0.9).gap is None
    assert intervals.over_seeds([], 0.9) is None
