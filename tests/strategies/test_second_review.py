"""Faults that a review has found, each as the user met it."""

import lightning.pytorch as L
import numpy as np
import pytest
import torch
from torchmetrics import Metric

from lightning_unlearn import ForgettingMonitor, Gradient, GradientSurgery, Uniform, UnlearningStrategy
from lightning_unlearn.passes import _running, _streams
from lightning_unlearn.passes.manual._coroutine import Coroutine
from tests.manual._modules import Gan, ManualNet
from tests.strategies import _fits as fits
from tests.strategies._modules import Net

CPU = torch.device("cpu")


def test_inner_products_of_groups_of_different_sizes():
    one, three = Gradient({"w": torch.ones(50)}), Gradient({n: torch.ones(10) for n in "xyz"})
    assert [float(value) for value in Gradient.dots((one, one), (three, three))] == [50.0, 30.0]


@pytest.mark.parametrize("granularity", ["model", "tensor"])
@pytest.mark.filterwarnings("ignore:.*not finite")
def test_a_coefficient_beyond_float32_leaves_the_retain_step(granularity):
    """A retain gradient near 0 and a huge forget gradient: their quotient is finite in float64 only."""
    net = Net().float()
    inputs, labels = (t.clone() for t in fits.samples(4, 1, torch.float32).tensors)
    small = torch.utils.data.TensorDataset(inputs * 1e-20, labels)
    large = torch.utils.data.TensorDataset(inputs.sign() * 1e18, labels)
    loaders = {
        "retain": torch.utils.data.DataLoader(small, 4),
        "forget": torch.utils.data.DataLoader(large, 4, generator=torch.Generator()),
    }
    fits.fit(net, loaders, GradientSurgery(alpha=1.0, granularity=granularity, when="always"), max_epochs=1)
    assert all(torch.isfinite(w).all() for w in fits.weights(net).values())


def test_a_projection_beyond_float32_is_not_finite():
    u, g = Gradient([torch.full((4,), 1e30)]), Gradient([torch.full((4,), 1e-15)])
    assert u.coefficient(g).isfinite()
    assert not u.project_off(g).norm().isfinite()


class Size(UnlearningStrategy):
    needs_retain = False

    def direction(self, forget, retain):
        gradient = forget.gradient()
        self.diagnostics = {"size": gradient.norm()}
        return gradient


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (Net, {"unlearn/size"}),
        (ManualNet, {"unlearn/size"}),
        (Gan, {"unlearn/optimizer_0/size", "unlearn/optimizer_1/size"}),
    ],
)
def test_diagnostics_without_a_retain_side_have_their_names(module, names):
    logger = fits.Recording()
    fits.fit(module(), {"forget": fits.sides()["forget"]}, Size(), logger=logger)
    assert {name for name in logger.names() if name.endswith("size")} == names


def test_a_pending_normal_of_numpy_is_not_lost():
    np.random.seed(3)
    np.random.random(2)
    _streams.record(CPU)
    without = np.random.get_state()
    np.random.seed(3)
    _streams.start(CPU, 1)
    np.random.seed(3)
    np.random.randn()  # as many draws as the two above, and a second number at hand
    streams = _streams.record(CPU)
    expected = np.random.randn(4)
    _streams.replay(streams, CPU)
    assert np.array_equal(np.random.randn(4), expected)
    assert without[2] == streams.numpy.state[2]


class WithOddBuffers(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor(0.5).expand(4), persistent=False)
        self.register_buffer("seen", torch.empty(0), persistent=False)

    def training_step(self, batch, batch_idx):
        if self.seen.numel() == 0:
            self.seen.resize_(3).fill_(1.0)
        self.seen += 1
        return super().training_step(batch, batch_idx)


def test_buffers_that_are_expanded_or_resized():
    module, alone = WithOddBuffers(), WithOddBuffers()
    fits.fit(module, fits.sides(), GradientSurgery(alpha=1.0))
    fits.fit(alone, fits.sides()["retain"])
    assert torch.equal(module.mean, alone.mean)
    assert torch.equal(module.seen, alone.seen)


class Decaying(Gan):
    """Changes its learning rate by hand."""

    def training_step(self, batch, batch_idx):
        super().training_step(batch, batch_idx)
        for optimizer in self.optimizers():
            optimizer.param_groups[0]["lr"] *= 0.9


def test_a_learning_rate_that_is_changed_by_hand_is_changed_once():
    module = Decaying()
    trainer = fits.fit(module, fits.sides(), GradientSurgery(alpha=1.0), max_epochs=1)
    start = Gan().configure_optimizers()[0].param_groups[0]["lr"]
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(start * 0.9**5, rel=1e-12)


def test_the_default_device_is_that_of_the_caller():
    found = []
    with torch.device("meta"):
        Coroutine(lambda: found.append(torch.empty(0).device.type), CPU).resume()
    Coroutine(lambda: found.append(torch.empty(0).device.type), CPU).resume()
    assert found == ["meta", "cpu"]


class KeepsTuples(Metric):
    full_state_update = False

    def __init__(self):
        super().__init__()
        self.add_state("masks", default=[], dist_reduce_fx=None)

    def update(self, size):
        self.masks.append((size, b"rle"))

    def compute(self):
        return torch.tensor(len(self.masks))


def test_metric_states_that_are_no_tensors_are_kept():
    metric, other = KeepsTuples(), KeepsTuples()
    metric.update(3)
    _running._fill(other, _running._state(metric))
    assert other.masks == [(3, b"rle")]


class Headless(Gan):
    forward = L.LightningModule.forward


def test_a_monitor_of_a_module_without_forward_asks_for_predict():
    with pytest.raises(
        ValueError, match=r"`predict` must be given when a module has no `forward`, found Headless"
    ):
        fits.fit(Headless(), fits.sides(), GradientSurgery(alpha=1.0), ForgettingMonitor())


def test_an_objective_that_does_not_reach_an_optimiser_names_it():
    def predict(module, batch):
        return module.generator(batch[0]), batch[1]

    with pytest.raises(
        ValueError, match=r"found none that does at a step of optimiser 0: the objective must depend"
    ):
        fits.fit(Gan(), fits.sides(), GradientSurgery(alpha=1.0, objective=Uniform(predict=predict)))
