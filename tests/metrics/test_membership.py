import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from lightning_unlearn.metrics import MembershipInferenceAccuracy
from lightning_unlearn.metrics.functional import membership_inference_accuracy


def normal(count: int, shift: float, seed: int) -> Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def independent(members: Tensor, others: Tensor, folds: int, seed: int) -> float:
    """The same attack with explicit folds and explicit standardisation, for groups of one size."""
    x = np.concatenate([np.sort(members.numpy()), np.sort(others.numpy())])
    y = np.array([1] * len(members) + [0] * len(others))
    accuracies = []
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, y):
        mean, scale = x[train].mean(), x[train].std()
        attack = LogisticRegression().fit(((x[train] - mean) / scale)[:, None], y[train])
        accuracies.append((attack.predict(((x[test] - mean) / scale)[:, None]) == y[test]).mean())
    return float(np.mean(accuracies))


@pytest.mark.parametrize("folds", [2, 5, 10])
@pytest.mark.parametrize("shift", [0.0, 0.7, 3.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_an_independent_computation(folds: int, shift: float, seed: int) -> None:
    members, others = normal(100, 0, 1), normal(100, shift, 2)
    ours = membership_inference_accuracy(members, others, folds=folds, seed=seed)
    assert ours.item() == pytest.approx(independent(members, others, folds, seed), abs=1e-6)


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_reaches_the_accuracy_of_the_best_threshold(shift: float) -> None:
    ours = membership_inference_accuracy(normal(5000, 0, 1), normal(5000, shift, 2))
    assert ours.item() == pytest.approx(0.5 * (1 + math.erf(shift / 2 / math.sqrt(2))), abs=0.015)


@pytest.mark.parametrize("counts", [(50, 50), (7, 7), (7, 50), (23, 9)])
def test_identical_losses_give_exactly_one_half(counts: tuple[int, int]) -> None:
    members, others = torch.full((counts[0],), 0.3), torch.full((counts[1],), 0.3)
    assert membership_inference_accuracy(members, others) == 0.5


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_separable_losses_are_separated_at_any_scale(scale: float, dtype: torch.dtype) -> None:
    if dtype == torch.float16 and scale != 1:
        pytest.skip("outside the range of float16")
    losses = torch.linspace(0, 1, 40, dtype=torch.float64)
    members, others = (losses * scale).to(dtype), ((losses + 2) * scale).to(dtype)
    assert membership_inference_accuracy(members, others) == 1
    assert membership_inference_accuracy(others, members) == 1


def test_ties_between_few_values() -> None:
    members, others = torch.tensor([0.0] * 30 + [1.0] * 10), torch.tensor([0.0] * 10 + [1.0] * 30)
    assert membership_inference_accuracy(members, others).item() == pytest.approx(0.75, abs=1e-6)


def test_larger_group_is_subsampled_by_the_seed() -> None:
    members, others = normal(60, 0, 1), normal(3000, 0.5, 2)
    results = {membership_inference_accuracy(members, others, seed=seed).item() for seed in range(5)}
    assert len(results) > 1
    assert all(0.4 < result < 0.8 for result in results)
    assert membership_inference_accuracy(members, others) == membership_inference_accuracy(members, others)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), sizes=st.tuples(st.integers(5, 40), st.integers(5, 40)))
def test_in_range_and_independent_of_order_and_global_randomness(seed: int, sizes: tuple[int, int]) -> None:
    members, others = normal(sizes[0], 0, seed), normal(sizes[1], 1, seed + 1)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    result = membership_inference_accuracy(members, others)
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()
    assert 0 <= result <= 1
    assert membership_inference_accuracy(members.flip(0), others.roll(3)) == result


def test_gradients_and_inputs_are_left_alone() -> None:
    members = torch.linspace(1, 0, 20, requires_grad=True)
    before = members.detach().clone()
    result = membership_inference_accuracy(members, members + 1)
    assert not result.requires_grad
    assert result.ndim == 0
    assert result.dtype == torch.float32
    assert torch.equal(members, before)


GOOD = torch.linspace(0, 1, 10)


