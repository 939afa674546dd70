"""Parameters that `BackboneFinetuning` unfreezes in mid-run take part from then on, and not before."""

import pytest
import torch
from lightning.pytorch.callbacks import BackboneFinetuning

from lightning_unlearn import FineTune, GradientAscent, GradientStrategy, GradientSurgery
from tests.strategies import _fits as fits
from tests.strategies._modules import Net, adamw, sgd
from tests.strategies._probes import Masked, Nosy


class Backbone(Net):
    """A backbone that `BackboneFinetuning` freezes and unfreezes."""

    def __init__(self, optimizer=sgd):
        super().__init__(optimizer)
        self.backbone, self.head = self.net[:2], self.net[2]
        del self.net

    def forward(self, inputs):
        return self.head(self.backbone(inputs))

    def configure_optimizers(self):
        return self.make_optimizer([p for p in self.parameters() if p.requires_grad])


class Near(GradientStrategy):
    """Pulls towards the original weights."""

    keeps_original = True

    def combine(self, forget, retain):
        difference = self.weights - self.original
        self.seen = [*getattr(self, "seen", []), set(difference.names)]
        self.moved = [*getattr(self, "moved", []), float(difference["backbone.0.weight"].abs().max())
                      if "backbone.0.weight" in difference.names else None]  # fmt: skip
        return forget.mul_(0.1).add_(retain).add_(difference, 0.1)


def finetuning(epoch=2):
    return BackboneFinetuning(epoch, backbone_initial_lr=0.05)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("make", [GradientSurgery, Masked, Near, Nosy])
def test_parameters_that_are_unfrozen_in_mid_run_take_part_from_then_on(make, first):
    module, watch = Backbone(), fits.Watch()
    start = fits.weights(module)
    callbacks = [finetuning(), make()] if first else [make(), finetuning()]
    fits.fit(module, fits.sides(), *callbacks, watch, max_epochs=4)
    frozen = {n for n in start if n.startswith("backbone")}
    for name in frozen:
        assert torch.equal(start[name], watch.weights[10][name]), "moved before it was unfrozen"
        assert not torch.equal(start[name], watch.weights[-1][name]), "did not move afterwards"
    assert fits.finite(fits.weights(module))


def test_a_retain_only_strategy_beside_backbone_finetuning_equals_a_plain_fit():
    ends = []
    for strategy in (None, FineTune(), Nosy()):
        module = Backbone()
        data = fits.sides()["retain"] if strategy is None else fits.sides()
        fits.fit(module, data, finetuning(), *([strategy] if strategy else []), max_epochs=4)
        ends.append(fits.weights(module))
    assert fits.same(ends[0], ends[1])
    assert fits.same(ends[0], ends[2])


def test_the_original_of_a_parameter_is_its_value_before_it_was_unfrozen():
    module, strategy = Backbone(), Near()
    start = fits.weights(module)
    fits.fit(module, fits.sides(), strategy, finetuning(), max_epochs=4)
    assert strategy.seen[0] == {"head.weight", "head.bias"}
    assert strategy.seen[-1] == set(start)
    assert strategy.moved[9:12:2] == [None, strategy.moved[11]]
    assert strategy.moved[10] == 0.0
    assert strategy.moved[11] > 0.0
    assert fits.same(start, dict(strategy._original.items()))


@pytest.mark.parametrize("optimizer", [sgd, adamw])
def test_masked_entries_of_unfrozen_parameters_stay(optimizer):
    module = Backbone(optimizer)
    start = fits.weights(module)
    fits.fit(module, fits.sides(), Masked(), finetuning(), max_epochs=4)
    for name, value in fits.weights(module).items():
        if name == "backbone.0.weight":  # the first in the list: every second entry from its first
            same = (value == start[name]).reshape(-1)
            assert bool(same[1::2].all())
            assert not bool(same[::2].any())


def test_a_forget_only_strategy_runs_beside_backbone_finetuning():
    module = Backbone()
    data = {"forget": fits.sides()["forget"]}
    trainer = fits.fit(module, data, GradientAscent(), finetuning(1), max_epochs=2)
    assert trainer.global_step == 6
    assert fits.finite(fits.weights(module))
