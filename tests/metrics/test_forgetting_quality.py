import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lightning_unlearn.metrics import ForgettingQuality, UnlearningCompetitionScore
from lightning_unlearn.metrics.functional import (
    forgetting_quality,
    unlearning_competition_score,
    unlearning_epsilons,
)
from tests.metrics._population_cases import epsilon


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def overlapping(count, wrong):
    """Two sets of which a threshold takes `wrong` models of either for the other."""
    low, high = torch.zeros(count, 1), torch.ones(count, 1)
    low[:wrong], high[:wrong] = 1, 0
    return high, low


@pytest.mark.parametrize("delta", [0.0, 1e-5, 0.1])
@pytest.mark.parametrize("wrong", [1, 5, 30, 50, 90])
def test_one_threshold_by_hand(wrong, delta):
    """Both rates are `wrong / 100`; the other way round both are what is left."""
    rate = wrong / 100
    best = max((1 - delta - rate) / rate, (rate - delta) / (1 - rate))
    value = unlearning_epsilons(*overlapping(100, wrong), delta=delta)
    assert value.item() == pytest.approx(max(0.0, math.log(best)), abs=1e-12)


@pytest.mark.parametrize(("n", "bound"), [(n, (n - 1) / 2) for n in range(1, 14)])
def test_a_bin_begins_where_it_is_said(n, bound):
    """ε just within the bin, of sets large enough for its rates."""
    count = 20_000
    wrong = round(count / (1 + math.exp(bound + 0.25)))
    sets = overlapping(count, wrong)
    assert bound < unlearning_epsilons(*sets).item() < bound + 0.5
    assert forgetting_quality(*sets).item() == pytest.approx(2 / 2**n)


def test_separable_models_count_in_the_last_bin():
    for sets in [(column(2, 3), column(0, 1)), (column(0, 1), column(2, 3))]:
        assert unlearning_epsilons(*sets) == math.inf
        assert forgetting_quality(*sets) == 2**-12


def test_an_epsilon_beyond_the_bins_counts_in_the_last():
    assert unlearning_epsilons(*overlapping(5000, 1)).item() == pytest.approx(math.log(4999), abs=1e-4)
    assert forgetting_quality(*overlapping(5000, 1)) == 2**-12


def test_an_attack_with_one_rate_of_zero_is_discarded():
    """Half of the unlearned models are beyond all others, but no threshold errs both ways."""
    assert unlearning_epsilons(column(0, 0, 5, 5), column(0, 0, 0, 0)) == 0
    with_both = unlearning_epsilons(column(0, 0, 5, 5), column(0, 0, 0, 5))
    assert with_both.item() == pytest.approx(math.log(2), abs=1e-4)  # FPR ¼ and FNR ½


def test_models_that_are_all_equal_cannot_be_told():
    assert unlearning_epsilons(torch.ones(3, 2), torch.ones(4, 2)).tolist() == [0, 0]
    assert forgetting_quality(torch.ones(3, 2), torch.ones(4, 2)) == 1


def test_one_model_each_is_told_or_is_not():
    assert unlearning_epsilons(column(1), column(0)) == math.inf
    assert unlearning_epsilons(column(1), column(1)) == 0


def test_models_that_all_give_one_number_have_forgotten_perfectly():
    """As the docstring warns."""
    assert forgetting_quality(torch.zeros(512, 3), normal(0, 512, 3)) == 1


def test_models_that_give_nearly_one_number_are_told():
    """As the docstring says: only exact equality fools it. Half of the retrained models are above, and all but one below."""
    epsilons = unlearning_epsilons(1e-3 * normal(1, 512, 3), normal(0, 512, 3))
    torch.testing.assert_close(
        epsilons, torch.full((3,), math.log(256), dtype=torch.float64), rtol=0.05, atol=0
    )


@pytest.mark.parametrize(("models", "expected"), [(4, 0.37), (8, 0.28), (32, 0.22), (200, 0.22)])
def test_retrained_models_are_far_from_one(models, expected):
    """As the docstring warns: the largest of many estimates is large by chance."""
    value = forgetting_quality(normal(0, models, 3000), normal(1, models, 3000)).item()
    assert value == pytest.approx(expected, abs=0.02)


small = st.integers(1, 4).flatmap(
    lambda s: st.tuples(
        *(arrays(float, st.tuples(st.integers(1, 8), st.just(s)), elements=st.integers(-5, 5).map(float)),)
        * 2
    )
)


