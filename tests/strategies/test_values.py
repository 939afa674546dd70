"""Pinned directions: a change of any formula shows here."""

import functools

import lightning.pytorch as L
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import lightning_unlearn as lu
from lightning_unlearn import Gradient
from tests.strategies._fits import fit

U = [[1.0, -1.0], [1.0]]  # u·u = 3
SURGERY, ALWAYS = functools.partial(lu.GradientSurgery, alpha=1.0), {"when": "always"}


def gradient(values):
    return Gradient({"weight": torch.tensor(values[0]).double(), "bias": torch.tensor(values[1]).double()})


CONFLICT = [[-3.0, 0.0], [0.0]]  # u·g = −3, g·g = 9
AGREEING = [[2.0, -1.0], [0.0]]  # u·g = 3, g·g = 5
ORTHOGONAL = [[1.0, 1.0], [0.0]]  # u·g = 0
ZERO = [[0.0, 0.0], [0.0]]
TABLE = [
    # strategy, retain gradient, direction
    (lu.GradientDifference(alpha=0.1), CONFLICT, [-2.9, -0.1, 0.1]),
    (lu.GradientDifference(alpha=2.0), CONFLICT, [-1.0, -2.0, 2.0]),
    (lu.GradientDifference(alpha=0.0), CONFLICT, [-3.0, 0.0, 0.0]),
    (lu.GradientDifference(alpha=1.0), AGREEING, [3.0, -2.0, 1.0]),
    (lu.GradientDifference(alpha=1.0), ZERO, [1.0, -1.0, 1.0]),
    (SURGERY(), CONFLICT, [-3.0, -1.0, 1.0]),
    (SURGERY(), AGREEING, [3.0, -2.0, 1.0]),
    (SURGERY(), ORTHOGONAL, [2.0, 0.0, 1.0]),
    (SURGERY(), ZERO, [1.0, -1.0, 1.0]),
    (SURGERY(**ALWAYS), CONFLICT, [-3.0, -1.0, 1.0]),
    (SURGERY(**ALWAYS), AGREEING, [1.8, -1.4, 1.0]),
    (SURGERY(retain_weight=0.0, **ALWAYS), CONFLICT, [0.0, -1.0, 1.0]),
    (SURGERY(retain_weight=0.0, **ALWAYS), AGREEING, [-0.2, -0.4, 1.0]),
    (SURGERY(retain_weight=0.0), AGREEING, [1.0, -1.0, 1.0]),
    (SURGERY(alpha=2.0, retain_weight=0.5), CONFLICT, [-1.5, -2.0, 2.0]),
    (SURGERY(alpha=0.0), CONFLICT, [-3.0, 0.0, 0.0]),
    (SURGERY(alpha=0.0, retain_weight=0.0), CONFLICT, [0.0, 0.0, 0.0]),
    (lu.RetainSurgery(), CONFLICT, [-2.0, -1.0, 1.0]),
    (lu.RetainSurgery(), AGREEING, [1.0, 0.0, -1.0]),
    (lu.RetainSurgery(), ORTHOGONAL, [1.0, 1.0, 0.0]),
    (lu.RetainSurgery(), ZERO, [0.0, 0.0, 0.0]),
    # CONFLICT: u loses −1/3 of g, g loses −1 of u
    (lu.PCGrad(), CONFLICT, [-2.0, -2.0, 2.0]),
    (lu.PCGrad(), AGREEING, [3.0, -2.0, 1.0]),
    (lu.PCGrad(), ZERO, [1.0, -1.0, 1.0]),
    # ‖u − g‖² = 18, ⟨g, g − u⟩ = 12: two thirds of u
    (lu.MGDA(), CONFLICT, [-1 / 3, -2 / 3, 2 / 3]),
    (lu.MGDA(), AGREEING, [1.0, -1.0, 1.0]),  # u is the shortest
    (lu.MGDA(), ZERO, [0.0, 0.0, 0.0]),
    (lu.CAGrad(c=0.0), CONFLICT, [-1.0, -0.5, 0.5]),
    (lu.CAGrad(c=0.0), ZERO, [0.5, -0.5, 0.5]),
    (lu.NormalisedDifference(alpha=3**0.5), CONFLICT, [0.0, -1.0, 1.0]),
    (lu.NormalisedDifference(alpha=3**0.5), ZERO, [1.0, -1.0, 1.0]),
]


@pytest.mark.parametrize(("strategy", "retain", "direction"), TABLE)
def test_the_direction(strategy, retain, direction):
    g = gradient(retain)
    result = strategy.combine(gradient(U), g)
    flat = torch.cat([t.flatten() for t in result.tensors]).tolist()
    assert flat == pytest.approx(direction, rel=1e-14, abs=1e-15)
    assert [t.tolist() for t in g.tensors] == retain  # the retain gradient is not to be overwritten


@pytest.mark.parametrize(
    "strategy", [lu.GradientDifference(alpha=0.1), SURGERY(), SURGERY(**ALWAYS), lu.RetainSurgery()]
)
def test_a_forget_side_without_a_gradient_leaves_the_retain_direction(strategy):
    """Every micro-batch of the forget side may have gone without a loss."""
    g = gradient(CONFLICT)
    for u in (gradient(ZERO), Gradient({"weight": None, "bias": None})):
        result = strategy.combine(u, g)
        assert all(torch.equal(result[name], tensor) for name, tensor in g.items())


