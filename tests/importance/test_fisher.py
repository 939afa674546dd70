"""The diagonal Fisher information, against a loop of single samples in NumPy."""

import copy
import dataclasses
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_unlearn import ConfigurationError
from lightning_unlearn.importance import _squares, diagonal_fisher
from tests.importance._asked import asked, by_hand, loader, of_pairs
from tests.strategies import _fits as fits
from tests.strategies._modules import Net


class Convolutions(Net):
    """Strides, groups, batch normalisation in evaluation mode, a shared weight."""

    def build(self):
        shared = nn.Linear(4, 4)
        convolution = nn.Conv1d(2, 4, 2, stride=2, groups=2)
        return nn.Sequential(
            nn.Unflatten(1, (2, 2)), convolution, nn.BatchNorm1d(4), nn.Flatten(), shared, nn.Tanh(), shared,
            nn.Dropout(0.5), nn.Linear(4, fits.CLASSES),
        )  # fmt: skip


class Branching(Net):
    """What it does depends on the data, which `vmap` cannot follow."""

    def forward(self, inputs):
        return self.net(inputs) * (2.0 if inputs.sum() > 0 else 1.0)


class Summed(Branching):
    """The same without a branch."""

    def forward(self, inputs):
        return self.net(inputs) * torch.where(inputs.sum(1, keepdim=True) > 0, 2.0, 1.0)


def fishers(module, loaders=None, losses=of_pairs, **arguments):
    """Of both sides."""

    def ask(user, forget, retain):
        return [diagonal_fisher(user, side, losses, **arguments) for side in (forget, retain)]

    return asked(ask, module, loaders)


def close(found, expected):
    assert {f"net.{name}" for name in expected} == set(found)
    for name, value in expected.items():
        np.testing.assert_allclose(found[f"net.{name}"].numpy(), value, rtol=1e-11, atol=1e-16)


@pytest.fixture
def ways(monkeypatch):
    """Which of the two ways were gone."""
    gone = []
    for name in ("_together", "_one_by_one"):
        real = getattr(_squares.SampleSquares, name)

        def noting(self, rows, real=real, name=name):
            result = real(self, rows)
            gone.append(name)
            return result

        monkeypatch.setattr(_squares.SampleSquares, name, noting)
    return gone


@pytest.mark.parametrize("make", [Net, Convolutions])
@pytest.mark.parametrize("at_once", [1, 100, 2**26])
def test_of_samples_it_is_the_mean_of_their_squared_gradients(make, at_once, ways, monkeypatch):
    monkeypatch.setattr(_squares, "_AT_ONCE", at_once)
    module = make()
    net = copy.deepcopy(module.net)
    found = fishers(module)
    for fisher, count, seed in zip(found, (12, 20), (2, 1), strict=True):
        close(fisher.values, by_hand(net, fits.samples(count, seed)))
        assert fisher.batch_size == 1
    assert ways.count("_one_by_one") == 2, "of the first sample alone"


def test_of_samples_it_does_not_depend_on_the_size_of_batches():
    data = fits.samples(12, 2), fits.samples(20, 1)
    found = [
        fishers(Net(), {"forget": loader(data[0], size), "retain": loader(data[1], size)}) for size in (1, 5)
    ]
    for one, other in zip(*found, strict=True):
        assert fits.distance(one.values, other.values) <= 1e-15


def test_what_cannot_be_vectorised_goes_one_by_one(ways):
    branching, plain = fishers(Branching()), fishers(Summed())
    for one, other in zip(branching, plain, strict=True):
        assert fits.distance(one.values, other.values) <= 1e-15
    assert ways.count("_one_by_one") == 3 + 5 + 2
    assert ways.count("_together") == 3 + 5 + 2


class Holding(Net):
    """Uses its parameters from a list of its own."""

    def __init__(self):
        super().__init__()
        self.held = [*self.net.parameters()]

    def forward(self, inputs):
        a, b, c, d = self.held
        return torch.tanh(inputs @ a.T + b) @ c.T + d


def test_a_module_that_holds_its_parameters_elsewhere_goes_one_by_one(ways):
    for one, other in zip(fishers(Holding()), fishers(Net()), strict=True):
        assert fits.distance(one.values, other.values) <= 1e-15
    assert ways.count("_one_by_one") == 3 + 5 + 2 + 2


class Tied(Net):
    """Two layers with one weight."""

    def build(self):
        net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Linear(4, fits.CLASSES))
        net[2].weight = net[0].weight
        return net


def test_weights_in_two_places_count_with_both(ways):
    module = Tied()
    net = copy.deepcopy(module.net)
    for fisher, count, seed in zip(fishers(module), (12, 20), (2, 1), strict=True):
        close(fisher.values, by_hand(net, fits.samples(count, seed)))
    assert ways.count("_one_by_one") == 2, "of the first sample alone"
    assert module.net[2].weight is module.net[0].weight


@pytest.mark.parametrize("batch_size", [4, 8])
def test_of_batches_it_is_the_mean_of_their_squared_gradients_without_a_smaller_last_one(batch_size):
    module = Net()
    net = copy.deepcopy(module.net)
    sides = {"forget": fits.samples(12, 2), "retain": fits.samples(22, 1)}
    loaders = {side: loader(data, batch_size) for side, data in sides.items()}
    for fisher, data in zip(fishers(module, loaders, kind="batch"), sides.values(), strict=True):
        close(fisher.values, by_hand(net, data, batch_size))
        assert fisher.batch_size == batch_size


