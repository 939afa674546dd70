import functools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from lightning_unlearn.metrics import GaussianKLoM, KLoM
from lightning_unlearn.metrics.functional import (
    gaussian_klom,
    gaussian_klom_per_sample,
    klom,
    klom_per_sample,
    log_likelihood,
    logit_gap,
)

CEILING = math.log(1e5)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def published(p, q, bins=20):
    """As data-unlearning-bench counts: `digitize` gives the largest value a number beyond the last bin."""
    low, high = min(p.min(), q.min()), max(p.max(), q.max())
    edges = np.linspace(low, high, bins + 1)
    counts = [np.bincount(np.digitize(x, edges) - 1, minlength=bins)[:bins] for x in (p, q)]
    with np.errstate(invalid="ignore"):
        shares_p, shares_q = (c / c.sum() for c in counts)
    return stats.entropy(shares_p, np.where(shares_p > 0, np.maximum(shares_q, 1e-5), shares_q))


def test_two_bins_by_hand():
    """p = (¼, ¾), q = (½, ½)."""
    value = klom_per_sample(column(0, 1, 1, 1), column(0, 1), bins=2)
    assert value.item() == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5))


def test_the_largest_margin_is_counted_where_the_published_code_drops_it():
    p, q = column(0, 1, 1, 1), column(0, 0, 0, 1)
    assert published(p.numpy()[:, 0], q.numpy()[:, 0]) == 0  # what is left in either set is a single bin
    assert klom_per_sample(p, q).item() == pytest.approx(
        0.25 * math.log(0.25 / 0.75) + 0.75 * math.log(0.75 / 0.25)
    )
    assert math.isnan(published(np.ones(3), np.array([0.0, 0.0, 1.0])))
    assert klom_per_sample(column(1, 1, 1), column(0, 0, 1)).item() == pytest.approx(math.log(3))


@pytest.mark.parametrize("seed", range(5))
def test_but_for_the_largest_margin_it_is_the_published_number(seed):
    p, q = (normal(seed, 100, 1) + 0.5).numpy()[:, 0], normal(seed + 100, 80, 1).numpy()[:, 0]
    low, high = min(p.min(), q.min()), max(p.max(), q.max())

    def divergence(*sets):
        shares_p, shares_q = (np.histogram(x, 20, (low, high))[0] / len(x) for x in sets)
        return stats.entropy(shares_p, np.where(shares_p > 0, np.maximum(shares_q, 1e-5), shares_q))

    assert published(p, q) == pytest.approx(divergence(p[p < high], q[q < high]))
    ours = klom_per_sample(torch.from_numpy(p)[:, None], torch.from_numpy(q)[:, None]).item()
    assert ours == pytest.approx(divergence(p, q))
    assert ours != pytest.approx(published(p, q))


def test_margins_apart_have_the_largest_value():
    p, q = column(1, 1.01, 1.02), column(0, 0.01, 0.02, 0.03)
    assert klom(p, q).item() == pytest.approx(CEILING, abs=1e-4)


@pytest.mark.parametrize("value", [0.0, -3.5, 1e-300, 1e6])
def test_margins_that_are_all_equal_do_not_differ(value):
    assert klom(torch.full((3, 2), value), torch.full((5, 2), value)) == 0
    assert gaussian_klom(torch.full((3, 2), value), torch.full((5, 2), value)) == 0


def test_one_model_each():
    assert klom(column(0.0), column(0.0)) == 0
    assert klom(column(0.0), column(1.0)).item() == pytest.approx(CEILING, abs=1e-4)


def test_margins_are_clipped():
    p, q = column(0, 50, 100), column(0, 0, 50)
    huge = torch.where(p == 100, 1e30, p)
    assert klom(huge, q) == klom(p, q)
    assert klom(column(101, 1e9), column(150, 200)) == 0


def test_with_fewer_models_than_bins_it_sees_no_distance():
    """As the docstring warns: two sets of one kind look as different as sets far apart."""
    near, far = (klom(normal(0, 8, 50) + shift, normal(1, 8, 50), bins=200) for shift in (0, 20))
    assert near > 0.9 * far


finite = st.floats(-200, 200).map(lambda x: round(x, 1))
margins = st.integers(1, 6).flatmap(
    lambda s: st.tuples(*(arrays(float, st.tuples(st.integers(4, 9), st.just(s)), elements=finite),) * 2)
)


@settings(max_examples=60, deadline=None)
@given(margins)
def test_its_range_and_what_it_does_not_depend_on(both):
    p, q = map(torch.from_numpy, both)
    values = klom_per_sample(p, q)
    assert values.shape == p.shape[1:]
    assert ((values >= 0) & (values <= CEILING + 1e-3)).all()
    assert torch.equal(klom_per_sample(p.flip(0), q.roll(1, 0)), values)
    assert torch.allclose(klom_per_sample(p.repeat(3, 1), q.repeat(2, 1)), values)
    assert klom(p, p) == 0
    one_by_one = [klom_per_sample(p[:, s : s + 1], q[:, s : s + 1]) for s in range(p.shape[1])]
    assert torch.equal(torch.cat(one_by_one), values)


@pytest.mark.parametrize("aggregate", [torch.mean, torch.median, functools.partial(torch.quantile, q=0.95)])
def test_the_number_is_made_of_the_samples(aggregate):
    p, q = normal(0, 30, 9) + torch.arange(9) / 4, normal(1, 20, 9)
    assert klom(p, q, aggregate=aggregate) == aggregate(klom_per_sample(p, q)).float()
    assert gaussian_klom(p, q, aggregate=aggregate) == aggregate(gaussian_klom_per_sample(p, q)).float()


