"""Losses of a strategy's own: `retain_loss` and `forget_loss` overridden."""

import pytest

from lightning_unlearn import GradientAscent, GradientDifference
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._cases import Case
from tests.strategies._modules import Net
from tests.strategies._probes import Asking


class Weighted(GradientDifference):
    """Twice the retain loss and thrice the forget loss."""

    def retain_loss(self, module, batch, batch_idx):
        return 2 * super().retain_loss(module, batch, batch_idx)

    def forget_loss(self, module, batch, batch_idx):
        return 3 * super().forget_loss(module, batch, batch_idx)


class WeightedAscent(GradientAscent):
    """Thrice the forget loss, in Lightning's own pass."""

    def forget_loss(self, module, batch, batch_idx):
        return 3 * super().forget_loss(module, batch, batch_idx)


class Own(Asking):
    """Asks with a retain loss of its own."""

    def retain_loss(self, module, batch, batch_idx):
        return 2 * super().retain_loss(module, batch, batch_idx)


CASES = [
    Case("both", lambda: Weighted(alpha=0.3), lambda h: 2 * h.g + 0.3 * 3 * h.u),
    Case("retain-free", WeightedAscent, lambda h: 3 * h.u, retain_free=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.parametrize(
    "setting", [{}, {"accumulate": 3}, {"with_scaler": True}, {"output": "dict"}, {"clip": 0.05}], ids=str
)
def test_losses_of_a_strategy_are_what_is_minimised(case, setting):
    laws.equals_hand_loop(case, **setting)


def test_they_hold_in_repeated_passes_too():
    strategy = Own(lambda f, r: float((r.gradient() - r.gradient(at=r.gradient() * 0.0)).norm()))
    fits.fit(Net(), fits.sides(), strategy)
    assert strategy.answers == [0.0] * 10


def test_the_users_step_runs_once_a_pass():
    module = Net()
    fits.fit(module, fits.sides(), Weighted())
    assert module.calls == 10 + 10


def test_the_users_step_is_only_replaced_for_the_length_of_a_pass():
    seen = []

    class Look(fits.Watch):
        def on_train_batch_end(self, trainer, pl_module, *_):
            seen.append("training_step" in vars(pl_module))

    fits.fit(Net(), fits.sides(), Weighted(), Look())
    assert seen == [False] * 10


def test_control_other_weights_break_the_law():
    wrong = Case("wrong", lambda: Weighted(alpha=0.3), lambda h: 2 * h.g + 0.3 * h.u)
    with pytest.raises(AssertionError, match="off the loop by hand"):
        laws.equals_hand_loop(wrong)
