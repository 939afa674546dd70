import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from lightning_unlearn.metrics import ULiRAAccuracy
from lightning_unlearn.metrics.functional import ulira_accuracy, ulira_scores


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def test_equal_variances_give_a_logistic_curve():
    """Means ±1 and variance 2: the log ratio is `2 · gap · 1 / 2`."""
    gaps = torch.linspace(-50, 50, 101, dtype=torch.float64)[:, None]
    scores = ulira_scores(gaps, column(0, 2), column(-2, 0))
    assert scores.shape == (101, 1)
    assert scores[:, 0].numpy() == pytest.approx(special.expit(gaps[:, 0].numpy()), abs=1e-12)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_ratios_of_normal_densities(shared, seed):
    victims, unlearned, never = normal(seed, 4, 5), normal(seed + 9, 7, 5) * 2 + 1, normal(seed + 99, 6, 5)
    densities = []
    for models in (unlearned.numpy(), never.numpy()):
        variance = models.var(axis=0, ddof=1)
        scale = np.sqrt(variance.mean() if shared else variance)
        densities.append(stats.norm.pdf(victims.numpy(), models.mean(0), scale))
    expected = densities[0] / sum(densities)
    scores = ulira_scores(victims, unlearned, never, shared_variance=shared)
    assert scores.numpy() == pytest.approx(expected)
    assert torch.equal(ulira_scores(victims[1], unlearned, never, shared_variance=shared), scores[1])


def test_a_victim_far_from_both_is_no_zero_by_zero():
    densities = [stats.norm.pdf(1000.0, mean, 2**0.5) for mean in (1, -1)]
    assert densities == [0, 0]  # what the published code divides
    assert ulira_scores(torch.tensor([1000.0]), column(0, 2), column(-2, 0)) == 1
    assert ulira_scores(torch.tensor([-1000.0]), column(0, 2), column(-2, 0)) == 0


@pytest.mark.parametrize(("victim", "expected"), [(0.1, 1.0), (0.1 + 1e-9, 0.0), (5.0, 0.0), (-5.0, 0.0)])
def test_one_set_without_spread(victim, expected):
    point, spread = column(0.1, 0.1, 0.1), column(-1, 0, 2)
    gap = torch.tensor([victim], dtype=torch.float64)
    assert ulira_scores(gap, point, spread) == expected
    assert ulira_scores(gap, spread, point) == 1 - expected


@pytest.mark.parametrize(
    ("victim", "expected"), [(1.0, 1.0), (0.6, 1.0), (0.5, 0.5), (0.4, 0.0), (-7.0, 0.0)]
)
def test_neither_set_has_spread(victim, expected):
    for shared in (False, True):
        gap = torch.tensor([victim], dtype=torch.float64)
        assert ulira_scores(gap, column(1, 1), column(0, 0), shared_variance=shared) == expected
        assert ulira_scores(gap, column(0, 0), column(0, 0), shared_variance=shared) == 0.5


def test_right_or_wrong_instead_of_gaps_has_no_spread():
    """The 0/1 outputs that deepunlearn compares: all models right on a sample leave nothing to tell."""
    right = torch.ones(5, 3)
    assert (ulira_scores(torch.ones(3), right, right) == 0.5).all()


def test_a_shared_variance_gives_spread_to_a_sample_without():
    unlearned, never = torch.tensor([[1.0, 0.0], [1.0, 4.0]]), torch.tensor([[0.0, 0.0], [0.0, 4.0]])
    assert ulira_scores(torch.tensor([0.9, 1.0]), unlearned, never)[0] == 1
    shared = ulira_scores(torch.tensor([0.9, 1.0]), unlearned, never, shared_variance=True)
    assert shared[0].item() == pytest.approx(special.expit((0.81 - 0.01) / (2 * 4)))
    assert shared[1] == 0.5


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-50, 50), st.booleans())
def test_exchanged_sets_scale_origin_and_order(seed, scale, origin, shared):
    victims, unlearned, never = normal(seed, 3, 4), normal(seed + 1, 5, 4) + 1, normal(seed + 2, 6, 4) * 2

    def scores(*sets):
        return ulira_scores(*sets, shared_variance=shared)

    values = scores(victims, unlearned, never)
    assert ((values >= 0) & (values <= 1)).all()
    assert torch.allclose(scores(victims, never, unlearned), 1 - values)
    assert torch.allclose(scores(victims, unlearned.flip(0), never.roll(2, 0)), values)
    moved = [gaps * scale + origin for gaps in (victims, unlearned, never)]
    assert torch.allclose(scores(*moved), values, rtol=1e-6, atol=1e-6)


