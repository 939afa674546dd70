"""Distances of generated from real features: torch-fidelity's numbers, exact ones, degenerate inputs, refusals."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from torchmetrics.image import FrechetInceptionDistance

from lightning_unlearn.metrics import FrechetDistance, KernelDistance
from lightning_unlearn.metrics.functional import (
    classifier_score,
    frechet_distance,
    generator_precision,
    generator_recall,
    kernel_distance,
)
from tests.metrics._fidelity_cases import precision

DISTANCES = [frechet_distance, kernel_distance, generator_precision, generator_recall]
every_distance = pytest.mark.parametrize("function", DISTANCES)
seeds = st.integers(0, 10_000)


def features(count, width, shift=0.0, seed=0, scale=1.0):
    """Correlated, not negative, as those behind a ReLU are."""
    generator = np.random.default_rng(seed)
    mixed = generator.normal(size=(count, width)) @ generator.normal(size=(width, width)) / width**0.5
    return torch.from_numpy(np.maximum(mixed + shift, 0) * scale)


def fid_of_torch_fidelity(x, y):
    statistics = (fid_features_to_statistics(part) for part in (x, y))
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


def relative(value, expected):
    return abs(value.item() - expected) / abs(expected)


SHAPES = [(500, 400, 20), (300, 300, 64), (2000, 1000, 5), (90, 80, 60)]
every_shape = pytest.mark.parametrize(("left", "right", "width"), SHAPES)


@every_shape
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_frechet_distance_is_that_of_torch_fidelity(left, right, width, scale):
    x, y = features(left, width, 0.3, 1, scale), features(right, width, 0, 2, scale)
    assert relative(frechet_distance(x, y), fid_of_torch_fidelity(x, y)) < 1e-6


@every_shape
@pytest.mark.parametrize("gamma", [None, 0.3])
def test_the_kernel_distance_is_that_of_torch_fidelity(left, right, width, gamma):
    least = min(left, right)  # theirs needs sets of one size
    x, y = features(least, width, 0.3, 1), features(least, width, 0, 2)
    whole = {"kid_subsets": 1, "kid_subset_size": least, "verbose": False, "kid_kernel_poly_gamma": gamma}
    theirs = kid_features_to_metric(x, y, **whole)["kernel_inception_distance_mean"]
    assert relative(kernel_distance(x, y, gamma=gamma), theirs) < 1e-6


def test_the_kid_of_random_subsets_is_the_mean_of_the_kernel_distance_over_them():
    x, y = features(300, 12, 0.3, 1), features(250, 12, 0, 2)
    options = {"kid_subsets": 20, "kid_subset_size": 100, "verbose": False, "rng_seed": 7}
    theirs = kid_features_to_metric(x, y, **options)["kernel_inception_distance_mean"]
    stream = np.random.RandomState(7)
    drawn = [[stream.choice(len(part), 100, replace=False) for part in (x, y)] for _ in range(20)]
    ours = torch.stack([kernel_distance(x[i], y[j]) for i, j in drawn]).double().mean()
    assert relative(ours, theirs) < 1e-6


@every_shape
@pytest.mark.parametrize("neighbours", [1, 3, 10])
def test_precision_and_recall_are_those_of_torch_fidelity(left, right, width, neighbours):
    x, y = features(left, width, 0.3, 1), features(right, width, 0, 2)
    theirs = prc_features_to_metric(x, y, prc_neighborhood=neighbours, verbose=False)
    assert generator_precision(x, y, neighbours=neighbours).item() == pytest.approx(theirs["precision"])
    assert generator_recall(x, y, neighbours=neighbours).item() == pytest.approx(theirs["recall"])


def test_the_classifier_score_is_that_of_torch_fidelity_in_one_part():
    logits = 3 * features(400, 10)
    theirs = isc_features_to_metric(logits, splits=1, shuffle=False)["inception_score_mean"]
    assert relative(classifier_score(logits), theirs) < 1e-6
    tenth = isc_features_to_metric(logits, splits=10)["inception_score_mean"]
    assert tenth < classifier_score(logits)  # why the mean over ten parts is another number


@pytest.mark.parametrize("width", [30, 100, 400])
def test_with_fewer_samples_than_features_it_is_exact(width):
    """Of centred features X, Y the trace of the root is the sum of the singular values of X Yᵀ, up to a factor."""
    x = features(24, width) * torch.logspace(0, -2, width)
    y = 1.1 * x[:20] + 0.02
    a, b = x - x.mean(0), y - y.mean(0)
    overlap = torch.linalg.svdvals(a @ b.T).sum() / math.sqrt(23 * 19)
    spread = a.square().sum() / 23 + b.square().sum() / 19
    exact = ((x.mean(0) - y.mean(0)).square().sum() + spread - 2 * overlap).item()
    assert relative(frechet_distance(x, y), exact) < 1e-6


def test_the_modular_distance_is_that_of_torchmetrics():
    images = features(160, 12).view(160, 3, 2, 2)
    generated = torch.arange(160) % 2 == 0
    flatten = torch.nn.Flatten()
    flatten.num_features = 12
    theirs, ours = FrechetInceptionDistance(flatten), FrechetDistance(flatten, name="pixels")
    theirs.update(images[generated], real=False)
    theirs.update(images[~generated] + 0.2, real=True)
    ours.update(images[generated], generated=True)
    ours.update(images[~generated] + 0.2, generated=False)
    assert relative(ours.compute(), theirs.compute().item()) < 1e-6


def test_values_worked_out_by_hand():
    """Normals with commuting covariances: the sum of (√s − √t)² beside that of the means."""
    x = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    stretched = x * torch.tensor([3.0, 1.0]) + torch.tensor([0.0, 2.0])
    assert frechet_distance(stretched, x).item() == pytest.approx(4 + 4 / 3 * (3 - 1) ** 2)
    assert kernel_distance(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]])).item() == 9.5
    assert classifier_score(torch.zeros(5, 3)) == 1


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_a_rotation_of_both_changes_nothing(seed):
    x, y = features(40, 5, 0.2, seed), features(50, 5, 0, seed + 1)
    turn = torch.linalg.qr(features(5, 5, 0.1, seed))[0]
    assert frechet_distance(x @ turn + 1, y @ turn + 1).item() == pytest.approx(
        frechet_distance(x, y).item(), rel=1e-5
    )
    assert kernel_distance(x @ turn, y @ turn).item() == pytest.approx(
        kernel_distance(x, y).item(), rel=1e-5, abs=1e-9
    )


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_distances_are_the_same_both_ways_and_precision_is_recall_turned_round(seed):
    x, y = features(40, 5, 0.2, seed), features(50, 5, 0, seed + 1)
    for distance in (frechet_distance, kernel_distance):
        assert distance(x, y).item() == pytest.approx(distance(y, x).item(), rel=1e-6)
    assert generator_precision(x, y) == generator_recall(y, x)


@every_distance
@pytest.mark.parametrize("width", [3, 50])
def test_the_same_images_are_at_no_distance(function, width):
    x = features(30, width)
    perfect = 1 if function in (generator_precision, generator_recall) else 0
    # without bias, the kernel distance of a set from itself is below 0
    assert (
        function(x, x).item() <= 1e-6 if function is kernel_distance else abs(function(x, x) - perfect) < 1e-6
    )


@every_distance
def test_a_generator_that_makes_one_image_only(function):
    x, y = torch.full((30, 4), 7.0), features(40, 4)
    value = function(x, y).item()
    if function is frechet_distance:
        centred = y - y.mean(0)
        expected = (7 - y.mean(0)).square().sum() + centred.square().sum() / 39
        assert value == pytest.approx(expected.item(), rel=1e-6)
    elif function is kernel_distance:
        assert value > 1
    else:
        assert value == 0
    assert function(x, x.clone()) == (1 if function in (generator_precision, generator_recall) else 0)


def test_precision_includes_the_bound_also_between_duplicates():
    grid = torch.cartesian_prod(torch.arange(6.0), torch.arange(5.0))
    doubled = torch.cat([grid, grid[:7], 1e3 + grid])  # far off the origin, where fast distances are rounded
    for x, y in ((doubled, grid), (grid, doubled), (grid + 0.5, doubled), (doubled + 1e-9, grid)):
        for k in (1, 2, 4):
            assert generator_precision(x, y, neighbours=k).item() == pytest.approx(
                precision(x.double().numpy(), y.double().numpy(), k)
            )


def test_the_kernel_distance_of_equal_distributions_is_zero_on_average_and_the_frechet_distance_is_not():
    pairs = [(features(60, 4, seed=2 * i), features(60, 4, seed=2 * i)[torch.randperm(60)]) for i in range(3)]
    assert all(frechet_distance(x, y) < 1e-6 for x, y in pairs)  # the same samples
    stream = np.random.default_rng(0)
    drawn = [[torch.from_numpy(stream.normal(size=(60, 4))) for _ in range(2)] for _ in range(200)]
    kernel = torch.stack([kernel_distance(x, y) for x, y in drawn])
    assert abs(kernel.mean()) < 3.5 * kernel.std() / math.sqrt(200)
    assert min(frechet_distance(x, y) for x, y in drawn) > 0.01


@every_distance
def test_what_does_not_fit_is_refused(function):
    x = features(9, 4)
    with pytest.raises(ValueError, match=r"`features` must have the shape \(N, C\), found \(9, 4, 1\)"):
        function(x[..., None], x)
    with pytest.raises(ValueError, match="as many columns, at least one, found 4 and 3"):
        function(x, x[:, :3])
    with pytest.raises(ValueError, match="as many columns, at least one, found 0 and 0"):
        function(x[:, :0], x[:, :0])
    with pytest.raises(ValueError, match=r"`features` must hold at least \d samples, found 1"):
        function(x[:1], x)
    with pytest.raises(ValueError, match=r"`reference_features` must hold at least \d samples, found 1"):
        function(x, x[:1])
    with pytest.raises(ValueError, match="`reference_features` must be finite, found 1 of 9"):
        function(x, torch.where(torch.arange(9)[:, None] == 2, math.nan, x))


def test_wrong_parameters_are_refused():
    x = features(9, 4)
    for arguments, message in [
        ({"degree": 0}, "`degree` must be an integer of at least 1, found 0"),
        ({"gamma": 0.0}, "`gamma` must be positive or None, found 0.0"),
        ({"coefficient": -1.0}, "`coefficient` must not be negative, found -1.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            kernel_distance(x, x, **arguments)
        with pytest.raises(ValueError, match=message):
            KernelDistance(torch.nn.Flatten(), name="pixels", **arguments)
    with pytest.raises(ValueError, match="`neighbours` must be an integer of at least 1, found 0"):
        generator_recall(x, x, neighbours=0)