@settings(max_examples=80, deadline=None)
@given(small, st.sampled_from([0.0, 1e-5, 0.2]))
def test_what_epsilon_does_not_depend_on(both, delta):
    unlearned, retrained = map(torch.from_numpy, both)
    values = unlearning_epsilons(unlearned, retrained, delta=delta)
    for s in range(len(values)):
        expected = epsilon(both[0][:, s], both[1][:, s], delta)
        assert values[s].item() == pytest.approx(expected, abs=1e-12)

    def same(a, b):
        assert torch.allclose(unlearning_epsilons(a, b, delta=delta), values, atol=1e-12)

    same(retrained, unlearned)
    same(-unlearned, -retrained)
    same(unlearned.exp(), retrained.exp())
    same(unlearned.flip(0), retrained.roll(1, 0))
    same(unlearned.repeat(2, 1), retrained.repeat(3, 1))
    finite = values[values.isfinite()]
    assert ((finite >= 0) & (finite <= math.log(max(map(len, both))) + 1e-12)).all()
    assert 2**-12 <= forgetting_quality(unlearned, retrained, delta=delta) <= 1


@settings(max_examples=40, deadline=None)
@given(small)
def test_a_larger_delta_forgives_more(both):
    sets = [torch.from_numpy(gaps) for gaps in both]
    small_delta, large_delta = (unlearning_epsilons(*sets, delta=delta) for delta in (0.01, 0.3))
    assert (large_delta <= small_delta).all()


HALF = overlapping(10, 5)


def test_the_score_is_quality_times_what_is_left_of_both_accuracies():
    full = torch.tensor([[1.0, 0.8], [0.8, 0.8]])
    assert unlearning_competition_score(*HALF, full, full) == 1
    kept = torch.tensor([[0.45, 0.9]])
    assert unlearning_competition_score(*HALF, kept, full).item() == pytest.approx(0.5 * 9 / 8)
    assert unlearning_competition_score(*HALF, kept * 0, full) == 0


@pytest.mark.parametrize("delta", [-0.1, 1, 1.5, math.nan, True, None])
def test_deltas_that_do_not_fit(delta):
    accuracies = torch.ones(1, 2)
    makers = (
        lambda: unlearning_epsilons(*HALF, delta=delta),
        lambda: forgetting_quality(*HALF, delta=delta),
        lambda: unlearning_competition_score(*HALF, accuracies, accuracies, delta=delta),
        lambda: ForgettingQuality(delta),
        lambda: UnlearningCompetitionScore(delta),
    )
    for make in makers:
        with pytest.raises(ValueError, match="`delta` must be a number of at least 0 and below 1, found"):
            make()


@pytest.mark.parametrize(
    ("unlearned", "retrained", "message"),
    [
        (torch.zeros(3), torch.zeros(3, 1), r"`unlearned_gaps` must have the shape \(M, S\), found \(3,\)"),
        (torch.zeros(0, 2), torch.zeros(3, 2), "`unlearned_gaps` must hold at least 1 models, found 0"),
        (torch.zeros(3, 2), torch.zeros(0, 2), "`retrained_gaps` must hold at least 1 models, found 0"),
        (torch.zeros(3, 0), torch.zeros(3, 0), "must hold at least 1 sample, found 0"),
        (torch.zeros(3, 2), torch.zeros(3, 1), "must hold the same samples, found 2 and 1"),
        (torch.zeros(3, 2), torch.full((3, 2), math.inf), "`retrained_gaps` must be finite, found 3 of 3"),
    ],
)
def test_gaps_that_do_not_fit(unlearned, retrained, message):
    with pytest.raises(ValueError, match=message):
        forgetting_quality(unlearned, retrained)


@pytest.mark.parametrize(
    ("kept", "full", "message"),
    [
        (torch.ones(1, 3), torch.ones(1, 2), r"`unlearned_accuracies` must have the shape \(M, 2\).*found \(1, 3\)"),
        (torch.ones(1, 2), torch.full((1, 2), 90.0), "`retrained_accuracies` must .* between 0 and 1, found .* 90"),
        (torch.full((1, 2), -0.5), torch.ones(1, 2), "`unlearned_accuracies` must .* between -0.5 and -0.5"),
        (torch.ones(1, 2), torch.tensor([[0.5, 0.0]]), r"`retrained_accuracies` must have positive means, found \[0.5, 0.0\]"),
        (torch.full((1, 2), math.nan), torch.ones(1, 2), "`unlearned_accuracies` must be finite, found 1 of 1"),
    ],
)  # fmt: skip
def test_accuracies_that_do_not_fit(kept, full, message):
    with pytest.raises(ValueError, match=message):
        unlearning_competition_score(*HALF, kept, full)


def test_a_batch_that_does_not_fit_is_not_kept():
    metric = UnlearningCompetitionScore()
    flags = torch.tensor([True, False])
    with pytest.raises(ValueError, match=r"`accuracies` must have the shape \(2, 2\), found \(2,\)"):
        metric.update(torch.zeros(2, 3), flags, torch.ones(2))
    with pytest.raises(ValueError, match="`reference` must be a bool tensor"):
        metric.update(torch.zeros(2, 3), flags.long(), torch.ones(2, 2))
    assert metric.gaps == metric.reference == metric.accuracies == []
