import functools
import math
from itertools import combinations

import pytest
import torch
from scipy import stats

from lightning_unlearn.metrics import KLoMPValue
from lightning_unlearn.metrics.functional import gaussian_klom, klom, klom_p_value

FEW_BINS = functools.partial(klom, bins=5)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def of_all_divisions(statistic, p, q):
    models, observed = torch.cat([p, q]), statistic(p, q)
    everyone = set(range(len(models)))
    drawn = [
        statistic(models[list(chosen)], models[sorted(everyone - set(chosen))])
        for chosen in combinations(range(len(models)), len(p))
    ]
    return (torch.stack(drawn) >= observed * (1 - 1e-6)).double().mean().item()


@pytest.mark.parametrize("statistic", [gaussian_klom, FEW_BINS])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_it_comes_near_the_share_among_all_divisions(statistic, shift):
    p, q = normal(0, 4, 3) + shift, normal(1, 5, 3)
    exact = of_all_divisions(statistic, p, q)
    drawn = klom_p_value(p, q, statistic=statistic, permutations=2000).item()
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 2000) + 1 / 2001)


def test_two_models_of_each_kind_can_show_nothing():
    """Of the six divisions every sixth is the one observed."""
    value = klom_p_value(normal(0, 2, 3) + 100, normal(1, 2, 3), statistic=klom)
    assert value >= 0.1


@pytest.mark.parametrize("statistic", [gaussian_klom, FEW_BINS])
def test_equal_models_are_all_ties(statistic):
    same = torch.ones(5, 2)
    assert klom_p_value(same, same, statistic=statistic, permutations=9) == 1


def test_an_infinite_statistic_is_a_tie_with_itself():
    assert klom_p_value(torch.ones(2, 1), torch.ones(4, 1) * 2, permutations=99) > 0.01
    assert klom_p_value(torch.zeros(9, 1), normal(0, 9, 1), permutations=99) == pytest.approx(0.01)


def test_what_is_equal_but_for_rounding_is_a_tie():
    values = iter([1.0, *[1 - 1e-9] * 9])
    assert klom_p_value(normal(0, 2, 1), normal(1, 2, 1), statistic=lambda p, q: torch.tensor(next(values), dtype=torch.float64), permutations=9) == 1  # fmt: skip


def test_it_is_of_the_seed_and_of_nothing_else():
    p, q = normal(0, 8, 5), normal(1, 8, 5)
    values = [klom_p_value(p, q, permutations=99, seed=seed).item() for seed in range(5)]
    assert len(set(values)) > 1
    assert values == [klom_p_value(p, q, permutations=99, seed=seed).item() for seed in range(5)]


def of_many(statistic, shift, count, models, samples=4, permutations=39):
    generator = torch.Generator().manual_seed(0)
    for seed in range(count):
        # samples that depend on one another, and are not normal
        gaps = torch.randn(2 * models, samples, generator=generator).cumsum(1).exp()
        gaps[:models] += shift * gaps.std()
        yield klom_p_value(
            gaps[:models], gaps[models:], statistic=statistic, permutations=permutations, seed=seed
        ).item()


@pytest.mark.slow
@pytest.mark.parametrize("statistic", [gaussian_klom, FEW_BINS, klom])
def test_without_a_difference_it_is_uniform(statistic):
    permutations = 39
    values = torch.tensor(list(of_many(statistic, 0.0, 500, models=12, permutations=permutations)))
    # its steps are filled up at random, as if equal numbers were put in order by lot
    filled = values - torch.rand(len(values), generator=torch.Generator().manual_seed(1)) / (1 + permutations)
    assert stats.kstest(filled.numpy(), "uniform").pvalue > 1e-3
    for alpha in (0.05, 0.1, 0.5):
        assert (values <= alpha + 1e-6).double().mean() <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / 500)


@pytest.mark.slow
@pytest.mark.parametrize(("statistic", "models"), [(gaussian_klom, 12), (FEW_BINS, 40), (klom, 100)])
def test_a_difference_is_found(statistic, models):
    values = torch.tensor(list(of_many(statistic, 1.0, 100, models=models)))
    assert (values <= 0.05).double().mean() > 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"permutations": 0}, "`permutations` must be an integer of at least 1, found 0"),
        ({"permutations": 9.0}, "`permutations` must be an integer of at least 1, found 9.0"),
        ({"seed": -1}, "`seed` must be an integer of at least 0, found -1"),
        ({"seed": True}, "`seed` must be an integer of at least 0, found True"),
    ],
)
def test_settings_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        klom_p_value(torch.zeros(4, 2), torch.zeros(4, 2), **arguments)
    with pytest.raises(ValueError, match=message):
        KLoMPValue(**arguments)


def test_models_that_do_not_fit():
    with pytest.raises(ValueError, match="must hold the same samples, found 2 and 3"):
        klom_p_value(torch.zeros(4, 2), torch.zeros(4, 3))
    with pytest.raises(ValueError, match="`oracle_margins` must hold at least 4 models, found 3"):
        klom_p_value(torch.zeros(4, 2), torch.zeros(3, 2))
