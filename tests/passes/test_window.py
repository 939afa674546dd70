"""Accumulation windows: where they end, and losses that are not there."""

import random

import lightning.pytorch as L
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from lightning_unlearn import FineTune, GradientAscent, GradientDifference
from lightning_unlearn.passes._window import MicroBatch
from tests.strategies import _fits as fits
from tests.strategies._modules import Net
from tests.strategies._probes import Asking, Nosy


class Endless(IterableDataset):
    """A stream of a known number of samples, and of no known length."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return iter(fits.samples(self.count, 1))


class Compare(L.Callback):
    """Compares the formula with Lightning's private predicate, and counts combinations."""

    def __init__(self):
        self.seen, self.told = [], []

    def on_after_backward(self, trainer, pl_module):
        session = next(c for c in trainer.callbacks if isinstance(c, FineTune))._session
        self.seen.append(session.at_boundary(trainer.fit_loop.batch_idx))
        self.told.append(not trainer.fit_loop._should_accumulate())


def random_setting(stream):
    retain = stream.randint(1, 9)
    setting = {
        "retain": retain,
        "accumulate_grad_batches": stream.randint(1, 6),
        "max_epochs": stream.randint(1, 3),
        "iterable": stream.random() < 0.3,
    }
    if stream.random() < 0.3:
        setting["limit_train_batches"] = stream.randint(1, retain)
    if stream.random() < 0.3:
        setting["max_steps"] = stream.randint(1, 6)
    return setting


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.filterwarnings("ignore:.*smaller than the logging interval")
def test_the_boundary_is_lightnings(seed):
    setting = random_setting(random.Random(seed))
    count, iterable = 2 * setting.pop("retain"), setting.pop("iterable")
    data = Endless(count) if iterable else fits.samples(count, 1)
    compare = Compare()
    run = fits.fit(Net(), {"retain": DataLoader(data, 2)}, compare, FineTune(), **setting)
    assert compare.seen == compare.told
    assert sum(compare.seen) == run.global_step > 0


def test_the_boundary_follows_an_accumulation_schedule():
    compare = Compare()
    schedule = L.callbacks.GradientAccumulationScheduler({0: 2, 1: 3, 2: 1})
    run = fits.fit(Net(), fits.sides(), schedule, compare, FineTune(), max_epochs=3)
    assert compare.seen == compare.told
    assert run.global_step == 3 + 2 + 5


def test_a_batch_is_handed_over_in_containers_of_its_own():
    tensor = torch.zeros(2)
    micro = MicroBatch({"forget": {"x": tensor, "more": [tensor]}}, 0)
    first = micro.half("forget", torch.device("cpu"), "device")
    first.pop("x")
    first["more"].clear()
    second = micro.half("forget", torch.device("cpu"), "device")
    assert second["x"] is tensor
    assert second["more"][0] is tensor


# ---- a `training_step` that returns None -------------------------------------------------------------------------
LIGHTNINGS_OWN = "ignore:`training_step` returned `None`"
OURS = "ignore:`training_step` returned None for the last batch"


class Silent(Net):
    """Has no loss for batches whose first input is among `rows`."""

    def __init__(self, *batches):
        super().__init__()
        self.rows = {tuple(batch[0][0].tolist()) for batch in batches}

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        return None if tuple(batch[0][0].tolist()) in self.rows else loss


def batches(side):
    return list(fits.sides(20, 20)[side])


def end_of(module, loaders, strategy, **arguments):
    fits.fit(module, loaders, strategy, max_epochs=1, **arguments)
    return fits.weights(module)


@pytest.mark.filterwarnings("ignore:No forget batch so far gave a loss")
def test_forget_batches_without_a_loss_leave_the_retain_gradient():
    silent = end_of(Silent(*batches("forget")), fits.sides(20, 20), GradientDifference(alpha=0.5))
    assert fits.same(silent, end_of(Net(), fits.sides(20, 20), FineTune()))


def test_a_forget_batch_without_a_loss_counts_as_zero_in_its_window():
    strategy = Asking(lambda f, r: (f.gradient().clone(), float(f.loss)))
    end_of(Silent(batches("forget")[1]), fits.sides(20, 20), strategy, accumulate_grad_batches=2)
    other = Asking(lambda f, r: (f.gradient().clone(), float(f.loss)))
    module = Net()
    fits.fit(module, fits.sides(20, 20), other, max_steps=1)
    (halved, loss), (alone, loss_alone) = strategy.answers[0], other.answers[0]
    assert float((halved * 2.0 - alone).norm()) <= 1e-14
    assert loss == pytest.approx(loss_alone, abs=1e-14)


@pytest.mark.filterwarnings(LIGHTNINGS_OWN)
def test_a_retain_batch_without_a_loss_inside_a_window_is_left_out_of_it():
    losses = Asking(lambda f, r: (float(r.loss), r.gradient().clone(), r.gradient(at=r.gradient() * 0.0)))
    end_of(Silent(batches("retain")[0]), fits.sides(), losses, accumulate_grad_batches=2)
    loss, own, repeated = losses.answers[0]
    assert float((own - repeated).norm()) == 0.0
    net = Net()
    expected = torch.nn.functional.cross_entropy(net(batches("retain")[1][0]), batches("retain")[1][1])
    assert loss == pytest.approx(float(expected.detach()), abs=1e-14)


@pytest.mark.filterwarnings(LIGHTNINGS_OWN)
def test_a_last_retain_batch_without_a_loss_still_combines_its_window():
    strategy = Asking(lambda f, r: float(f.gradient().norm()))
    with pytest.warns(UserWarning, match="returned None for the last batch of an accumulation window"):
        end_of(Silent(batches("retain")[1]), fits.sides(), strategy, accumulate_grad_batches=2)
    assert len(strategy.answers) == 3
    assert strategy.progress.step == 3


@pytest.mark.filterwarnings(LIGHTNINGS_OWN)
@pytest.mark.filterwarnings(OURS)
def test_a_window_without_a_retain_loss_is_lightnings_empty_step():
    module = Silent(*batches("retain"))
    start = fits.weights(module)
    strategy = Nosy()
    fits.fit(module, fits.sides(), strategy, max_epochs=1)
    assert fits.same(start, fits.weights(module))


@pytest.mark.filterwarnings(LIGHTNINGS_OWN)
@pytest.mark.filterwarnings(OURS)
def test_a_retain_free_run_without_a_loss_does_not_move():
    module = Silent(*batches("forget"))
    start = fits.weights(module)
    fits.fit(module, {"forget": fits.sides(20, 20)["forget"]}, GradientAscent(), max_epochs=1)
    assert fits.same(start, fits.weights(module))
