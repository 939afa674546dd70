"""Parameters that no optimiser moves but `training_step` itself: averages of weights, target networks."""

import copy

import lightning.pytorch as L
import pytest
import torch
from torch import nn

from lightning_unlearn import GradientSurgery
from lightning_unlearn.passes import _moved
from tests.manual._modules import Gan
from tests.strategies import _fits as fits
from tests.strategies._modules import Net


def in_place(average, weight):
    average.mul_(0.5).add_(weight, alpha=0.5)


def through_data(average, weight):
    average.data.lerp_(weight.data, 0.5)


def as_a_new_tensor(average, weight):
    average.data = 0.5 * average.data + 0.5 * weight.data


WAYS = [in_place, through_data, as_a_new_tensor]


def averaged(base, way, late=0):
    """A module that keeps an average of its weights, from batch `late` on."""

    class Averaged(base):
        def __init__(self):
            super().__init__()
            trained = self.generator if base is Gan else self.net
            self.average = copy.deepcopy(trained).requires_grad_(False)
            self.trained = [trained]

        def training_step(self, batch, batch_idx):
            output = super().training_step(batch, batch_idx)
            if batch_idx >= late:
                with torch.no_grad():
                    for a, w in zip(self.average.parameters(), self.trained[0].parameters(), strict=True):
                        way(a, w)
            return output

    return Averaged


def state_after(module, *strategy):
    fits.seed_all()
    module = module()
    loaders = fits.shuffled_sides(torch.float64)
    fits.fit(module, loaders if strategy else loaders["retain"], *strategy)
    return module.state_dict()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("base", [Net, Gan])
def test_the_forget_side_does_not_move_them(base, way):
    module = averaged(base, way)
    alone, beside = state_after(module), state_after(module, GradientSurgery(alpha=0.0))
    assert any("average" in name for name in alone)
    assert all(torch.equal(beside[name], value) for name, value in alone.items())


@pytest.mark.parametrize("base", [Net, Gan])
def test_control_a_pass_that_does_not_put_them_back_is_caught(base, monkeypatch):
    monkeypatch.setattr(_moved.MovedByHand, "settle", lambda self, **_: None)
    module = averaged(base, in_place)
    alone, beside = state_after(module), state_after(module, GradientSurgery(alpha=0.0))
    assert not all(torch.equal(beside[name], value) for name, value in alone.items())


@pytest.mark.parametrize("way", [in_place, as_a_new_tensor])
def test_an_average_that_starts_late_is_seen(way):
    module = averaged(Net, way, late=4)
    alone, beside = state_after(module), state_after(module, GradientSurgery(alpha=0.0))
    assert all(torch.equal(beside[name], value) for name, value in alone.items())


def test_what_stays_frozen_is_not_copied():
    class Frozen(Net):
        def __init__(self):
            super().__init__()
            self.backbone = nn.Linear(4, 4).requires_grad_(False)

    found = []

    class Look(L.Callback):
        def on_train_batch_end(self, trainer, *_):
            strategy = next(c for c in trainer.callbacks if isinstance(c, GradientSurgery))
            found.append(list(strategy._attached._runner.moved.parameters))

    fits.fit(Frozen(), fits.sides(), GradientSurgery(alpha=1.0), Look())
    assert found == [[]] * 10