def test_control_squares_of_batches_are_another_thing():
    ours, theirs = fishers(Net())[1].values, fishers(Net(), kind="batch")[1].values
    assert fits.distance(ours, theirs) > 0.1 * max(float(t.max()) for t in ours.values())


@pytest.mark.parametrize("module", [Net, Branching])
def test_a_sample_that_is_not_finite_counts_as_one_without_a_gradient(module):
    clean = fishers(module())[0].values
    bad = fits.sides() | {"forget": fits.poisoned(fits.sides()["forget"], 1)}
    found = fishers(module(), bad)[0].values
    data = fits.samples(12, 2)
    kept = TensorDataset(*(torch.cat([t[:4], t[5:]]) for t in data.tensors))
    expected = fishers(module(), fits.sides() | {"forget": loader(kept)})[0].values
    assert fits.distance(found, {n: t * 11 / 12 for n, t in expected.items()}) <= 1e-15
    assert fits.distance(found, clean) > 1e-6


def test_frozen_parameters_have_none_and_unreached_ones_have_zeros():
    module = Net()
    module.net[0].requires_grad_(False)
    module.spare = nn.Linear(2, 2).double()
    (found, _) = fishers(module)
    assert set(found.values) == {"net.2.weight", "net.2.bias", "spare.weight", "spare.bias"}
    assert not found.values["spare.weight"].any()


@pytest.mark.parametrize("kind", ["sample", "batch"])
def test_it_leaves_no_trace(kind):
    def ask(user, forget, retain):
        user.train()
        buffers = {n: b.clone() for n, b in user.named_buffers()}
        streams = fits.streams()
        diagonal_fisher(user, retain, of_pairs, kind=kind)
        assert all(m.training for m in user.modules())
        assert fits.same(buffers, dict(user.named_buffers()))
        assert streams == fits.streams()
        assert all(p.grad is None and p.requires_grad for p in user.parameters())

    asked(ask, Convolutions())


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_in_half_precision_it_is_of_float32_and_about_right(precision):
    def ask(user, forget, retain):
        return diagonal_fisher(user, retain, of_pairs).values

    loaders = fits.sides(dtype=torch.float32)
    exact, rounded = (
        asked(ask, Net(dtype=torch.float32), loaders, precision=p) for p in ("32-true", precision)
    )
    assert {t.dtype for t in rounded.values()} == {torch.float32}
    assert fits.distance(exact, rounded) <= 0.05 * max(float(t.max()) for t in exact.values())


# ---- batches of every structure ----------------------------------------------------------------------------------
class Pair(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass
class Record:
    x: Any
    y: Any
    scale: float = 1.0


STRUCTURES = {
    "dict": (lambda x, y: {"x": x, "name": "n", "y": y}, lambda b: (b["x"], b["y"])),
    "nested": (lambda x, y: [(x, {"y": y}), 3], lambda b: (b[0][0], b[0][1]["y"])),
    "named-tuple": (Pair, lambda b: (b.x, b.y)),
    "dataclass": (Record, lambda b: (b.x, b.y)),
    "0-d": (lambda x, y: [torch.tensor(1.0), x, y], lambda b: (b[1], b[2])),
}


class Structured(Net):
    """Takes its batch apart."""

    def __init__(self, taken):
        super().__init__()
        self.taken = taken

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(self.taken(batch)[0]), self.taken(batch)[1])


@pytest.mark.parametrize("name", STRUCTURES)
def test_batches_may_have_any_structure(name, ways):
    make, taken = STRUCTURES[name]

    def collate(rows):
        return make(torch.stack([x for x, _ in rows]), torch.stack([y for _, y in rows]))

    loaders = {
        side: DataLoader(own.dataset, 4, collate_fn=collate, generator=torch.Generator())
        for side, own in fits.sides().items()
    }
    found = fishers(Structured(taken), loaders, lambda module, batch: of_pairs(module, taken(batch)))
    for one, other in zip(found, fishers(Net()), strict=True):
        assert fits.distance(one.values, other.values) == 0.0
    assert ways.count("_one_by_one") == 4, "of the first sample alone"


# ---- refused -----------------------------------------------------------------------------------------------------
def test_a_batch_without_rows_is_refused():
    class Opaque:
        def __init__(self, rows):
            self.x, self.y = (torch.stack(column) for column in zip(*rows, strict=True))

    loaders = {
        side: DataLoader(own.dataset, 4, collate_fn=Opaque, generator=torch.Generator())
        for side, own in fits.sides().items()
    }
    with pytest.raises(
        ConfigurationError, match="first dimension counts the samples, found none in a Opaque"
    ):
        fishers(Structured(lambda b: (b.x, b.y)), loaders, lambda module, b: of_pairs(module, (b.x, b.y)))


def test_a_loss_that_is_not_one_a_sample_is_refused():
    with pytest.raises(ConfigurationError, match=r"one loss in a batch of one sample, found shape \(1, 3\)"):
        fishers(Net(), losses=lambda module, batch: module(batch[0]))


def test_fewer_samples_than_a_full_batch_are_refused():
    loaders = fits.sides() | {"forget": loader(fits.samples(3, 2))}
    with pytest.raises(ConfigurationError, match="at least one full batch of 4 samples, found none"):
        fishers(Net(), loaders, kind="batch")


def test_an_unknown_batch_size_is_refused():
    batches = [tuple(batch) for batch in fits.sides()["forget"]]
    with pytest.raises(ConfigurationError, match="found a loader without `batch_size`"):
        fishers(Net(), fits.sides() | {"forget": batches}, kind="batch")