def test_the_accuracy_is_that_of_the_best_threshold():
    """Normals of variance 1 whose means are 2 apart: Φ(1)."""
    truth = torch.arange(400) < 200
    victims = normal(0, 400, 50) + 2 * truth[:, None]
    value = ulira_accuracy(victims, truth, normal(1, 2000, 50) + 2, normal(2, 2000, 50))
    assert value.item() == pytest.approx(stats.norm.cdf(1), abs=0.01)


@pytest.mark.parametrize("models", [2, 5, 50])
@pytest.mark.parametrize("shared", [False, True])
def test_without_a_difference_it_is_chance(models, shared):
    truth = torch.arange(300) % 3 == 0
    sets = normal(0, 300, 300), truth, normal(1, models, 300), normal(2, models, 300)
    error = 0.5 * math.sqrt((1 / 100 + 1 / 200) / 300)
    assert ulira_accuracy(*sets, shared_variance=shared).item() == pytest.approx(0.5, abs=4 * error)


def test_either_kind_of_victim_counts_one_half_and_so_does_a_tie():
    unlearned, never = column(0, 2), column(-2, 0)
    truth = torch.tensor([True, False, False, False])
    assert ulira_accuracy(column(1, 1, 1, -1), truth, unlearned, never).item() == pytest.approx(2 / 3)
    assert ulira_accuracy(column(0, 0, 0, 0), truth, unlearned, never) == 0.5
    assert ulira_accuracy(column(-1, 1, 1, 1), truth, unlearned, never) == 0


ONE, TWO = torch.zeros(1, 2), torch.zeros(2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(3), TWO, TWO), "`victim_gaps` and `unlearned_gaps` must hold the same samples, found 3 and 2"),
        ((torch.zeros(2), ONE, TWO), "`unlearned_gaps` must hold at least 2 models, found 1"),
        ((torch.zeros(2), TWO, ONE), "`never_trained_gaps` must hold at least 2 models, found 1"),
        ((torch.zeros(2), TWO, torch.zeros(2, 3)), "must hold the same samples, found 2 and 3"),
        ((torch.tensor([0, math.nan]), TWO, TWO), "`victim_gaps` must be finite, found 1 of 1 models"),
        ((torch.zeros(()), TWO, TWO), r"`victim_gaps` must have the shape \(M, S\), found \(\)"),
    ],
)  # fmt: skip
def test_gaps_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        ulira_scores(*arguments)


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (torch.tensor([1, 0]), r"must be a bool tensor of shape \(2,\), found torch.int64 of shape \(2,\)"),
        (torch.tensor([True]), r"must be a bool tensor of shape \(2,\), found torch.bool of shape \(1,\)"),
        (torch.tensor([True, True]), "must hold both true and false, found only one of them"),
        (torch.tensor([False, False]), "must hold both true and false, found only one of them"),
    ],
)
def test_truth_that_does_not_fit(truth, message):
    with pytest.raises(ValueError, match=f"`victim_unlearned` {message}"):
        ulira_accuracy(TWO, truth, TWO, TWO)


def test_models_that_do_not_fit():
    with pytest.raises(
        ValueError, match=r"`victim` must be a bool tensor of shape \(2,\), found torch.bool of shape \(3,\)"
    ):
        ULiRAAccuracy().update(TWO, torch.tensor([True, False]), torch.ones(3, dtype=torch.bool))


def test_a_shared_variance_is_handed_on():
    reference, victim = torch.arange(24) % 2 == 0, torch.arange(24) < 16
    gaps = normal(0, 24, 30) * torch.logspace(-2, 2, 30) * (1 + reference[:, None])
    sets = gaps[victim], ~reference[victim], gaps[~victim & ~reference], gaps[~victim & reference]
    values = [ulira_accuracy(*sets, shared_variance=shared) for shared in (False, True)]
    assert values[0] != values[1]
    for shared, value in zip((False, True), values, strict=True):
        metric = ULiRAAccuracy(shared_variance=shared)
        metric.update(gaps, reference, victim)
        assert metric.compute() == value