@pytest.mark.parametrize("name", ["member_losses", "nonmember_losses"])
@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (torch.tensor([]), r"at least as many samples as `folds` \(5\), found 0"),
        (torch.zeros(4), r"at least as many samples as `folds` \(5\), found 4"),
        (torch.tensor([math.nan, math.inf, *range(8)]), "must be finite, found 2 of 10"),
        (torch.zeros(5, 2), r"must have the shape \(N,\), found \(5, 2\)"),
        (torch.tensor(1.0), r"must have the shape \(N,\), found \(\)"),
    ],
)
def test_losses_that_do_not_fit(name: str, losses: Tensor, message: str) -> None:
    arguments = {"member_losses": GOOD, "nonmember_losses": GOOD, name: losses}
    with pytest.raises(ValueError, match=f"`{name}` must.*{message}|`{name}` {message}"):
        membership_inference_accuracy(**arguments)


@pytest.mark.parametrize("folds", [1, 0, 2.5, True])
def test_folds_that_do_not_fit(folds: int) -> None:
    with pytest.raises(ValueError, match="`folds` must be an integer of at least 2"):
        membership_inference_accuracy(GOOD, GOOD, folds=folds)
    with pytest.raises(ValueError, match="`folds` must be an integer of at least 2"):
        MembershipInferenceAccuracy(folds=folds)


def filled(seed: int = 0) -> tuple[MembershipInferenceAccuracy, Tensor]:
    metric = MembershipInferenceAccuracy(folds=4, seed=seed)
    members, others = normal(30, 0, 1).float(), normal(45, 1, 2).float()
    losses = torch.cat([members, others])
    member = torch.arange(75) < 30
    order = torch.randperm(75, generator=torch.Generator().manual_seed(3))
    for part in order.split(20):
        metric.update(losses[part], member[part])
    return metric, membership_inference_accuracy(members, others, folds=4, seed=seed)


@pytest.mark.parametrize("seed", [0, 7])
def test_modular_equals_functional_over_mixed_batches(seed: int) -> None:
    metric, expected = filled(seed)
    assert metric.compute() == expected


def test_modular_survives_pickling_and_reset() -> None:
    metric, expected = filled()
    copy = pickle.loads(pickle.dumps(metric))
    assert copy.compute() == expected
    metric.reset()
    assert metric.losses == []
    assert metric.member == []


@pytest.mark.skipif(not hasattr(MembershipInferenceAccuracy, "merge_state"), reason="torchmetrics before 1.6")
def test_modular_merges_what_two_processes_saw() -> None:
    first, second = MembershipInferenceAccuracy(), MembershipInferenceAccuracy()
    members, others = normal(30, 0, 1), normal(45, 1, 2)
    first.update(others, torch.zeros(45, dtype=torch.bool))
    second.update(members, torch.ones(30, dtype=torch.bool))
    first.merge_state(second)
    assert first.compute() == membership_inference_accuracy(members, others)


def test_modular_takes_float16_and_drops_the_graph() -> None:
    metric = MembershipInferenceAccuracy()
    losses = torch.linspace(0, 1, 20, requires_grad=True)
    metric.update(losses.half(), torch.ones(20, dtype=torch.bool))
    metric.update((losses + 2).half(), torch.zeros(20, dtype=torch.bool))
    assert metric.compute() == 1
    assert not metric.losses[0].requires_grad


def test_modular_declares_what_it_is() -> None:
    assert MembershipInferenceAccuracy.higher_is_better is None
    assert MembershipInferenceAccuracy.is_differentiable is False
    assert MembershipInferenceAccuracy.full_state_update is False


def test_modular_refuses_what_does_not_fit() -> None:
    metric = MembershipInferenceAccuracy()
    with pytest.raises(ValueError, match="`member` must be a bool tensor, found "):
        metric.update(GOOD, torch.ones(10, dtype=torch.long))
    with pytest.raises(ValueError, match=r"same shape \(N,\), found \(10,\) and \(1,\)"):
        metric.update(GOOD, torch.ones(1, dtype=torch.bool))
    metric.update(GOOD, torch.ones(10, dtype=torch.bool))
    with pytest.raises(ValueError, match="`nonmember_losses` must hold at least"):
        metric.compute()
