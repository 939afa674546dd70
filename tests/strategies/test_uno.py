"""UNO's closed form against double backward of the loss that it states, and where that loss has no gradient."""

import dataclasses
import math

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from lightning_unlearn import (
    UNO,
    UNOS,
    ConfigurationError,
    FineTune,
    Gradient,
    GradientDifference,
    Holdout,
    RetainSurgery,
)
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._cases import LEVEL, named
from tests.strategies._modules import Net, Traces, adamw, plain_sgd
from tests.strategies._uno_cases import guidance, penalty, uno_direction

METHODS = ["double_backward", "finite_difference"]
methods = pytest.mark.parametrize("method", METHODS)


def flat(gradient):
    return torch.cat([t.reshape(-1) for t in gradient.tensors])


class Kept(UNO):
    """Keeps each direction, and the vectors that Hessians are multiplied by."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.directions, self.weights_then = [], []

    def direction(self, forget, retain):
        self.weights_then.append(flat(self.weights).clone())
        direction = super().direction(forget, retain)
        self.directions.append(flat(direction).clone())
        return direction


def stated_gradient(net, theta, pair, *, weight, relative, alpha, outer, extra):
    """Of `L_r + α F + λ cos²`, by one backward pass through a graph that holds both gradients."""
    theta = theta.clone().requires_grad_()
    sizes = [p.numel() for p in net.parameters()]
    parts = zip(net.named_parameters(), theta.split(sizes), strict=True)
    named_parameters = {name: part.reshape(p.shape) for (name, p), part in parts}

    def run(x):
        return functional_call(net, named_parameters, (x,))

    added = penalty(run) if extra else 0.0
    retain = cross_entropy(run(pair["retain"][0]), pair["retain"][1]) + added
    training = cross_entropy(run(pair["forget"][0]), pair["forget"][1])
    forget = (-training if outer is None else outer(training)) + added
    u, g = (torch.autograd.grad(loss, theta, create_graph=True)[0] for loss in (forget, retain))
    squared_cosine = (u @ g) ** 2 / ((u @ u) * (g @ g))
    scale = weight * (float(retain.detach().abs()) if relative else 1.0)
    (gradient,) = torch.autograd.grad(retain + alpha * forget + scale * squared_cosine, theta)
    return gradient


SETTINGS = {
    "default": {},
    "large": {"weight": 20.0, "alpha": 0.4},
    "absolute": {"weight": 3.0, "relative": False},
    "outer": {"weight": 1.0, "objective": Holdout(LEVEL)},
    "guided": {"weight": 1.0, "guidance": True},
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(("method", "tolerance"), [("double_backward", 1e-10), ("finite_difference", 1e-6)])
def test_the_closed_form_is_the_gradient_of_the_stated_loss(setting, method, tolerance):
    arguments = SETTINGS[setting]
    known = {"weight": 0.1, "relative": True, "alpha": 0.03} | {
        k: v for k, v in arguments.items() if k in ("weight", "relative", "alpha")
    }
    guide = guidance() if "guidance" in arguments else None
    strategy = Kept(**arguments | {"guidance": guide}, second_order=method)
    module, loaders = Net(plain_sgd), fits.sides()
    fits.fit(module, loaders, strategy, max_epochs=1)
    outer = (lambda x: (LEVEL - x).relu() ** 2) if "objective" in arguments else None
    for pair, theta, direction in zip(
        fits.pairs(loaders), strategy.weights_then, strategy.directions, strict=True
    ):
        expected = stated_gradient(module.net, theta, pair, **known, outer=outer, extra=guide is not None)
        assert float((direction - expected).norm() / expected.norm()) <= tolerance
        without = stated_gradient(
            module.net, theta, pair, **known | {"weight": 0.0}, outer=outer, extra=guide is not None
        )
        assert float((without - expected).norm() / expected.norm()) > 1e-4, "the term does not show"


# ---- the two vectors ----------------------------------------------------------------------------------------------
class Quadratic:
    """A side with a known gradient and Hessian."""

    share = 1.0

    def __init__(self, gradient, hessian, loss=2.0):
        self._gradient, self.hessian = Gradient([torch.tensor(gradient, dtype=torch.float64)]), hessian
        self.loss = torch.tensor(loss, dtype=torch.float64)
        self.vectors = []

    def gradient(self):
        return self._gradient

    def hessian_vector_product(self, v, *, method):
        self.vectors.append(v.clone())
        return v * self.hessian


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e30])
@pytest.mark.parametrize("angle", [0.1, 1.0, 2.0, 3.0])
def test_the_vectors_are_orthogonal_to_their_own_gradients_and_of_moderate_length(angle, scale):
    u = [scale * math.cos(angle), scale * math.sin(angle)]
    forget, retain = Quadratic(u, 0.5), Quadratic([1.0, 0.0], 0.25)
    u, g = forget.gradient().clone(), retain.gradient().clone()
    UNO(alpha=0.0).direction(forget, retain)
    (a,), (b,) = forget.vectors, retain.vectors
    assert abs(float(a.dot(u))) <= 1e-15 * float(u.norm())
    assert abs(float(b.dot(g))) <= 1e-15 * float(g.norm())
    assert float(a.norm()) == pytest.approx(abs(math.sin(angle)))
    assert float(b.norm()) == pytest.approx(abs(math.sin(angle)))


def test_the_retain_gradient_is_not_overwritten():
    forget, retain = Quadratic([1.0, 2.0], 0.5), Quadratic([1.0, 0.0], 0.25)
    UNO(alpha=0.0).direction(forget, retain)
    assert flat(retain.gradient()).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("u", "g"),
    [
        ([0.0, 0.0], [3.0, 1.0]),
        ([3.0, 1.0], [0.0, 0.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([1e-200, 0.0], [3.0, 1.0]),  # its square is 0
        ([3.0, 1.0], [-3.0, -1.0]),  # parallel: cos² is at its maximum
    ],
)
def test_where_the_cosine_has_no_gradient_the_rest_of_the_loss_is_left(u, g):
    direction = UNO(alpha=0.5).direction(Quadratic(u, 0.5), Quadratic(g, 0.25))
    assert flat(direction).tolist() == pytest.approx(
        [a + 0.5 * b for a, b in zip(g, u, strict=True)], abs=1e-14
    )


@methods
@pytest.mark.parametrize("make", [UNO, UNOS])
def test_a_forget_side_that_is_content_leaves_retain_training(method, make):
    ends = []
    for strategy in (make(second_order=method, objective=Holdout(0.0)), FineTune()):
        module = Net()
        fits.fit(module, fits.sides(), strategy)
        ends.append(fits.weights(module))
    assert fits.distance(*ends) <= 1e-15


def test_control_law_1_fails_if_a_short_window_has_the_whole_penalty():
    case = named("uno-absolute")
    whole = dataclasses.replace(
        case, direction=lambda h: uno_direction(h, 0.5 / h.share, relative=False, alpha=0.3)
    )
    laws.equals_hand_loop(whole)
    with pytest.raises(AssertionError, match="off the loop by hand"):
        laws.equals_hand_loop(whole, accumulate=3)


# ---- what it comes down to -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("optimizer", [adamw, plain_sgd])
def test_without_both_weights_it_is_fine_tuning_step_for_step(optimizer):
    paths = []
    for strategy in (UNO(weight=0.0, alpha=0.0), FineTune()):
        watch, module = fits.Watch(), Traces(optimizer)
        fits.seed_all()
        fits.fit(module, fits.shuffled_sides(), strategy, watch)
        paths.append(watch.weights)
    assert len(paths[0]) == 11
    assert all(fits.same(*pair) for pair in zip(*paths, strict=True))


def test_without_orthogonality_it_is_the_difference_of_gradients():
    case = named("uno-absolute")
    laws.runs_agree(case, UNO(weight=0.0, alpha=0.3), GradientDifference(alpha=0.3))


def test_without_orthogonality_no_second_order_pass_is_made():
    calls = []
    for weight in (0.0, 0.1):
        module = Net()
        fits.fit(module, fits.sides(), UNO(alpha=0.0, weight=weight), max_epochs=1)
        calls.append(module.calls)
    assert calls == [10, 20]


def test_the_sign_of_the_objective_does_not_matter_without_alpha():
    sides = [(Quadratic([s * 1.0, s * 2.0], s * 0.5), Quadratic([1.0, 0.0], 0.25)) for s in (-1.0, 1.0)]
    minus, plus = (UNO(alpha=0.0).direction(*pair) for pair in sides)
    assert flat(minus).tolist() == pytest.approx(flat(plus).tolist(), rel=1e-15)


def test_the_other_steps_of_unos_are_those_of_retain_surgery():
    strategy = UNOS(weight=5.0, alpha=0.0)
    steps = []
    for step in range(4):
        strategy.progress.step = step
        sides = Quadratic([1.0, 2.0], 0.5), Quadratic([1.0, 0.0], 0.25)
        steps.append(flat(strategy.direction(*sides)))
        assert len(sides[0].vectors) == len(sides[1].vectors) == (step + 1) % 2
    surgery = RetainSurgery().combine(*(Quadratic(v, 0.0).gradient() for v in ([1.0, 2.0], [1.0, 0.0])))
    orthogonal = UNO(weight=5.0, alpha=0.0).direction(Quadratic([1.0, 2.0], 0.5), Quadratic([1.0, 0.0], 0.25))
    assert torch.equal(steps[0], flat(orthogonal))
    assert torch.equal(steps[2], flat(orthogonal))
    assert torch.equal(steps[1], flat(surgery))
    assert torch.equal(steps[3], flat(surgery))
    assert not torch.equal(*steps[:2])


def test_the_squared_cosine_that_is_reported_goes_down():
    """On one pair of batches, so that nothing but the weights changes it."""
    values = {}
    for weight in (0.0, 0.5):
        logger = fits.Recording()
        module = Net(plain_sgd)
        fits.fit(
            module,
            fits.sides(retain=4, forget=4),
            UNO(weight=weight, relative=False, alpha=0.0),
            logger=logger,
            max_epochs=40,
        )
        values[weight] = [
            metrics["unlearn/squared_cosine"]
            for _, metrics in logger.records
            if "unlearn/squared_cosine" in metrics
        ]
        assert len(values[weight]) == 40
    assert values[0.0][0] == values[0.5][0]
    assert values[0.5][-1] < 0.2 * values[0.0][-1]


# ---- what is refused -----------------------------------------------------------------------------------------------
class Attention(Net):
    """Fused attention, which has no second derivative."""

    def build(self):
        return nn.Linear(fits.FEATURES, 3 * 4 * fits.CLASSES)

    def forward(self, inputs):
        q, k, v = self.net(inputs).reshape(len(inputs), 1, 4, 3 * fits.CLASSES).chunk(3, dim=-1)
        with nn.attention.sdpa_kernel(nn.attention.SDPBackend.FLASH_ATTENTION):
            return scaled_dot_product_attention(q, k, v).mean(dim=(1, 2))


@pytest.mark.parametrize("make", [UNO, UNOS])
def test_fused_attention_is_refused_by_the_name_of_the_argument_before_a_weight_moves(make):
    module = Attention()
    start = fits.weights(module)
    with pytest.raises(
        ConfigurationError, match=r'twice differentiable.*found: .*`second_order="finite_difference"`'
    ):
        fits.fit(module, fits.sides(), make())
    assert fits.same(start, fits.weights(module))


def test_fused_attention_is_fine_with_central_differences():
    module = Attention()
    start = fits.weights(module)
    fits.fit(module, fits.sides(), UNO(alpha=0.0, second_order="finite_difference"))
    assert fits.finite(fits.weights(module))
    assert fits.distance(start, fits.weights(module)) > 1e-3


@pytest.mark.parametrize("make", [UNO, UNOS])
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("relative", "no", "`relative` must be true or false, found 'no'."),
        ("relative", 1, "`relative` must be true or false, found 1."),
        (
            "second_order",
            "exact",
            '`second_order` must be "double_backward" or "finite_difference", found \'exact\'.',
        ),
    ],
)
def test_arguments(make, name, value, message):
    with pytest.raises(ConfigurationError) as error:
        make(**{name: value})
    assert str(error.value) == message
