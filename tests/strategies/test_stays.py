"""Law 9: what must stay where it is, stays there to the last bit."""

import lightning.pytorch as L
import pytest
import torch
from torch import nn

from lightning_unlearn import FineTune, GradientDifference
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._cases import every_case, named
from tests.strategies._modules import Net, Spare, adamw, sgd
from tests.strategies._probes import Masked

optimizers = pytest.mark.parametrize("optimizer", [sgd, adamw])


class Dense(GradientDifference):
    """Broken: turns an absent gradient into zeros, which weight decay then acts on."""

    def direction(self, forget, retain):
        direction = super().combine(forget.gradient(), retain.gradient())
        for i, name in enumerate(direction.names):
            if direction.tensors[i] is None:
                direction.tensors[i] = torch.zeros_like(self.weights[name])
        return direction


class MaskedDirection(Masked):
    """Broken: masks the direction instead of the update, so that momentum and weight decay act."""

    def combine(self, forget, retain):
        return Masked.constrain(self, super().combine(forget, retain))

    def constrain(self, update):
        return update


class Heads(Net):
    """Each side has a head of its own, and there is one that no side has."""

    def __init__(self, optimizer):
        super().__init__(optimizer)
        self.heads = nn.ModuleDict({name: nn.Linear(3, 3).double() for name in ("retain", "forget", "none")})
        self.forget_rows = {tuple(row.tolist()) for row in fits.sides()["forget"].dataset.tensors[0]}

    def training_step(self, batch, batch_idx):
        inputs, labels = batch
        head = "forget" if tuple(inputs[0].tolist()) in self.forget_rows else "retain"
        return nn.functional.cross_entropy(self.heads[head](self.net(inputs)), labels)


@every_case
@optimizers
def test_frozen_and_unreached_parameters_stay(case, optimizer):
    laws.frozen_and_unreached_stay(case, optimizer)


@optimizers
def test_masked_entries_stay(optimizer):
    laws.masked_stay(Masked, optimizer)


@optimizers
def test_masked_entries_stay_under_accumulation_and_a_scaler(optimizer):
    module = Net(optimizer)
    start = torch.cat([t.reshape(-1) for t in fits.weights(module).values()])
    fits.fit(module, fits.sides(), Masked(), accumulate_grad_batches=2, plugins=[laws.scaler()])
    end = torch.cat([t.reshape(-1) for t in fits.weights(module).values()])
    assert torch.equal(start[1::2], end[1::2])
    assert not torch.equal(start[::2], end[::2])


@optimizers
@pytest.mark.parametrize(
    ("strategy", "moves"), [(FineTune, {"retain"}), (GradientDifference, {"retain", "forget"})]
)
def test_a_head_moves_only_if_a_side_reaches_it(optimizer, strategy, moves):
    module = Heads(optimizer)
    start = fits.weights(module)
    fits.fit(module, fits.sides(), strategy())
    end = fits.weights(module)
    for name in ("retain", "forget", "none"):
        key = f"heads.{name}.weight"
        assert torch.equal(start[key], end[key]) == (name not in moves), name


def test_masked_entries_of_a_parameter_that_is_unfrozen_later_stay():
    class Thaw(L.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            pl_module.net[0].requires_grad_(trainer.current_epoch > 0)

    module = Net(sgd)
    module.net[0].requires_grad_(False)
    start = fits.weights(module)
    fits.fit(module, fits.sides(), Thaw(), Masked(), max_epochs=2)
    end = fits.weights(module)
    assert not torch.equal(start["net.0.weight"], end["net.0.weight"])
    moved = (start["net.0.weight"] != end["net.0.weight"]).flatten()
    assert not moved[1::2].any()


def test_a_parameter_that_the_optimiser_does_not_move_stays():
    class Partial(Net):
        def configure_optimizers(self):
            return self.make_optimizer(self.net[2].parameters())

    module = Partial(sgd)
    start = fits.weights(module)
    fits.fit(module, fits.sides(), named("surgery").make())
    end = fits.weights(module)
    assert all(torch.equal(start[n], end[n]) == n.startswith("net.0") for n in start)


def test_control_zeros_for_absent_gradients_break_the_law():
    with pytest.raises(AssertionError, match="unused"):
        laws.frozen_and_unreached_stay(named("difference"), sgd, lambda: Dense(alpha=0.3))


@optimizers
def test_control_a_mask_on_the_direction_breaks_the_law(optimizer):
    with pytest.raises(AssertionError):
        laws.masked_stay(MaskedDirection, optimizer)


def test_control_the_spare_module_moves_where_it_may():
    module = Spare(sgd)
    assert not any(p.requires_grad for p in module.net[0].parameters())
    assert all(p.requires_grad for p in module.unused.parameters())