def test_margins_are_logit_gaps():
    logits, labels = normal(0, 5, 3), torch.tensor([0, 1, 2, 0, 1])
    p = log_likelihood(logits, labels).exp()
    assert torch.allclose(logit_gap(logits, labels), p.log() - (1 - p).log())


@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (1, 1), (0, 3), (-2, 0.5)])
def test_gaussian_is_right_for_many_models_and_unbiased_for_few(mean, deviation):
    def integrand(x):
        density = stats.norm.pdf(x, mean, deviation)
        return density * (stats.norm.logpdf(x, mean, deviation) - stats.norm.logpdf(x))

    true, _ = integrate.quad(integrand, mean - 12 * deviation, mean + 12 * deviation)
    many = gaussian_klom(normal(0, 200_000, 1) * deviation + mean, normal(1, 200_000, 1))
    assert many.item() == pytest.approx(true, abs=0.02 * (1 + true))
    few = gaussian_klom_per_sample(normal(2, 6, 40_000) * deviation + mean, normal(3, 9, 40_000))
    error = few.std().item() / math.sqrt(len(few))
    assert few.mean().item() == pytest.approx(true, abs=4 * error)


def test_control_the_plain_estimate_is_biased_as_it_is_said():
    p, q = normal(0, 10, 40_000), normal(1, 10, 40_000)
    plain = (q.var(0).log() - p.var(0).log() + (p.var(0) + (p.mean(0) - q.mean(0)) ** 2) / q.var(0) - 1) / 2
    assert plain.mean().item() == pytest.approx(0.27, abs=0.01)
    assert abs(gaussian_klom(p, q).item()) < 0.01


def test_gaussian_without_spread():
    spread, point = column(0, 1, 2, 3, 4), column(*[0.1] * 5)
    for p, q in [(point, spread), (spread, point), (point, point + 1)]:
        assert gaussian_klom(p, q) == math.inf
    assert gaussian_klom(point, point) == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-50, 50))
def test_gaussian_does_not_depend_on_scale_and_origin(seed, scale, origin):
    p, q = normal(seed, 5, 4) * 2, normal(seed + 1, 7, 4)
    moved = gaussian_klom_per_sample(p * scale + origin, q * scale + origin)
    assert torch.allclose(moved, gaussian_klom_per_sample(p, q), rtol=1e-6, atol=1e-6)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(gaussian_klom_per_sample(p[order], q), gaussian_klom_per_sample(p, q))


@pytest.mark.parametrize("function", [klom, gaussian_klom])
@pytest.mark.parametrize(
    ("p", "q", "message"),
    [
        (
            torch.zeros(4),
            torch.zeros(4, 2),
            r"`unlearned_margins` must have the shape \(M, S\), found \(4,\)",
        ),
        (torch.zeros(4, 2), torch.zeros(1, 4, 2), r"`oracle_margins` must have the shape \(M, S\), found"),
        (torch.zeros(0, 2), torch.zeros(4, 2), "`unlearned_margins` must hold at least .* models, found 0"),
        (torch.zeros(4, 2), torch.zeros(0, 2), "`oracle_margins` must hold at least .* models, found 0"),
        (torch.zeros(4, 0), torch.zeros(4, 0), "`unlearned_margins` must hold at least 1 sample, found 0"),
        (torch.zeros(4, 2), torch.zeros(4, 3), "must hold the same samples, found 2 and 3. Pass"),
        (torch.full((4, 2), math.nan), torch.zeros(4, 2), "must be finite, found 4 of 4 models"),
        (torch.zeros(4, 2), torch.full((4, 2), -math.inf), "`oracle_margins` must be finite, found 4 of 4"),
    ],
)
def test_margins_that_do_not_fit(function, p, q, message):
    with pytest.raises(ValueError, match=message):
        function(p, q)


@pytest.mark.parametrize(("m", "k", "name"), [(1, 4, "unlearned_margins"), (2, 3, "oracle_margins")])
def test_too_few_models_for_normals(m, k, name):
    with pytest.raises(ValueError, match=f"`{name}` must hold at least {2 if m == 1 else 4} models, found"):
        gaussian_klom(torch.zeros(m, 2), torch.zeros(k, 2))


@pytest.mark.parametrize("bins", [1, 0, 2.5, True])
def test_bins_that_do_not_fit(bins):
    for make in (lambda: klom(torch.zeros(2, 2), torch.zeros(2, 2), bins=bins), lambda: KLoM(bins)):
        with pytest.raises(ValueError, match="`bins` must be an integer of at least 2, found"):
            make()


@pytest.mark.parametrize("metric", [KLoM, GaussianKLoM])
def test_models_that_do_not_fit(metric):
    metric = metric()
    with pytest.raises(ValueError, match=r"`gaps` must have the shape \(M, S\), found \(3,\)"):
        metric.update(torch.zeros(3), torch.zeros(3, dtype=torch.bool))
    with pytest.raises(
        ValueError, match=r"`reference` must be a bool tensor of shape \(3,\), found torch.int64"
    ):
        metric.update(torch.zeros(3, 2), torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match=r"shape \(3,\), found torch.bool of shape \(2,\)"):
        metric.update(torch.zeros(3, 2), torch.zeros(2, dtype=torch.bool))
    metric.update(torch.zeros(3, 2), torch.zeros(3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"`gaps` must have the shape \(M, 2\), found \(3, 4\)"):
        metric.update(torch.zeros(3, 4), torch.zeros(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="`oracle_margins` must hold at least"):
        metric.compute()


def test_its_null_is_not_zero():
    """The figure of docs/metrics.md: 100 oracles against 100 others, 20 bins."""
    generator = torch.Generator().manual_seed(0)
    oracles, others = (torch.randn(100, 2000, generator=generator, dtype=torch.float64) for _ in range(2))
    assert klom(oracles, others).item() == pytest.approx(0.36, abs=0.01)
