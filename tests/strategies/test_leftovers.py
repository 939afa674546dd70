"""Law 7: a fit leaves nothing behind, however it ends."""

import lightning.pytorch as L
import pytest
import torch

from tests.strategies import _fits as fits
from tests.strategies import _laws_failure as laws
from tests.strategies._cases import every_case, named
from tests.strategies._laws import loaders_for
from tests.strategies._modules import Net
from tests.strategies._probes import Asking, Forgetful, LookAhead, Masked, Nosy


class Boom(Exception):
    """What goes wrong in these tests."""


class Explosive(Net):
    """Raises in `training_step` on a forget batch, or where its weights are not its own."""

    def __init__(self, when, error):
        super().__init__()
        self.when, self.error = when, error
        forget = fits.sides()["forget"].dataset.tensors[0]
        self.forget_rows = {tuple(row.tolist()) for row in forget}

    def training_step(self, batch, batch_idx):
        is_forget = tuple(batch[0][0].tolist()) in self.forget_rows
        if self.global_step == 1 and (
            (self.when == "forget" and is_forget)
            or (self.when == "retain" and not is_forget)
            or (self.when == "far" and float(self.net[0].weight.detach().abs().max()) > 50)
        ):
            raise self.error("as planned")
        return super().training_step(batch, batch_idx)

    def on_before_optimizer_step(self, optimizer):
        if self.global_step == 1 and self.when == "optimizer":
            raise self.error("as planned")


class Data(L.LightningDataModule):
    """A datamodule; with a transfer hook of its own or without."""

    def train_dataloader(self):
        return fits.sides()


class HookedData(Data):
    def on_before_batch_transfer(self, batch, dataloader_idx):
        assert not isinstance(batch, dict), "the user's hook must see one side"
        return batch


class HookedNet(Net):
    def on_before_batch_transfer(self, batch, dataloader_idx):
        assert not isinstance(batch, dict), "the user's hook must see one side"
        return batch


def far_away(forget, retain):
    return forget.gradient(at=retain.gradient().map(lambda _, t: torch.full_like(t, 100.0)))


def raising(error):
    def ask(forget, retain):
        forget.gradient()
        raise error("as planned")

    return ask


errors = pytest.mark.parametrize("error", [Boom, KeyboardInterrupt])


@every_case
def test_a_fit_leaves_nothing_behind(case):
    laws.leaves_nothing_behind(case.make(), Net(), loaders_for(case, fits.sides()))


@pytest.mark.parametrize("data", [Data, HookedData])
@pytest.mark.parametrize("module", [Net, HookedNet])
@pytest.mark.filterwarnings("ignore:You have overridden `on_before_batch_transfer`")  # Lightning's own advice
def test_a_fit_with_hooks_leaves_nothing_behind(data, module):
    user = module()
    laws.leaves_nothing_behind(Nosy(), user, data())
    assert user.calls > 0


FAILURES = [
    (named(name), when)
    for name in ("fine-tune", "ascent", "surgery", "hessian-double-backward", "masked", "prepared")
    for when in ("forget", "retain", "optimizer")
    if (when != "forget" or named(name).uses_forget) and (when != "retain" or not named(name).retain_free)
]


@errors
@pytest.mark.parametrize(("case", "when"), FAILURES, ids=[f"{case.id}-{when}" for case, when in FAILURES])
def test_an_exception_leaves_nothing_behind(case, when, error):
    laws.leaves_nothing_behind(case.make(), Explosive(when, error), loaders_for(case, fits.sides()), error)


@errors
def test_an_exception_in_prepare_leaves_nothing_behind(error):
    class Preparing(Masked):
        def prepare(self, module, forget, retain):
            forget.for_each(lambda batch: raising(error)(self, retain))

        def gradient(self):
            """What `raising` asks for."""

    module = Net()
    laws.leaves_nothing_behind(Preparing(), module, Data(), error)
    assert all(m.training for m in module.modules())


@errors
def test_an_exception_in_direction_leaves_nothing_behind(error):
    laws.leaves_nothing_behind(Asking(raising(error)), Net(), Data(), error)


@errors
def test_an_exception_in_a_look_ahead_pass_leaves_nothing_behind_and_brings_the_weights_back(error):
    watch, module = fits.Watch(), Explosive("far", error)
    strategy = Asking(far_away)
    laws.leaves_nothing_behind(strategy, module, fits.sides(), error)
    other = Net()
    with pytest.raises(SystemExit if error is KeyboardInterrupt else error), laws.interruptible():
        fits.fit(other_with(other, error), fits.sides(), Asking(far_away), watch)
    assert fits.same(fits.weights(module), watch.weights[-1])
    assert float(module.net[0].weight.detach().abs().max()) < 50
    assert all(p.grad is not None for p in module.parameters())


def other_with(module, error):
    explosive = Explosive("far", error)
    explosive.load_state_dict(module.state_dict())
    return explosive


@errors
def test_batch_statistics_come_back_after_an_exception_in_a_pass(error):
    class Normed(Explosive):
        def build(self):
            return torch.nn.Sequential(
                torch.nn.Linear(fits.FEATURES, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, fits.CLASSES)
            )

    module = Normed("far", error)
    laws.leaves_nothing_behind(Asking(far_away), module, fits.sides(), error)
    assert int(module.net[1].num_batches_tracked) == 2  # one a retain batch: the second step was not finished


def test_a_users_own_instance_attributes_come_back():
    module, heard = Net(), []
    own_log, own_hook = module.log, module.on_before_batch_transfer

    def log(name, *args, **kwargs):
        heard.append(name)
        own_log(name, *args, **kwargs)

    def hook(batch, dataloader_idx):
        heard.append("transfer")
        return own_hook(batch, dataloader_idx)

    module.log, module.on_before_batch_transfer = log, hook
    laws.leaves_nothing_behind(Nosy(), module, fits.sides())
    assert module.log is log
    assert module.on_before_batch_transfer is hook
    assert {"loss", "unlearn/forget/loss", "transfer"} <= set(heard)


def test_a_strategy_object_works_after_an_exception():
    strategy = LookAhead()
    laws.leaves_nothing_behind(strategy, Explosive("forget", Boom), fits.sides(), Boom)
    ends = []
    for used in (strategy, LookAhead()):
        module = Net()
        fits.fit(module, fits.sides(), used)
        ends.append(fits.weights(module))
    assert fits.same(*ends)


def test_hooks_of_the_optimiser_are_there_during_the_fit():
    seen = []

    class Look(L.Callback):
        def on_train_batch_end(self, trainer, *_):
            seen.append(laws.hooks_of(trainer.optimizers[0]))

    fits.fit(Net(), fits.sides(), Masked(), Look(), max_steps=2, max_epochs=-1)
    assert seen == [2, 2]


def test_control_a_strategy_that_stays_attached_breaks_the_law():
    with pytest.raises(AssertionError, match="still replaced"):
        laws.leaves_nothing_behind(Forgetful(), Net(), fits.sides())
