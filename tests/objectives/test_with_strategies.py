"""Every objective with every strategy that takes one: finite, moves, and where a strategy has a forgetting force, forgets."""

import inspect

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchjd.aggregation import MGDA as TheirMGDA
from torchjd.aggregation import AlignedMTL

import lightning_unlearn as lu
from lightning_unlearn import ConfigurationError
from tests.strategies import _fits as fits
from tests.strategies._cases import LEVEL, ascent, bounded, holdout, identity, next_label, uniform
from tests.strategies._modules import Net
from tests.strategies._pgu_cases import confusion

NEEDED = {"TorchJDStrategy": {"aggregator": AlignedMTL()}}
STRATEGIES = [
    name
    for name in lu.__all__
    if isinstance(value := getattr(lu, name), type)
    and issubclass(value, lu.UnlearningStrategy)
    and not inspect.isabstract(value)
    and "objective" in inspect.signature(value).parameters
]
OBJECTIVES = {  # how it is made, its loss of a batch, the function of the mean
    "Ascent": (lu.Ascent, ascent, identity),
    "Bounded": (lambda: lu.Bounded(1e-3), bounded, identity),
    "Uniform": (lu.Uniform, uniform, identity),
    "Relabel": (lambda: lu.Relabel(fits.CLASSES, kind="next"), next_label, identity),
    "Confusion": (lu.Confusion, confusion, identity),
    "Holdout": (lambda: lu.Holdout(LEVEL), cross_entropy, holdout(LEVEL)),
}
every_objective = pytest.mark.parametrize("objective", OBJECTIVES)


def loaders(strategy, sides):
    """A strategy that needs no retain side may want to measure it before the first step."""
    measures = type(strategy).prepare is not lu.UnlearningStrategy.prepare
    return sides if strategy.needs_retain or measures else {"forget": sides["forget"]}


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("objective", [*OBJECTIVES, "WeightedAscent"])
def test_a_fit_is_finite_and_moves(name, objective):
    make = OBJECTIVES[objective][0] if objective in OBJECTIVES else lu.WeightedAscent
    strategy = getattr(lu, name)(**NEEDED.get(name, {}), objective=make())
    module = Net()
    start = fits.weights(module)
    fits.fit(module, loaders(strategy, fits.sides()), strategy)
    assert fits.finite(fits.weights(module))
    assert fits.distance(start, fits.weights(module)) > 1e-4


FORCES = {  # what descends the objective whatever the retain side says, if it is weighed as here
    "GradientAscent": lu.GradientAscent,
    "GradientDifference": lambda **k: lu.GradientDifference(alpha=100.0, **k),
    "GradientSurgery": lambda **k: lu.GradientSurgery(alpha=1.0, retain_weight=0.0, when="always", **k),
    "LUR": lambda **k: lu.LUR(forget_weight=100.0, **k),
    "PCGrad": lu.PCGrad,
    "MGDA": lu.MGDA,
    "NormalisedDifference": lu.NormalisedDifference,
    "TorchJDStrategy": lambda **k: lu.TorchJDStrategy(TheirMGDA(), **k),
}


@pytest.mark.parametrize("name", FORCES)
@every_objective
def test_a_small_step_lowers_the_objective(name, objective):
    make, term, outer = OBJECTIVES[objective]
    strategy = FORCES[name](objective=make())
    module = Net(lambda parameters: torch.optim.SGD(parameters, lr=1e-5))
    sides = fits.sides()
    inputs, labels = next(iter(sides["forget"]))

    def value():
        with torch.no_grad():
            return float(outer(term(module(inputs), labels)))

    before = value()
    fits.fit(module, loaders(strategy, sides), strategy, max_steps=1)
    assert value() < before - 1e-10


@every_objective
def test_a_step_of_retain_surgery_leaves_the_objective_to_first_order(objective):
    make, term, outer = OBJECTIVES[objective]
    inputs, labels = next(iter(fits.sides()["forget"]))
    moves = []
    for rate in (1e-2, 5e-3):
        module = Net(lambda parameters, rate=rate: torch.optim.SGD(parameters, lr=rate))
        before = float(outer(term(module(inputs), labels)).detach())
        fits.fit(module, fits.sides(), lu.RetainSurgery(objective=make()), max_steps=1)
        moves.append(float(outer(term(module(inputs), labels)).detach()) - before)
    assert moves[0] / moves[1] == pytest.approx(4.0, abs=0.2)  # the second order is left


# ---- labels that cannot be found ---------------------------------------------------------------------------------
class Dictionaries(Net):
    """Its batches are mappings."""

    def training_step(self, batch, batch_idx):
        return super().training_step((batch["x"], batch["y"]), batch_idx)


def dictionaries():
    def collate(samples):
        x, y = torch.utils.data.default_collate(samples)
        return {"x": x, "y": y}

    return {
        side: DataLoader(loader.dataset, 4, collate_fn=collate, generator=torch.Generator())
        for side, loader in fits.sides().items()
    }


def predict(module, batch):
    return module(batch["x"]), batch["y"]


ADAPTERS = {
    "Bounded": (lambda **k: lu.Bounded(1e-3, **k), {"predict": predict}, "predict"),
    "Uniform": (lu.Uniform, {"predict": predict}, "predict"),
    "Relabel": (lambda **k: lu.Relabel(fits.CLASSES, kind="next", **k), {"labels": "y"}, "labels"),
}


@pytest.mark.parametrize("name", ["GradientSurgery", "GradientAscent", "LUR"])
@pytest.mark.parametrize("objective", ADAPTERS)
def test_labels_that_cannot_be_found_are_refused_before_a_weight_moves(name, objective):
    make, adapter, argument = ADAPTERS[objective]
    strategy, module = getattr(lu, name)(objective=make()), Dictionaries()
    start = fits.weights(module)
    with pytest.raises(ConfigurationError, match=rf"`{argument}` must .* Pass "):
        fits.fit(module, loaders(strategy, dictionaries()), strategy)
    assert fits.same(start, fits.weights(module))
    # and the adapter that is named is all that is missing
    fits.fit(module, loaders(strategy, dictionaries()), getattr(lu, name)(objective=make(**adapter)))
    plain = Net()
    fits.fit(plain, loaders(strategy, fits.sides()), getattr(lu, name)(objective=make()))
    assert fits.same(fits.weights(plain), fits.weights(module))


def test_a_model_without_labels_is_told_of_another_objective():
    module = Dictionaries()
    with pytest.raises(ConfigurationError, match=r"such as a generator, .*`Ascent\(\)`"):
        fits.fit(module, dictionaries(), lu.LUR())
    fits.fit(module, dictionaries(), lu.LUR(objective=lu.Ascent()))
    assert fits.finite(fits.weights(module))
