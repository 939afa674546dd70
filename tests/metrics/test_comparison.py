"""Two models' outputs and features: known values, degenerate inputs, published numbers, refusals."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import kl_div

from lightning_unlearn.metrics import (
    LinearCKA,
    LinearProbeAccuracy,
    ReferenceKLDivergence,
    ZeroRetrainForgetting,
)
from lightning_unlearn.metrics.functional import (
    activation_distance,
    linear_cka,
    linear_probe_accuracy,
    prediction_agreement,
    reference_js_divergence,
    reference_kl_divergence,
    zero_retrain_forgetting,
)
from tests.metrics._comparison_cases import cka

OUTPUTS = [activation_distance, prediction_agreement, reference_js_divergence, reference_kl_divergence]
every_comparison = pytest.mark.parametrize("function", [*OUTPUTS, zero_retrain_forgetting])
seeds = st.integers(0, 10_000)


def normal(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 2, shape))


def two_classes(p):
    """Logits of the probabilities p and 1 − p."""
    return torch.tensor([[math.log(p), math.log1p(-p)]], dtype=torch.float64)


@every_comparison
@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_equal_outputs_give_exactly_the_value_of_no_difference(function, seed):
    logits = normal(7, 4, seed=seed)
    expected = 1 if function in (prediction_agreement, zero_retrain_forgetting) else 0
    assert function(logits, logits) == expected


@every_comparison
@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_what_softmax_does_not_see_does_not_matter(function, seed):
    a, b, shift = normal(7, 4, seed=seed), normal(7, 4, seed=seed + 1), normal(7, 1, seed=seed + 2)
    assert function(a + shift, b - shift).item() == pytest.approx(function(a, b).item(), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("function", [f for f in OUTPUTS if f is not reference_kl_divergence])
def test_it_is_the_same_both_ways(function):
    a, b = normal(9, 5), normal(9, 5, seed=1)
    assert function(a, b).item() == pytest.approx(function(b, a).item(), rel=1e-6)


def test_values_worked_out_by_hand():
    ours, theirs = two_classes(0.5), two_classes(0.25)
    assert activation_distance(ours, theirs).item() == pytest.approx(0.25 * math.sqrt(2))
    expected = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert reference_kl_divergence(ours, theirs).item() == pytest.approx(expected)
    left = 0.5 * math.log(0.5 / 0.375) + 0.5 * math.log(0.5 / 0.625)
    right = 0.25 * math.log(0.25 / 0.375) + 0.75 * math.log(0.75 / 0.625)
    assert reference_js_divergence(ours, theirs).item() == pytest.approx((left + right) / 2)
    assert zero_retrain_forgetting(ours, theirs).item() == pytest.approx(1 - (left + right) / 2)


def test_kl_weighs_by_the_reference():
    sure, unsure = two_classes(1 - 1e-12), two_classes(0.5)
    assert reference_kl_divergence(unsure, sure).item() == pytest.approx(math.log(2))
    assert reference_kl_divergence(sure, unsure).item() > 10


@pytest.mark.parametrize("gap", [100.0, 1e4, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probabilities_that_underflow(gap, dtype):
    ours, theirs = (torch.tensor([row], dtype=dtype) for row in ([gap, 0.0, -gap], [-gap, 0.0, gap]))
    assert reference_kl_divergence(ours, theirs).item() == pytest.approx(2 * gap)
    assert reference_js_divergence(ours, theirs).item() == pytest.approx(math.log(2))
    assert activation_distance(ours, theirs).item() == pytest.approx(math.sqrt(2))
    assert zero_retrain_forgetting(ours, theirs).item() == pytest.approx(1 - math.log(2))


def test_logits_further_apart_than_the_largest_number_give_no_nan():
    ours = torch.tensor([[1e308, -1e308, 0.0]], dtype=torch.float64)
    assert reference_js_divergence(ours, ours.flip(1)).item() == pytest.approx(math.log(2))
    assert reference_kl_divergence(ours, ours) == 0
    assert reference_kl_divergence(ours, ours.flip(1)) > 1e38


def test_small_differences_are_not_lost():
    """`JS ≈ (δ² / 8) Σ 1/p` to leading order."""
    for delta in (1e-3, 1e-5):
        value = reference_js_divergence(two_classes(0.5 + delta), two_classes(0.5)).item()
        assert value == pytest.approx(delta**2 / 2, rel=1e-3)


def test_of_equal_logits_the_first_counts():
    assert prediction_agreement(torch.tensor([[1.0, 1.0]]), torch.tensor([[2.0, 0.0]])) == 1
    assert prediction_agreement(torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, 2.0]])) == 0


def test_one_class_leaves_nothing_to_differ_in():
    assert [f(normal(3, 1), normal(3, 1, seed=1)).item() for f in OUTPUTS] == [0, 1, 0, 0]


def published_js(p, q):
    """The code published with the ZRF score, with its default reduction made explicit."""
    m = (p + q) / 2
    return 0.5 * kl_div(p.log(), m, reduction="none") + 0.5 * kl_div(q.log(), m, reduction="none")


def test_the_published_code_turns_the_direction_and_divides_by_the_classes():
    ours, theirs = normal(40, 10), normal(40, 10, seed=1)
    p, q = ours.softmax(1), theirs.softmax(1)
    m = (p + q) / 2
    right = ((p * (p / m).log() + q * (q / m).log()) / 2).sum(1).mean()
    reverse = ((m * (m / p).log() + m * (m / q).log()) / 2).sum(1).mean()
    assert reference_js_divergence(ours, theirs).item() == pytest.approx(right.item(), rel=1e-6)
    assert published_js(p, q).mean().item() == pytest.approx(reverse.item() / 10)
    published = 1 - published_js(p, q).mean().item()
    assert published - zero_retrain_forgetting(ours, theirs).item() > 0.1


def test_the_published_direction_is_unbounded_where_this_is_not():
    ours, theirs = torch.tensor([[900.0, 0.0]]), torch.tensor([[0.0, 900.0]])
    assert published_js(ours.softmax(1), theirs.softmax(1)).mean().isinf()
    assert zero_retrain_forgetting(ours, theirs).item() == pytest.approx(1 - math.log(2))


def test_zrf_of_several_networks_is_the_mean_of_each():
    logits, random = normal(12, 5), normal(12, 4, 5, seed=1)
    each = [zero_retrain_forgetting(logits, random[:, r]).item() for r in range(4)]
    assert zero_retrain_forgetting(logits, random).item() == pytest.approx(np.mean(each), rel=1e-6)
    assert max(each) > min(each)


def test_zrf_metric_takes_one_or_several_networks():
    metric = ZeroRetrainForgetting()
    logits, random = normal(12, 5), normal(12, 4, 5, seed=1)
    metric.update(logits, random)
    metric.update(logits, random[:, 0])
    mean = (zero_retrain_forgetting(logits, random) + zero_retrain_forgetting(logits, random[:, 0])) / 2
    assert metric.compute().item() == pytest.approx(mean.item(), rel=1e-6)


def test_the_mean_stays_exact_inside_a_model_of_half_precision():
    metric = ReferenceKLDivergence()
    torch.nn.ModuleList([metric]).to(torch.bfloat16)
    logits, others = normal(300, 5), normal(300, 5, seed=1)
    for batch in range(0, 300, 10):
        metric.update(logits[batch : batch + 10], others[batch : batch + 10])
    assert metric.compute().item() == pytest.approx(reference_kl_divergence(logits, others).item(), rel=1e-6)


@pytest.mark.parametrize(
    ("logits", "others", "message"),
    [
        (torch.zeros(3), torch.zeros(3), r"`logits` must have the shape \(N, C\), found \(3,\)"),
        (torch.zeros(3, 2), torch.zeros(3), r"must have the shape \(N, C\), found \(3,\)"),
        (torch.zeros(3, 2), torch.zeros(4, 2), r"must have the shape \(3, 2\), found \(4, 2\)"),
        (torch.zeros(3, 2), torch.zeros(3, 1), r"must have the shape \(3, 2\), found \(3, 1\)"),
        (torch.zeros(3, 0), torch.zeros(3, 0), "`logits` must have at least one class, found none"),
        (torch.zeros(0, 2), torch.zeros(0, 2), "`logits` must hold at least 1 sample, found 0"),
    ],
)
@every_comparison
def test_outputs_that_do_not_fit_are_refused(function, logits, others, message):
    with pytest.raises(ValueError, match=message):
        function(logits, others)


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 4, 2), (3, 0, 2)])
def test_random_networks_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match=r"`random_logits` must have the shape \(3, R, 2\), found"):
        zero_retrain_forgetting(torch.zeros(3, 2), torch.zeros(shape))


@settings(max_examples=25, deadline=None)
@given(seed=seeds, count=st.integers(5, 30), width=st.integers(1, 40))
def test_cka_does_not_see_rotation_shift_and_scale(seed, count, width):
    x, y = normal(count, width, seed=seed), normal(count, 3, seed=seed + 1)
    rotation = torch.linalg.qr(normal(width, width, seed=seed + 2)).Q
    moved = 7 * x @ rotation + 5
    assert linear_cka(moved, y).item() == pytest.approx(linear_cka(x, y).item(), abs=1e-6)
    assert linear_cka(x, moved).item() == pytest.approx(1, abs=1e-6)
    assert linear_cka(y, x).item() == pytest.approx(linear_cka(x, y).item(), abs=1e-6)


def test_unrelated_wide_features_are_unlike_though_the_biased_estimate_has_them_alike():
    x, y = normal(50, 3000), normal(50, 3000, seed=1)
    k, m = ((z - z.mean(0)) @ (z - z.mean(0)).T for z in (x, y))
    assert (k * m).sum() / (k.norm() * m.norm()) > 0.95
    assert abs(linear_cka(x, y)) < 0.05


@pytest.mark.parametrize("scale", [1e-150, 1e-3, 1e150])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_cka_at_any_scale_and_far_from_the_origin(scale, offset):
    x, y = normal(30, 5), normal(30, 4, seed=1) + normal(30, 5)[:, :4]
    expected = cka(x.numpy(), y.numpy())
    assert linear_cka((x + offset) * scale, y).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "flat", [torch.full((9, 3), 0.1), torch.zeros(9, 3), torch.eye(9), torch.zeros(9, 0)]
)
def test_cka_of_features_without_structure_is_undefined(flat):
    assert linear_cka(flat, normal(9, 2)).isnan()
    assert linear_cka(normal(9, 2), flat).isnan()


@pytest.mark.parametrize("count", range(4, 30))
@pytest.mark.parametrize("value", [0.1, -1e7 / 3, 1e-200])
def test_cka_of_equal_features_is_undefined_however_their_mean_is_rounded(count, value):
    flat = torch.full((count, 3), value, dtype=torch.float64)
    assert linear_cka(flat, normal(count, 2)).isnan()


def test_cka_refuses():
    with pytest.raises(ValueError, match="`features` must hold at least 4 samples, found 3"):
        linear_cka(normal(3, 2), normal(3, 2))
    with pytest.raises(ValueError, match=r"`reference_features` must have as many rows .* \(5\), found 4"):
        LinearCKA().update(normal(5, 2), normal(4, 2))
    with pytest.raises(ValueError, match=r"`reference_features` must have the shape \(N, C\)"):
        linear_cka(normal(5, 2), normal(5))


def marked(count=60, every=3):
    return torch.arange(count) % every == 0


def test_the_probe_finds_what_is_there_and_not_what_is_not():
    forgotten, noise = marked(600), normal(600, 5)
    assert linear_probe_accuracy(noise, forgotten).item() == pytest.approx(0.5, abs=0.08)
    assert linear_probe_accuracy(noise + 20 * forgotten[:, None], forgotten) == 1


@pytest.mark.parametrize("every", [2, 3, 10])
def test_equal_features_give_exactly_one_half(every):
    assert linear_probe_accuracy(torch.full((60, 3), 0.3), marked(every=every)) == 0.5


def test_the_probe_sees_a_class_that_the_head_hides():
    """Logits that never name class 0 while a hidden feature still marks it."""
    forgotten, hidden = marked(), normal(60, 4)
    hidden[:, 0] = torch.where(forgotten, 3.0, -3.0)
    head = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]).double()
    assert not ((hidden @ head.T + torch.tensor([-100.0, 0, 0])).argmax(1) == 0).any()
    assert linear_probe_accuracy(hidden, forgotten) == 1


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_the_probe_does_not_see_the_order_of_samples_nor_scale(seed):
    x, forgotten = normal(40, 3, seed=seed) + marked(40)[:, None], marked(40)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(40))
    value = linear_probe_accuracy(x, forgotten)
    assert linear_probe_accuracy(x[order], forgotten[order]) == value
    assert linear_probe_accuracy(x * 1024, forgotten) == value


def test_the_probe_depends_on_its_seed_only_through_the_folds():
    x = normal(60, 5) + 0.5 * marked()[:, None]
    values = {linear_probe_accuracy(x, marked(), seed=seed).item() for seed in range(5)}
    assert len(values) > 1
    metric = LinearProbeAccuracy(folds=3, seed=4)
    metric.update(x, marked().long())
    assert metric.compute() == linear_probe_accuracy(x, marked(), folds=3, seed=4)


def test_the_probe_refuses():
    x = normal(60, 5)
    with pytest.raises(ValueError, match="`folds` must be an integer of at least 2, found 1"):
        LinearProbeAccuracy(folds=1)
    with pytest.raises(ValueError, match=r"on either side, found 4 forgotten samples"):
        linear_probe_accuracy(x, torch.arange(60) < 4)
    with pytest.raises(ValueError, match=r"on either side, found 4 other samples"):
        linear_probe_accuracy(x, torch.arange(60) >= 4)
    with pytest.raises(
        ValueError, match=r"`forgotten` must be a bool tensor of shape \(60,\), found torch.f"
    ):
        LinearProbeAccuracy().update(x, marked().float())
    with pytest.raises(ValueError, match=r"`forgotten` must be .* of shape \(59,\)"):
        LinearProbeAccuracy().update(x, marked(59))
    with pytest.raises(ValueError, match="`features` must have at least one column"):
        LinearProbeAccuracy().update(x[:, :0], marked())
