"""`EditStrategy`: one change of weights, no step."""

import math

import pytest
import torch

from lightning_unlearn import ConfigurationError, EditStrategy, ForgettingMonitor
from tests.strategies import _fits as fits
from tests.strategies._modules import Net


class Shift(EditStrategy):
    """Adds the mean of a side's first feature to every weight."""

    def __init__(self):
        super().__init__()
        self.means = {}
        self.calls = 0

    def edit(self, module, forget, retain):
        self.calls += 1
        for name, source in (("forget", forget), ("retain", retain)):
            sums = source.sum(lambda batch: {"x": batch[0][:, 0].sum(), "n": torch.tensor(len(batch[0]))})
            self.means[name] = sums["x"] / sums["n"]
        for parameter in module.parameters():
            parameter.add_(self.means["forget"])


def test_an_edit_changes_the_weights_once_and_takes_no_step():
    module, strategy = Net(), Shift()
    before, data = fits.weights(module), fits.sides()
    trainer = fits.fit(module, data, strategy)
    expected = data["forget"].dataset.tensors[0][:, 0].mean()
    torch.testing.assert_close(strategy.means["forget"], expected)
    assert strategy.calls == 1
    assert trainer.global_step == 0
    after = fits.weights(module)
    assert all(torch.equal(after[name], before[name] + strategy.means["forget"]) for name in before)


def test_the_edited_model_can_be_saved(tmp_path):
    module = Net()
    trainer = fits.fit(module, fits.sides(), Shift())
    trainer.save_checkpoint(tmp_path / "edited.ckpt")
    saved = torch.load(tmp_path / "edited.ckpt", weights_only=True)["state_dict"]
    assert fits.same(saved, dict(module.state_dict()))


@pytest.mark.parametrize("monitor_first", [True, False])
def test_a_monitor_measures_the_original_and_the_edited_model(monitor_first):
    class Blank(EditStrategy):
        def edit(self, module, forget, retain):
            for parameter in module.parameters():
                parameter.zero_()

    monitor = ForgettingMonitor(target=None, retain_floor=0.0)
    callbacks = [monitor, Blank()] if monitor_first else [Blank(), monitor]
    fits.fit(Net(), fits.sides(), *callbacks)
    before, after = (row["unlearn/forget_loss"] for row in monitor.history)
    assert after == pytest.approx(math.log(fits.CLASSES), rel=1e-5) != before


@pytest.mark.parametrize("demand", [{"min_steps": 3}, {"min_epochs": 1}])
def test_a_run_that_must_take_steps_is_refused(demand):
    with pytest.raises(ConfigurationError, match="`min_epochs` and `min_steps` must not be set with Shift"):
        fits.fit(Net(), fits.sides(), Shift(), **demand)
