"""Recomputed activations: the weights, buffers and random streams of a run that keeps them."""

import pytest
from torch import nn
from torch.utils.checkpoint import checkpoint

from lightning_unlearn import ConfigurationError, GradientAscent, GradientSurgery
from tests.strategies import _fits as fits
from tests.strategies._cases import CASES, rows
from tests.strategies._laws import leaves_no_trace, loaders_for
from tests.strategies._modules import Net
from tests.strategies._probes import HessianProbe, LookAhead, Nosy

pytestmark = pytest.mark.filterwarnings(
    "ignore:None of the inputs have requires_grad"
)  # in `prepare`, rightly
ways = pytest.mark.parametrize("reentrant", [False, True])


class Recomputing(Net):
    """Its middle block, with dropout and perhaps batch normalisation, keeps no activations.

    Args:
        way: `use_reentrant` of torch's `checkpoint`; `None` for none.
        momentum: of the block's batch normalisation; `None` for none.
    """

    def __init__(self, way=None, momentum=None):
        self.way, self.momentum = way, momentum
        super().__init__()

    def build(self):
        norm = [] if self.momentum is None else [nn.BatchNorm1d(8, momentum=self.momentum)]
        block = nn.Sequential(nn.Linear(8, 8), *norm, nn.Tanh(), nn.Dropout(0.3))
        return nn.ModuleList([nn.Linear(fits.FEATURES, 8), block, nn.Linear(8, fits.CLASSES)])

    def forward(self, inputs):
        first, block, last = self.net
        hidden = first(inputs)
        hidden = block(hidden) if self.way is None else checkpoint(block, hidden, use_reentrant=self.way)
        return last(hidden)


def end(make, way, loaders=None, momentum=None, **trainer):
    module = Recomputing(way, momentum)
    fits.seed_all()
    fits.fit(module, loaders or fits.sides(), make(), **trainer)
    return module, fits.streams()


def agree(make, reentrant, tolerance=0.0, **arguments):
    """Bit for bit by default; the module whose activations were recomputed."""
    (plain, plain_streams), (ours, our_streams) = (end(make, way, **arguments) for way in (None, reentrant))
    assert fits.distance(fits.weights(plain), fits.weights(ours)) <= tolerance, "weights differ"
    assert plain_streams == our_streams, "random streams differ"
    start = Recomputing(None, arguments.get("momentum"))
    assert fits.distance(fits.weights(start), fits.weights(ours)) > 1e-3
    return ours


# a reentrant block cannot be differentiated by `autograd.grad`, with strategies or without: see below
@pytest.mark.parametrize("case", rows(*(c for c in CASES if not c.double_backward)))
@ways
def test_a_run_that_recomputes_activations_equals_one_that_keeps_them(case, reentrant):
    if reentrant and case.id.startswith(("fisher", "sfron")):
        pytest.skip("the gradients of single samples are taken by `autograd.grad`")
    if reentrant and case.penalty is not None:
        pytest.skip(
            "a sampler is in evaluation mode, which is over when the block runs again: see `Guidance`"
        )
    # two forward passes in one loss: reentrant blocks add up their gradients in another order
    tolerance = 1e-15 if reentrant and case.id == "redirect" else 0.0
    sides = loaders_for(case, fits.sides())
    agree(case.make, reentrant, tolerance, loaders=sides, accumulate_grad_batches=2)


@pytest.mark.parametrize("case", rows(*(c for c in CASES if c.double_backward)))
def test_second_derivatives_pass_through_what_is_recomputed(case):
    module, _ = end(case.make, None)
    other, _ = end(case.make, False)
    assert fits.distance(fits.weights(module), fits.weights(other)) <= 1e-12


# Plain torch moves running statistics in the recomputation once more: a pass that depends on those of the retain side
# is compared with a momentum of zero.
NORMALISED = [
    (GradientSurgery, "train", 0.1),
    (GradientSurgery, "eval", 0.0),
    (GradientAscent, "train", 0.1),
    (GradientAscent, "eval", 0.1),
]


@ways
@pytest.mark.parametrize(("strategy", "batch_norm", "momentum"), NORMALISED)
def test_batch_normalisation_inside_what_is_recomputed_has_the_mode_of_the_pass(
    strategy, batch_norm, momentum, reentrant
):
    loaders = fits.sides() if strategy is GradientSurgery else {"forget": fits.sides()["forget"]}
    make = lambda: strategy(batch_norm=batch_norm)  # noqa: E731
    ours = agree(make, reentrant, loaders=loaders, momentum=momentum)
    if strategy is GradientAscent:
        start = Recomputing(None, momentum)
        assert fits.same(dict(start.named_buffers()), dict(ours.named_buffers())), "forget data moved them"


def test_control_the_mode_of_batch_normalisation_matters():
    loaders = {"forget": fits.sides()["forget"]}
    makes = (GradientAscent, lambda: GradientAscent(batch_norm="eval"))
    ends = [end(make, False, loaders, 0.1)[0] for make in makes]
    assert fits.distance(*map(fits.weights, ends)) > 1e-3


@ways
def test_no_trace_where_activations_are_recomputed(reentrant):
    leaves_no_trace(LookAheadOnly if reentrant else Nosy, lambda: Single(reentrant), epochs=2)


class LookAheadOnly(LookAhead):
    """Asks for passes of both sides, and returns the retain gradient."""

    def direction(self, forget, retain):
        super().direction(forget, retain)
        return retain.gradient()


class Single(Recomputing):
    """In float32, with batch normalisation, for the loaders of the law."""

    def __init__(self, way):
        super().__init__(way, momentum=0.1)
        self.float()


def test_a_reentrant_block_is_refused_by_double_backward_with_the_remedy():
    with pytest.raises(ConfigurationError, match=r"finite_difference"):
        end(HessianProbe, True)


@ways
def test_central_differences_pass_through_what_is_recomputed(reentrant):
    agree(lambda: HessianProbe(method="finite_difference"), reentrant)


def test_control_another_dropout_mask_in_the_recomputation_is_seen():
    class Careless(Recomputing):
        def forward(self, inputs):
            first, block, last = self.net
            return last(checkpoint(block, first(inputs), use_reentrant=False, preserve_rng_state=False))

    plain, _ = end(GradientSurgery, None)
    module = Careless()
    fits.seed_all()
    fits.fit(module, fits.sides(), GradientSurgery(alpha=1.0))
    assert fits.distance(fits.weights(plain), fits.weights(module)) > 1e-3
