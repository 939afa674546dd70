"""Objectives on logits: `Uniform`, `Bounded` and `Confusion`, against closed forms in NumPy."""

import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from lightning_unlearn import Bounded, ConfigurationError, Confusion, Uniform
from lightning_unlearn.objectives import Context

N, D, C = 6, 5, 4


def no_training_loss(batch):
    raise AssertionError("an objective on logits must not run the user's training_step")


CONTEXT = Context(no_training_loss)


def setting(scale=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    module = torch.nn.Linear(D, C, bias=False).to(dtype)
    with torch.no_grad():
        module.weight.copy_(scale * torch.randn(C, D, generator=generator))
    inputs = torch.randn(N, D, generator=generator).to(dtype)
    labels = torch.tensor([0, 1, 2, 3, 1, 2])
    return module, (inputs, labels)


def uniform(z, y):
    """Value, and derivative with respect to the logits."""
    return -log_softmax(z, axis=1).mean() - math.log(C), (softmax(z, axis=1) - 1 / C) / N


def bounded(z, y, offset=1e-6):
    p, hot = softmax(z, axis=1), np.eye(C)[y]
    py = (p * hot).sum(1, keepdims=True)
    return -np.log(1 - py + offset).mean(), py * (hot - p) / (1 - py + offset) / N


def confusion(z, y, offset=0.05, weight=0.2):
    value, slope = bounded(z, y, offset)
    p = softmax(z, axis=1)
    negative = (p * np.log(p)).sum(1, keepdims=True)
    return value + weight * negative.mean(), slope + weight * p * (np.log(p) - negative) / N


CASES = [
    *[(Uniform(), uniform), (Bounded(), bounded), (Bounded(offset=0.1), lambda z, y: bounded(z, y, 0.1))],
    *[(Confusion(), confusion), (Confusion(0.1, 0.0), lambda z, y: bounded(z, y, 0.1))],
]
by_case = pytest.mark.parametrize(("objective", "reference"), CASES, ids=[repr(o) for o, _ in CASES])


@by_case
@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 3.0])
def test_value_and_gradient(objective, reference, scale):
    module, (inputs, labels) = setting(scale)
    loss = objective.loss(module, (inputs, labels), CONTEXT)
    loss.backward()
    value, slope = reference((inputs @ module.weight.T).detach().numpy(), labels.numpy())
    assert loss.ndim == 0
    assert float(loss.detach()) == pytest.approx(value, rel=1e-11, abs=1e-14)
    np.testing.assert_allclose(module.weight.grad, slope.T @ inputs.numpy(), rtol=1e-9, atol=1e-13)


@by_case
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_is_computed_in_float32(objective, reference, dtype):
    module, batch = setting(0.5, dtype)
    logits = module(batch[0]).detach()
    loss = objective.loss(torch.nn.Identity(), (logits, batch[1]), CONTEXT)
    assert loss.dtype == torch.float32
    value, _ = reference(logits.double().numpy(), batch[1].numpy())
    assert float(loss) == pytest.approx(value, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("offset", [1e-6, 1e-3, 0.5])
def test_bounded_has_the_bounds_it_promises(offset):
    certain = torch.tensor([[200.0, 0.0, 0.0, 0.0]])
    loss = [
        float(Bounded(offset=offset).loss(torch.nn.Identity(), (certain, torch.tensor([label])), CONTEXT))
        for label in (0, 1)
    ]
    assert loss[0] == pytest.approx(-math.log(offset), rel=1e-6)
    assert loss[1] == pytest.approx(-math.log1p(offset), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("gap", [0.0, 20.0, 200.0, 1e4])
@pytest.mark.parametrize("objective", [Uniform(), Bounded()])
def test_gradients_are_finite_however_sure_the_model_is(objective, gap):
    logits = torch.tensor([[gap, 0.0, 0.0, 0.0]] * 2, requires_grad=True)
    objective.loss(torch.nn.Identity(), (logits, torch.tensor([0, 1])), CONTEXT).backward()
    assert logits.grad.isfinite().all()


def test_bounded_loses_interest_in_what_is_forgotten():
    logits = torch.tensor([[-30.0, 0.0]], requires_grad=True)
    Bounded().loss(torch.nn.Identity(), (logits, torch.tensor([0])), CONTEXT).backward()
    assert logits.grad.abs().max() < 1e-12


def test_uniform_is_zero_for_equal_logits_and_positive_elsewhere():
    labels = torch.zeros(3, dtype=torch.long)
    equal = Uniform().loss(torch.nn.Identity(), (torch.full((3, C), 7.0), labels), CONTEXT)
    unequal = Uniform().loss(torch.nn.Identity(), (torch.randn(3, C), labels), CONTEXT)
    assert abs(float(equal)) < 1e-6
    assert float(unequal) > 1e-3


@by_case
def test_every_pixel_counts_as_a_sample(objective, reference):
    logits = torch.randn(2, C, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(18).reshape(2, 3, 3) % C
    flat = logits.movedim(1, -1).reshape(-1, C)
    loss = objective.loss(torch.nn.Identity(), (logits, labels), CONTEXT)
    expected = objective.loss(torch.nn.Identity(), (flat, labels.flatten()), CONTEXT)
    assert float(loss) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("make", [Uniform, Bounded])
def test_a_predict_reads_any_batch(make):
    module, (inputs, labels) = setting()
    objective = make(predict=lambda module, batch: (module(batch["x"]), batch["y"]))
    ours = objective.loss(module, {"x": inputs, "y": labels, "more": None}, CONTEXT)
    assert torch.equal(ours, make().loss(module, (inputs, labels), CONTEXT))
    assert torch.equal(ours, make().loss(module, [inputs, labels], CONTEXT))


class Other(torch.nn.Module):
    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, inputs):
        return self.output


LABELS = torch.tensor([0, 1])
REFUSED = {
    "a dict": (Other(torch.zeros(2, 3)), {"x": LABELS, "y": LABELS}, "batch of type dict"),
    "a triple": (Other(torch.zeros(2, 3)), (LABELS, LABELS, LABELS), "batch of type tuple"),
    "labels that are no tensor": (Other(torch.zeros(2, 3)), (LABELS, [0, 1]), "batch of type tuple"),
    "float labels": (Other(torch.zeros(2, 3)), (LABELS, LABELS.float()), "labels of torch.float32"),
    "no logits": (Other(torch.zeros(2)), (LABELS, LABELS), r"shape \(2,\)"),
    "a dict of outputs": (Other({"logits": torch.zeros(2, 3)}), (LABELS, LABELS), "found dict"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("objective", [Uniform(), Bounded()])
def test_what_cannot_be_read_asks_for_a_predict(objective, name):
    module, batch, message = REFUSED[name]
    with pytest.raises(ConfigurationError, match=f"`predict` must be given.*{message}.*Pass `predict=`"):
        objective.loss(module, batch, CONTEXT)


@pytest.mark.parametrize("offset", [0, 0.0, -1e-6, math.nan, math.inf, "1e-6", True, None])
def test_offset_must_be_positive(offset):
    with pytest.raises(ConfigurationError, match="`offset` must be a finite, positive number, found "):
        Bounded(offset=offset)
