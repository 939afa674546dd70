"""Shares, means and their intervals: coverage, exact tests."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import beta, binom, ks_1samp, uniform
from torch import nn

from lightning_unlearn.metrics import SideELBO, SideReconstructionError
from lightning_unlearn.metrics.functional import (
    class_fraction,
    frechet_distance,
    generator_recall,
    jackknife_interval,
    kernel_distance,
    mean_interval,
    prior_test,
    proportion_interval,
)
from lightning_unlearn.metrics.functional._kernel_jackknife import kernel_distance_and_interval


@pytest.mark.parametrize(("hits", "trials"), [(0, 1), (1, 1), (0, 50), (3, 50), (50, 50), (499, 1000)])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_the_interval_of_a_share_is_made_of_quantiles_of_the_beta_distribution(hits, trials, level):
    tail = (1 - level) / 2
    low = beta.ppf(tail, hits, trials - hits + 1) if hits else 0
    high = beta.ppf(1 - tail, hits + 1, trials - hits) if hits < trials else 1
    found = proportion_interval(hits, trials, level=level)
    assert [bound.item() for bound in found] == pytest.approx([low, high], rel=1e-6)


@pytest.mark.parametrize("share", [0.001, 0.02, 0.1, 0.5])
def test_the_interval_holds_the_true_share_at_least_as_often_as_it_says(share):
    """Summed over all outcomes, not simulated."""
    trials = 200
    bounds = [proportion_interval(hits, trials, level=0.9) for hits in range(trials + 1)]
    held = [bool(low <= share <= high) for low, high in bounds]
    assert binom.pmf(np.arange(trials + 1), trials, share)[held].sum() >= 0.9


@pytest.mark.parametrize(
    ("hits", "trials", "prior"), [(0, 100, 0.1), (5, 100, 0.1), (30, 100, 0.1), (2, 3, 0.9)]
)
def test_the_test_against_the_prior_is_a_sum_of_binomial_probabilities(hits, trials, prior):
    terms = (math.comb(trials, k) * prior**k * (1 - prior) ** (trials - k) for k in range(hits + 1))
    ratio, p_value = prior_test(hits, trials, prior)
    assert p_value.item() == pytest.approx(math.fsum(terms))
    assert ratio.item() == pytest.approx(hits / trials / prior)


def test_the_p_value_is_small_as_seldom_as_it_says_where_nothing_was_forgotten():
    trials, prior = 300, 0.1
    p_values = [prior_test(hits, trials, prior)[1].item() for hits in range(trials + 1)]
    weights = binom.pmf(np.arange(trials + 1), trials, prior)
    for level in (0.001, 0.01, 0.05, 0.5):
        assert weights[np.array(p_values) <= level].sum() <= level + 1e-12
    assert prior_test(0, trials, prior)[1] < 1e-13


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (prior_test, (1, 10, 0.0), "`prior` must be between 0 and 1, found 0.0"),
        (prior_test, (1, 10, 10.0), "`prior` must be between 0 and 1, found 10.0"),
        (prior_test, (11, 10, 0.1), r"`hits` must be at most `trials` \(10\), found 11"),
        (proportion_interval, (0, 0), "`trials` must be an integer of at least 1, found 0"),
        (proportion_interval, (-1, 5), "`hits` must be an integer of at least 0, found -1"),
        (proportion_interval, (0.5, 5), "`hits` must be an integer of at least 0, found 0.5"),
        (class_fraction, (torch.zeros(3, 2), 2), "`forget_class` must be between 0 and 1, found 2"),
        (class_fraction, (torch.zeros(0, 2), 1), "must hold at least 1 samples, found 0"),
        (mean_interval, (torch.zeros(1),), "must hold at least 2 samples, found 1"),
        (jackknife_interval, (torch.mean,), "`groups` must hold at least one group, found none"),
        (jackknife_interval, (torch.mean, torch.zeros(9, 1)), "must hold at least 20 samples, found 9"),
    ],
)
def test_what_does_not_fit_is_refused(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


@pytest.mark.parametrize("level", [0, 1, 95, True, "0.95"])
def test_a_level_that_is_none_is_refused(level):
    samples = torch.rand(40, 1)
    for call in (
        lambda: proportion_interval(1, 2, level=level),
        lambda: mean_interval(samples[:, 0], level=level),
        lambda: jackknife_interval(torch.mean, samples, level=level),
    ):
        with pytest.raises(ValueError, match="`level` must be a number between 0 and 1, found"):
            call()


def test_of_equal_logits_the_first_counts():
    assert class_fraction(torch.zeros(4, 3), 0) == 1
    assert class_fraction(torch.zeros(4, 3), 1) == 0


def test_the_interval_of_a_mean_holds_it_as_often_as_it_says():
    stream = np.random.default_rng(0)
    held = [
        low <= 3 <= high
        for low, high in (
            mean_interval(torch.from_numpy(stream.normal(3, 2, 7)), level=0.8) for _ in range(2000)
        )
    ]
    assert abs(np.mean(held) - 0.8) < 3.5 * math.sqrt(0.8 * 0.2 / 2000)


@pytest.mark.parametrize("statistic", [frechet_distance, kernel_distance])
def test_the_jackknife_holds_the_mean_of_what_so_many_samples_give_about_as_often_as_it_says(statistic):
    """The interval is approximate; a bootstrap of the same fails: see the next test."""
    draws = pairs(150)
    centre = torch.stack([statistic(*pair) for pair in draws]).double().mean()
    bounds = [jackknife_interval(statistic, *pair, level=0.9) for pair in draws]
    held = np.mean([bool(low <= centre <= high) for low, high in bounds])
    assert abs(held - 0.9) < 3.5 * math.sqrt(0.9 * 0.1 / 150)


@pytest.mark.parametrize("count", [120, 43])
def test_the_jackknife_of_the_kernel_distance_in_one_pass_is_the_plain_one(count):
    x, y = pairs(1)[0]
    plain = jackknife_interval(partial(kernel_distance, reference_features=y), x[:count], level=0.9, seed=3)
    found = kernel_distance_and_interval(x[:count], y, level=0.9, seed=3)
    expected = [kernel_distance(x[:count], y).item(), *(bound.item() for bound in plain)]
    assert [number.item() for number in found] == pytest.approx(expected, rel=1e-5)


def pairs(count):
    stream = np.random.default_rng(1)
    return [
        (torch.from_numpy(stream.normal(0.4, 1, (120, 3))), torch.from_numpy(stream.normal(0, 1, (100, 3))))
        for _ in range(count)
    ]


def test_control_a_bootstrap_sees_the_samples_that_it_draws_twice():
    """Recall of bootstrapped sets is that of other sets: neighbours at no distance."""
    stream = torch.Generator().manual_seed(0)
    x, y = pairs(1)[0]
    drawn = [x[torch.randint(len(x), (len(x),), generator=stream)] for _ in range(20)]
    assert max(generator_recall(part, y) for part in drawn) < generator_recall(x, y)


def test_the_jackknife_of_a_mean_is_student_s_interval_where_each_block_is_one_sample():
    samples = torch.rand(20, 1, dtype=torch.float64).repeat_interleave(2, 0)
    low, high = jackknife_interval(torch.mean, torch.rand(40, 1), blocks=20)
    assert low < high
    by_seed = [jackknife_interval(torch.mean, samples, seed=seed) for seed in (0, 0, 1)]
    assert by_seed[0] == by_seed[1] != by_seed[2]


def test_p_values_of_forgotten_fractions_are_not_called_uniform():
    """Counts are discrete: the exact test is conservative, which the Kolmogorov–Smirnov test sees."""
    stream = np.random.default_rng(0)
    p_values = [prior_test(int(k), 30, 0.1)[1].item() for k in stream.binomial(30, 0.1, 400)]
    assert ks_1samp(p_values, uniform.cdf, alternative="greater").pvalue > 0.01


def test_the_function_of_a_side_s_values_is_given_the_batch_and_no_gradient():
    decoder = nn.Linear(3, 3)

    def error(images, scale):
        assert not torch.is_grad_enabled()
        return scale * (decoder(images) - images).square().sum(1)

    metric = SideReconstructionError(error)
    images = torch.rand(10, 3)
    for part in images.split(4):
        metric.update(part, 2)
    assert metric.compute().item() == pytest.approx(
        2 * (decoder(images) - images).square().sum(1).mean().item()
    )
    assert list(metric.parameters()) == []
    with pytest.raises(ValueError, match=r"`values` must have the shape \(N,\), found \(\)"):
        SideELBO(lambda images: images.mean()).update(images)
