"""What users' modules keep between batches, and what a forget batch must not change in it."""

import pytest
import torch
import torchmetrics
from torch import nn
from torch.nn.functional import cross_entropy

from lightning_unlearn import GradientAscent, GradientSurgery
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._modules import BatchNormed, Net, plain_sgd
from tests.strategies._probes import Nosy


class Replacing(Net):
    """Puts a new tensor in the place of its buffer at every batch."""

    def __init__(self):
        super().__init__(dtype=torch.float32)
        self.register_buffer("level", torch.zeros(()))

    def training_step(self, batch, batch_idx):
        self.level = 0.9 * self.level + 0.1 * batch[0].mean()
        self.log("level", self.level)
        return cross_entropy(self(batch[0] - self.level), batch[1])


class Measured(Net):
    """Logs what a metric object says of the batch, and of all of them."""

    def __init__(self, metric):
        super().__init__(dtype=torch.float32)
        self.metric = metric

    def training_step(self, batch, batch_idx):
        loss = cross_entropy(self(batch[0]), batch[1])
        value = self.metric(loss.detach())
        value = value if isinstance(value, dict) else {"value": value}
        self.log_dict({name: v.float().sum() for name, v in value.items()})
        return loss

    def on_train_epoch_end(self):
        total = self.metric.compute()
        total = total if isinstance(total, dict) else {"value": total}
        self.log_dict({f"epoch_{name}": v.float().sum() for name, v in total.items()})


METRICS = {
    "mean": torchmetrics.MeanMetric,
    "max": torchmetrics.MaxMetric,
    "cat": torchmetrics.CatMetric,
    "running-mean": lambda: torchmetrics.RunningMean(window=4),
    "running-wrapper": lambda: torchmetrics.wrappers.Running(torchmetrics.SumMetric(), window=2),
    "min-max-wrapper": lambda: torchmetrics.MinMaxMetric(torchmetrics.MeanMetric()),
    "collection": lambda: torchmetrics.MetricCollection(
        [torchmetrics.MeanMetric(), torchmetrics.SumMetric()]
    ),
}


@pytest.mark.parametrize("name", METRICS)
def test_metric_objects_have_seen_the_retain_side_alone(name):
    laws.leaves_no_trace(Nosy, lambda: Measured(METRICS[name]()))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_buffers_that_are_replaced_come_back(accumulate):
    laws.leaves_no_trace(Nosy, Replacing, accumulate_grad_batches=accumulate)


class Spectral(Net):
    def __init__(self):
        super().__init__(dtype=torch.float32)

    def build(self):
        first = nn.utils.parametrizations.spectral_norm(nn.Linear(fits.FEATURES, 5))
        return nn.Sequential(first, nn.Tanh(), nn.Linear(5, fits.CLASSES))


def test_power_iterations_come_back():
    laws.leaves_no_trace(Nosy, Spectral)


def test_a_retain_free_run_leaves_running_statistics_alone():
    module = BatchNormed()
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    start = fits.weights(module)
    fits.fit(module, {"forget": fits.shuffled_sides()["forget"]}, GradientAscent())
    assert fits.same(before, dict(module.named_buffers()))
    assert not fits.same(start, fits.weights(module))


def test_a_retain_free_run_that_fails_leaves_running_statistics_alone():
    class Failing(BatchNormed):
        def training_step(self, batch, batch_idx):
            super().training_step(batch, batch_idx)
            raise RuntimeError("as planned")

    module = Failing()
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    with pytest.raises(RuntimeError, match="as planned"):
        fits.fit(module, {"forget": fits.shuffled_sides()["forget"]}, GradientAscent())
    assert fits.same(before, dict(module.named_buffers()))


def test_a_retain_free_run_leaves_metric_objects_alone():
    class Watched(Measured):
        def on_train_epoch_end(self):
            assert self.metric._update_count == 0

    logger = fits.Recording()
    module = Watched(torchmetrics.MeanMetric())
    fits.fit(module, {"forget": fits.shuffled_sides()["forget"]}, GradientAscent(), logger=logger)
    assert logger.names() == {"unlearn/forget/value", "epoch"}


def test_control_statistics_of_a_plain_fit_do_move():
    module = BatchNormed()
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    fits.fit(module, fits.shuffled_sides(), GradientSurgery(alpha=1.0))
    assert not fits.same(before, dict(module.named_buffers()))


def test_the_first_pass_of_both_sides_starts_from_the_same_statistics():
    """The forget pass of a window sees the buffers that its retain pass has seen, not those it left."""
    seen = {"retain": [], "forget": []}

    class Watching(BatchNormed):
        def training_step(self, batch, batch_idx):
            side = "forget" if len(seen["retain"]) > len(seen["forget"]) else "retain"
            seen[side].append(int(self.net[1].num_batches_tracked))
            return super().training_step(batch, batch_idx)

        def configure_optimizers(self):
            return plain_sgd(self.parameters())

    fits.fit(Watching(), fits.shuffled_sides(), GradientSurgery(alpha=1.0), max_epochs=1)
    assert seen["retain"] == seen["forget"] == list(range(5))
