"""Law 10: what cannot be exact under manual optimisation is refused, with a remedy."""

import pytest
from torch.nn.functional import cross_entropy

from lightning_unlearn import Bounded, ConfigurationError, GradientSurgery, Relabel
from tests.manual._modules import Gan, ManualNet
from tests.manual.test_traces import Accumulating
from tests.strategies import _fits as fits
from tests.strategies._probes import HessianProbe, LookAhead
from tests.strategies._uno_cases import guidance


class Bare(ManualNet):
    """Steps the optimiser behind Lightning's back."""

    def training_step(self, batch, batch_idx):
        self.manual_backward(cross_entropy(self(batch[0]), batch[1]))
        self.optimizers(use_pl_optimizer=False).step()


class Unannounced(ManualNet):
    """Calls `backward` itself."""

    def training_step(self, batch, batch_idx):
        self.optimizers().zero_grad()
        cross_entropy(self(batch[0]), batch[1]).backward()
        self.optimizers().step()


class Fickle(ManualNet):
    """Steps for some batches of data and not for others."""

    def training_step(self, batch, batch_idx):
        self.optimizers().zero_grad()
        self.manual_backward(cross_entropy(self(batch[0]), batch[1]))
        if float(batch[0].mean()) * self.sign > 0:
            self.optimizers().step()


class Eager(Fickle):
    sign = 1.0


class Reluctant(Fickle):
    sign = -1.0


class Halves(ManualNet):
    """Hands over its loss in two parts."""

    def training_step(self, batch, batch_idx):
        self.optimizers().zero_grad()
        for _ in range(2):
            self.manual_backward(cross_entropy(self(batch[0]), batch[1]) / 2)
        self.optimizers().step()


REFUSED = {
    "relabelling": (ManualNet, lambda: GradientSurgery(alpha=1.0, objective=Relabel(3)), "leaves the batch as it is"),
    "a bare optimiser": (Bare, GradientSurgery, "use_pl_optimizer"),
    "a backward of one's own": (Unannounced, GradientSurgery, r"self\.manual_backward\(loss\)"),
    "steps that depend on the data": (Eager, GradientSurgery, "in the same order for the batches of both sides"),
    "steps that depend on the data, the other way": (Reluctant, GradientSurgery, "no step for the retain batch"),
    "predictions for a loss in parts": (Halves, lambda: GradientSurgery(alpha=1.0, objective=Bounded()), "add the losses up"),
    "look-ahead over several batches": (Accumulating, LookAhead, "hold earlier batches"),
    "guidance": (ManualNet, lambda: GradientSurgery(alpha=1.0, guidance=guidance()), r"Add `guidance\.loss\(self\)`"),
    "Hessians over several batches": (Accumulating, HessianProbe, "hold earlier batches"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    make_module, make, remedy = REFUSED[name]
    module = make_module()
    with pytest.raises(ConfigurationError, match=remedy) as caught:
        fits.fit(module, fits.sides(), make())
    assert "found" in str(caught.value)
    assert fits.finite(fits.weights(module))


def test_a_loss_in_parts_is_fine_for_objectives_of_the_training_loss():
    ends = []
    for module in (ManualNet(), Halves()):
        fits.fit(module, fits.sides(), GradientSurgery(alpha=1.0, when="always"))
        ends.append(fits.weights(module))
    assert fits.distance(*ends) <= 1e-14


def test_control_the_modules_that_are_refused_differ_from_one_that_is_not():
    fits.fit(ManualNet(), fits.sides(), LookAhead())
    fits.fit(Gan(), fits.sides(), HessianProbe())