@pytest.mark.parametrize(
    "strategy", [lu.GradientDifference(alpha=0.1), SURGERY(), SURGERY(**ALWAYS), lu.RetainSurgery()]
)
def test_what_no_side_reaches_stays_absent(strategy):
    u, g = (Gradient({"reached": torch.ones(2) * k, "unreached": None}) for k in (-1.0, 2.0))
    assert strategy.combine(u, g)["unreached"] is None


def test_retain_surgery_does_not_see_the_sign_of_the_forget_gradient():
    minus, plus = (lu.RetainSurgery().combine(gradient(U).mul_(s), gradient(CONFLICT)) for s in (-1.0, 1.0))
    assert all(torch.equal(a, b) for a, b in zip(minus.tensors, plus.tensors, strict=True))


@pytest.mark.parametrize(
    ("strategy", "cosine", "removed"),
    [
        (SURGERY(), -0.5, 0.25),
        (SURGERY(), 0.5, 0.0),
        (SURGERY(**ALWAYS), 0.5, 0.25),
        (lu.RetainSurgery(), -0.5, 0.25),
        (lu.RetainSurgery(), 0.5, 0.25),
        (lu.GradientDifference(alpha=0.1), -0.5, 0.0),
    ],
)
def test_the_removed_fraction(strategy, cosine, removed):
    assert strategy.removed_fraction(torch.tensor(cosine)) == removed


@pytest.mark.parametrize("scale", [1e-20, 1e-6, 1.0, 1e20])
@pytest.mark.parametrize("strategy", [SURGERY(), SURGERY(**ALWAYS), lu.RetainSurgery()])
def test_the_removed_fraction_is_what_the_projection_removes(strategy, scale):
    u, g = gradient(U).mul_(scale), gradient(CONFLICT)
    projected, other = (g, u) if isinstance(strategy, lu.RetainSurgery) else (u, g)
    left = projected.project_off(other).norm() ** 2 / projected.norm() ** 2
    assert float(strategy.removed_fraction(u.cosine(g))) == pytest.approx(1 - float(left), rel=1e-12)


class TwoWeights(L.LightningModule):
    """`L(x) = Σ x w²/2`, so that `∇L = x w`: everything about its step can be done by hand."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([2.0, 1.0], dtype=torch.float64))

    def training_step(self, batch, batch_idx):
        return (batch[0] * self.w**2).sum() / 2

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


# w = (2, 1), retain x = (1, 3), forget x = (4, 1): g = (2, 3), g_f = (8, 1), u = (−8, −1)
# u·g = −19, g·g = 13, u·u = 65
UNO_TERM = [
    -38 / 845 * (-4 * (2 - 19 / 65 * 8) + 1 * (-8 + 19 / 13 * 2)),
    -38 / 845 * (-1 * (3 - 19 / 65) + 3 * (-1 + 19 / 13 * 3)),
]
STEPS = [
    (lu.FineTune(), [2.0, 3.0]),
    (lu.GradientAscent(), [-8.0, -1.0]),
    (lu.GradientDifference(alpha=0.5), [-2.0, 2.5]),
    (lu.GradientSurgery(alpha=1.0), [-8 + 19 / 13 * 2 + 2, -1 + 19 / 13 * 3 + 3]),
    (lu.GradientSurgery(alpha=1.0, retain_weight=0.0, when="always"), [-8 + 19 / 13 * 2, -1 + 19 / 13 * 3]),
    (lu.RetainSurgery(), [2 - 19 / 65 * 8, 3 - 19 / 65]),
    # λ = 0.1 · 3.5, c = −19/√845; H_f = −diag(4, 1), H_r = diag(1, 3); a = 2s/845 (g + 19/65 u), b = 2s/845 (u + 19/13 g)
    (lu.UNO(alpha=0.5), [2 - 4 + 0.35 * UNO_TERM[0], 3 - 0.5 + 0.35 * UNO_TERM[1]]),
    (lu.UNO(weight=2.0, relative=False, alpha=0.0), [2 + 2 * UNO_TERM[0], 3 + 2 * UNO_TERM[1]]),
    (lu.UNO(weight=0.0, alpha=0.5), [-2.0, 2.5]),
    (lu.UNOS(weight=2.0, relative=False, alpha=0.0), [2 + 2 * UNO_TERM[0], 3 + 2 * UNO_TERM[1]]),
    # max(0, 6 − L_f)² with L_f = (4·4 + 1)/2 = 8.5: nothing left to do; below a level of 9: slope −2(9 − 8.5)
    (lu.GradientDifference(alpha=1.0, objective=lu.Holdout(level=6.0)), [2.0, 3.0]),
    (lu.GradientDifference(alpha=1.0, objective=lu.Holdout(level=9.0)), [2.0 - 8.0, 3.0 - 1.0]),
]


@pytest.mark.parametrize(("strategy", "direction"), STEPS)
def test_one_step_by_hand(strategy, direction):
    sides = {"retain": torch.tensor([[1.0, 3.0]]).double(), "forget": torch.tensor([[4.0, 1.0]]).double()}
    wanted = {
        s: DataLoader(TensorDataset(x), generator=torch.Generator())
        for s, x in sides.items()
        if s == "forget" or strategy.needs_retain
    }
    module = TwoWeights()
    fit(module, wanted, strategy, max_epochs=1)
    expected = [w - 0.1 * d for w, d in zip([2.0, 1.0], direction, strict=True)]
    assert module.w.tolist() == pytest.approx(expected, rel=1e-13)
