"""Modules and losses that a strategy cannot work with, and odd ones that it can."""

import pytest
import torch
from lightning.pytorch import LightningModule
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from lightning_unlearn import (
    Ascent,
    FineTune,
    GradientAscent,
    GradientDifference,
    GradientSurgery,
    Objective,
    RetainSurgery,
)
from tests._refusing import refuse
from tests.strategies._fits import CLASSES, fit, same, samples, sides, weights
from tests.strategies._modules import Net, sgd


def loader(samples_=8, batch_size=4, **options):
    return DataLoader(samples(samples_, 1), batch_size, generator=torch.Generator(), **options)


@pytest.fixture(autouse=True)
def _no_file_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


# ---- the module ------------------------------------------------------------------------------------------------
class Iterating(Net):
    def training_step(self, dataloader_iter):
        raise AssertionError("must be refused before")


class Frozen(Net):
    def __init__(self):
        super().__init__()
        self.requires_grad_(False)

    def configure_optimizers(self):
        return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


class FrozenIterating(Frozen, Iterating):
    pass


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            Iterating,
            "`Iterating.training_step` must take a batch, found the argument `dataloader_iter`. Take `batch`",
        ),
        (Frozen, "`Frozen` must have a trainable parameter, found none with `requires_grad`. Unfreeze"),
        (
            FrozenIterating,
            ["`FrozenIterating.training_step` must", "`FrozenIterating` must have a trainable"],
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:You are using the `dataloader_iter` step flavor")
def test_a_module_that_does_not_fit(module, message):
    refuse(module(), sides(), GradientSurgery(alpha=1.0), match=message)


class Sparse(LightningModule):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, CLASSES, sparse=True)

    def training_step(self, batch, batch_idx):
        return cross_entropy(self.embedding(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("strategy", [GradientSurgery, FineTune, GradientAscent])
def test_sparse_gradients(strategy):
    words = DataLoader(
        TensorDataset(torch.arange(8), torch.arange(8) % CLASSES), 4, generator=torch.Generator()
    )
    data = {"forget": words} if strategy is GradientAscent else {"retain": words, "forget": words}
    message = (
        "Gradients must be dense, found a sparse one for parameter `embedding.weight`. Build its module with"
    )
    refuse(Sparse(), data, strategy(), match=message)


class Detached(Objective):
    def loss(self, module, batch, context):
        return context.training_loss(batch).detach()


class Unreached(Objective):
    """Depends on a parameter that the optimiser does not have."""

    def loss(self, module, batch, context):
        return module.other.square().sum()


class TwoHeads(Net):
    def __init__(self):
        super().__init__()
        self.other = nn.Parameter(torch.ones(1))

    def configure_optimizers(self):
        return sgd(self.net.parameters())


@pytest.mark.parametrize("strategy", [GradientSurgery, GradientDifference, RetainSurgery, GradientAscent])
@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (
            Detached,
            "The forget side's loss must depend on a trainable parameter, found one without a graph. Unfreeze",
        ),
        (
            Unreached,
            "A trainable parameter must get a gradient from the forget side, found none that does. Unfreeze",
        ),
    ],
)
def test_the_forget_loss_reaches_nothing(strategy, objective, message):
    data = {"forget": loader()} if strategy is GradientAscent else sides()
    refuse(TwoHeads(), data, strategy(objective=objective()), match=message)


# ---- losses that are not there, or not numbers: no refusal, and never a NaN ------------------------------------
class Odd(Net):
    """`training_step` gives something unusual for batches of one side, told by their labels' dtype-free mark."""

    def __init__(self, side, what):
        super().__init__()
        self.side, self.what = side, what

    def training_step(self, batch, batch_idx):
        loss = cross_entropy(self(batch[0]), batch[1])
        is_forget = any(torch.equal(batch[0], own[0]) for own in FORGET)
        if self.side == "both" or (self.side == "forget") == is_forget:
            return {"none": None, "dict": {"loss": loss, "more": 1}}.get(self.what, loss * float("nan"))
        return loss


FORGET = list(sides()["forget"])


@pytest.mark.filterwarnings("ignore:No forget batch so far gave a loss")  # what is meant here
@pytest.mark.parametrize("strategy", [GradientSurgery, GradientDifference, RetainSurgery])
@pytest.mark.parametrize("what", ["none", "nan"])
@pytest.mark.filterwarnings("ignore:.*had a loss or gradient that was not finite")
def test_without_a_forget_loss_the_step_is_the_retain_step(strategy, what):
    module, reference = Odd("forget", what), Net()
    fit(module, sides(), strategy())
    fit(reference, sides()["retain"])
    assert same(weights(module), weights(reference))


@pytest.mark.parametrize("strategy", [GradientSurgery, GradientDifference, RetainSurgery])
@pytest.mark.parametrize(("side", "what"), [("both", "none"), ("both", "nan"), ("retain", "nan")])
@pytest.mark.filterwarnings("ignore:.*had a loss or gradient that was not finite", "ignore:.*returned .?None")
def test_without_a_retain_loss_no_step_is_taken(strategy, side, what):
    module = Odd(side, what)
    fit(module, sides(), strategy())
    assert same(weights(module), weights(Net()))


@pytest.mark.parametrize("side", ["forget", "retain", "both"])
def test_what_was_not_finite_is_told_once_an_epoch(side):
    message = r"5 steps of this epoch had a loss or gradient that was not finite; they used the retain gradient alone"
    with pytest.warns(UserWarning, match=message) as record:
        fit(Odd(side, "nan"), sides(), GradientSurgery(alpha=1.0))
    assert len([w for w in record if "not finite" in str(w.message)]) == 2  # epochs


@pytest.mark.parametrize("objective", [None, Ascent()])
def test_a_dict_with_a_loss_is_a_loss(objective):
    module, reference = Odd("both", "dict"), Net()
    fit(module, sides(), GradientSurgery(alpha=1.0, objective=objective))
    fit(reference, sides(), GradientSurgery(alpha=1.0))
    assert same(weights(module), weights(reference))
