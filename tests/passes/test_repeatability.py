"""A pass is a function of the batch and the weights: repeated, it gives the same numbers, whatever it draws."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lightning_unlearn import FineTune, GradientDifference, Relabel
from lightning_unlearn.objectives import Context
from lightning_unlearn.passes import _streams
from tests.strategies import _fits as fits
from tests.strategies._modules import Net, Traces
from tests.strategies._probes import Asking

CPU = torch.device("cpu")


class Dropping(Net):
    """Half of the hidden units are dropped, and every stream is drawn from."""

    def build(self):
        return nn.Sequential(
            nn.Linear(fits.FEATURES, 32), nn.Dropout(0.5), nn.Tanh(), nn.Linear(32, fits.CLASSES)
        )

    def training_step(self, batch, batch_idx):
        self.calls += 1
        inputs = batch[0] * (1 + random.random()) + np.random.rand() * torch.rand(())
        return cross_entropy(self(inputs), batch[1])


def nothing(gradient):
    return gradient * 0.0


@pytest.mark.parametrize("module", [Dropping, Traces])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_repeated_retain_pass_is_the_same_bit_for_bit(module, accumulate):
    def ask(forget, retain):
        forget.gradient()  # a pass in between
        return retain.gradient().clone(), retain.gradient(at=nothing(retain.gradient()))

    strategy = Asking(ask)
    loaders = fits.shuffled_sides(torch.float32 if module is Traces else torch.float64)
    fits.fit(module(), loaders, strategy, accumulate_grad_batches=accumulate)
    for own, repeated in strategy.answers:
        assert float(own.norm()) > 1e-3
        assert all(torch.equal(a, b) for a, b in zip(own.tensors, repeated.tensors, strict=True))


def test_a_repeated_forget_pass_is_the_same_bit_for_bit():
    strategy = Asking(lambda f, r: (f.gradient().clone(), f.gradient(at=nothing(r.gradient()))))
    fits.fit(Dropping(), fits.sides(), strategy)
    for first, second in strategy.answers:
        assert all(torch.equal(a, b) for a, b in zip(first.tensors, second.tensors, strict=True))


def test_the_forget_stream_is_a_function_of_seed_and_step():
    class Still(Dropping):
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

    def run(seed, spend):
        torch.manual_seed(spend)
        strategy = Asking(lambda f, r: f.gradient().clone(), seed=seed)
        fits.fit(Still(), fits.sides(4, 4), strategy, max_epochs=3)
        return strategy.answers

    one, again, other = run(0, 1), run(0, 2), run(1, 1)
    assert [float((a - b).norm()) for a, b in zip(one, again, strict=True)] == [0.0] * 3
    assert min(float((a - b).norm()) for a, b in zip(one, other, strict=True)) > 1e-3
    assert float((one[0] - one[1]).norm()) > 1e-3, "the same noise at every step"


def test_every_stream_starts_from_the_key_and_comes_back():
    def draw():
        return torch.rand(()).item(), random.random(), np.random.rand()

    before = fits.streams()
    with _streams.isolated(CPU):
        _streams.start(CPU, 1, 2, 3)
        first = draw()
        _streams.start(CPU, 1, 2, 4)
        other = draw()
        _streams.start(CPU, 1, 2, 3)
        assert draw() == first
        assert all(a != b for a, b in zip(first, other, strict=True))
        recorded = _streams.record(CPU)
        follows = draw()
        _streams.replay(recorded, CPU)
        assert draw() == follows
    assert fits.streams() == before


def test_streams_come_back_after_an_exception():
    @_streams.isolated(CPU)
    def fail():
        torch.rand(3), random.random(), np.random.rand()
        raise KeyError

    before = fits.streams()
    with pytest.raises(KeyError):
        fail()
    assert fits.streams() == before


# ---- rows --------------------------------------------------------------------------------------------------------
def context(step, micro_batch=0, rank=0, world_size=1):
    return Context(lambda batch: None, step, micro_batch, rank, world_size)


@pytest.mark.parametrize(("parts", "world_size"), [(1, 1), (4, 1), (1, 4), (2, 2), (2, 3)])
def test_rows_number_the_samples_of_a_window_once(parts, world_size):
    samples = 3
    rows = [
        row
        for micro in range(parts)
        for rank in range(world_size)
        for row in context(0, micro, rank, world_size).rows(samples).tolist()
    ]
    assert sorted(rows) == list(range(samples * parts * world_size))


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_random_labels_follow_rows_and_steps_and_are_never_the_true_one(classes):
    objective = Relabel(classes)
    labels = torch.arange(12) % classes
    batch = (torch.zeros(12, 1), labels)
    whole = objective.relabelled(batch, context(7))[1]
    halves = [
        objective.relabelled((batch[0][6 * m : 6 * m + 6], labels[6 * m : 6 * m + 6]), context(7, m))[1]
        for m in range(2)
    ]
    ranks = [objective.relabelled((batch[0][r::2], labels[r::2]), context(7, 0, r, 2))[1] for r in range(2)]
    assert torch.equal(torch.cat(halves), whole)
    assert torch.equal(torch.stack(ranks, dim=1).flatten(), whole)
    assert not (whole == labels).any()
    if classes > 2:
        assert not torch.equal(whole, objective.relabelled(batch, context(8))[1])
        assert not torch.equal(whole, Relabel(classes, seed=1).relabelled(batch, context(7))[1])


def test_random_labels_do_not_touch_the_streams_of_a_fit():
    ends = []
    for strategy in (FineTune(), GradientDifference(0.0, objective=Relabel(fits.CLASSES))):
        fits.seed_all()
        module = Dropping()
        fits.fit(module, fits.sides(), strategy)
        ends.append(fits.weights(module))
    assert fits.same(*ends)
