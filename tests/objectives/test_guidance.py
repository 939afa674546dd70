"""A classifier's guidance: its value, whom it touches, how it joins the losses, and what is refused."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from torch import nn
from torch.utils.data import DataLoader

from lightning_unlearn import (
    UNO,
    UNOS,
    Bounded,
    ConfigurationError,
    GradientAscent,
    GradientDifference,
    GradientSurgery,
    Guidance,
    Holdout,
    RetainSurgery,
    UnlearningStrategy,
    WeightedAscent,
)
from lightning_unlearn.audit._independence import check_independent
from tests.strategies import _fits as fits
from tests.strategies import _laws as laws
from tests.strategies._cases import named
from tests.strategies._modules import BatchNormed, Net
from tests.strategies._uno_cases import FORGOTTEN, GUIDE, LATENTS, guidance, penalty, sample

WITH_OBJECTIVE = [GradientAscent, GradientDifference, GradientSurgery, RetainSurgery, UNO, UNOS]


# ---- the value -----------------------------------------------------------------------------------------------------
def by_hand(logits, forgotten, weight=1.0, eps=1e-8):
    p = np.exp(logits - logits.max(1, keepdims=True))
    p = (p / p.sum(1, keepdims=True)).mean(0)
    target = np.full(p.shape, 1 / (len(p) - len(forgotten)))
    target[forgotten] = 0.0
    return weight * float((p * np.log((p + eps) / (target + eps))).sum())


@pytest.mark.parametrize("forgotten", [[0], [3], [1, 2], [2, 0, 3]])
@pytest.mark.parametrize(("weight", "eps"), [(1.0, 1e-8), (1e3, 1e-3), (0.0, 1e-8)])
def test_it_is_the_divergence_of_the_mean_prediction(forgotten, weight, eps):
    logits = torch.randn(7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3
    made = Guidance(lambda module: module(logits), nn.Identity(), forgotten, 4, weight, eps)
    value = made.loss(Scale())
    assert float(value.detach()) == pytest.approx(
        by_hand(logits.numpy(), forgotten, weight, eps), rel=1e-12, abs=1e-15
    )


class Scale(nn.Module):
    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor, dtype=torch.float64))

    def forward(self, x):
        return self.factor * x


def test_it_is_zero_where_the_kept_classes_are_alike():
    logits = torch.tensor([[-math.inf, 0.0, 0.0]]).nan_to_num(neginf=-1e4).double()
    made = Guidance(lambda module: module(logits), nn.Identity(), [0], 3)
    assert abs(float(made.loss(Scale()).detach())) <= 1e-8


def test_descending_it_takes_the_mass_off_the_forgotten_class():
    module = nn.Linear(2, 3)
    latents = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    made = Guidance(lambda m: m(latents), nn.Identity(), [2], 3)
    optimizer = torch.optim.Adam(module.parameters(), 0.1)
    for _ in range(200):
        optimizer.zero_grad()
        made.loss(module).backward()
        optimizer.step()
    mean = module(latents).softmax(1).mean(0).detach()
    assert float(mean[2]) < 1e-3
    assert mean[:2].tolist() == pytest.approx([0.5, 0.5], abs=1e-2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_samples_in_another_precision_are_cast_to_the_classifier_s(dtype):
    made = Guidance(lambda m: m(LATENTS.to(dtype)), nn.Linear(4, 3), [0], 3)
    assert made.loss(nn.Linear(4, 4).to(dtype)).dtype == torch.float32


# ---- whom it touches -----------------------------------------------------------------------------------------------
class Watched(nn.Module):
    """A classifier that says in which mode it was, with parts of which one is in another mode and one is frozen."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4).requires_grad_(False)
        self.scale = nn.Parameter(torch.ones(()))
        self.norm = nn.BatchNorm1d(3).eval()
        self.modes = []

    def forward(self, x):
        self.modes.append(
            (self.training, self.norm.training, any(p.requires_grad for p in self.parameters()))
        )
        return self.scale * self.layer(self.norm(x))


def test_the_classifier_gets_no_gradients_and_everything_else_of_it_back():
    classifier = Watched()
    made = Guidance(sample, classifier, [0], 4)
    fits.fit(Net(), fits.sides(), GradientSurgery(alpha=1.0, guidance=made))
    assert len(classifier.modes) == 1 + 2 * 10  # before the first step, and in both passes of ten
    assert set(classifier.modes[1:]) == {(False, False, False)}
    assert (classifier.training, classifier.norm.training, classifier.layer.training) == (True, False, True)
    assert [p.requires_grad for p in classifier.layer.parameters()] == [False, False]
    assert classifier.scale.requires_grad
    assert all(p.grad is None for p in classifier.parameters())


def test_everything_comes_back_after_an_exception():
    class Broken(Watched):
        def forward(self, x):
            raise RuntimeError("as planned")

    classifier, module = Broken(), nn.Linear(4, 3)
    with pytest.raises(RuntimeError, match="as planned"):
        Guidance(lambda m: m(LATENTS.float()), classifier, [0], 4).loss(module)
    assert module.training
    assert classifier.training
    assert classifier.scale.requires_grad


def test_the_sampler_sees_evaluation_mode_and_running_statistics_do_not_see_its_samples():
    ends = []
    for strategy in (
        GradientDifference(alpha=0.0),
        GradientDifference(alpha=0.0, guidance=guidance(0.0)),
    ):
        module = BatchNormed()
        fits.fit(module, fits.sides(dtype=torch.float32), strategy)
        ends.append(dict(module.named_buffers()) | fits.weights(module))
    assert fits.same(*ends)


def test_a_sampler_may_choose_the_mode_itself():
    modes = []

    def in_training_mode(module):
        module.train()
        modes.append(module.training)
        return sample(module)

    module = Net()
    fits.fit(
        module,
        fits.sides(),
        GradientSurgery(alpha=1.0, guidance=Guidance(in_training_mode, nn.Linear(3, 4), [0], 4)),
    )
    assert set(modes) == {True}


def test_the_audit_finds_the_classifier_in_a_strategy():
    made = guidance()
    for strategy in (GradientSurgery(alpha=1.0, guidance=made), made):
        with pytest.raises(ConfigurationError, match="must not be what the generator was trained with"):
            check_independent(made.classifier, strategy)
    check_independent(nn.Linear(3, 4), GradientSurgery(alpha=1.0, guidance=made))


# ---- how it joins --------------------------------------------------------------------------------------------------
def test_a_batch_without_a_loss_stays_so():
    made = guidance()
    assert made.added_to(lambda module, batch: None)(Net(), ()) is None
    loss = made.added_to(lambda module, batch: torch.ones((), dtype=torch.float64))(Net(), ())
    assert float(loss.detach()) == pytest.approx(1 + float(made.loss(Net()).detach()))


@pytest.mark.parametrize("left_out", ["both", "retain"])
def test_control_law_1_fails_where_it_does_not_join_a_side(left_out):
    case = named("surgery-guided")

    class ForgetAlone(GradientSurgery):
        def __init__(self):
            super().__init__(when="always", guidance=guidance())

        def setup(self, trainer, pl_module, stage):
            super().setup(trainer, pl_module, stage)
            self._session._losses = self._session._losses | {"retain": None}

    make = (lambda: GradientSurgery(alpha=1.0, when="always")) if left_out == "both" else ForgetAlone
    with pytest.raises(AssertionError, match="off the loop by hand"):
        laws.equals_hand_loop(case, make)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_it_joins_a_quotient_of_means_as_it_is(accumulate):
    def make():
        return GradientSurgery(alpha=1.0, when="always", objective=WeightedAscent(), guidance=guidance())

    case = dataclasses.replace(named("surgery-weighted"), make=make, penalty=penalty)
    laws.equals_hand_loop(case, accumulate=accumulate)


def test_without_a_retain_side_it_joins_the_forget_objective():
    """A forget objective of nothing: what moves the weights is the guidance alone."""
    module = Net(lambda parameters: torch.optim.SGD(parameters, lr=0.1))
    expected = Net()
    guidance().loss(expected).backward()
    fits.fit(
        module,
        {"forget": fits.sides()["forget"]},
        GradientAscent(objective=Zero(), guidance=guidance()),
        max_steps=1,
    )
    for (name, p), q in zip(module.named_parameters(), Net().parameters(), strict=True):
        moved = (q - p).detach() / 0.1
        assert torch.allclose(moved, dict(expected.named_parameters())[name].grad, rtol=1e-12, atol=1e-14)


class Zero(Bounded):
    def loss(self, module, batch, context):
        return 0.0 * super().loss(module, batch, context)


@pytest.mark.parametrize("strategy", WITH_OBJECTIVE)
def test_every_strategy_with_an_objective_takes_one(strategy):
    made = guidance()
    assert strategy(guidance=made).guidance is made
    assert strategy().guidance is None


class Decoder:
    """A sampler as a class, for configurations."""

    def __init__(self, count: int, seed: int = 0):
        self.latents = torch.randn(count, fits.FEATURES, generator=torch.Generator().manual_seed(seed))

    def __call__(self, module: nn.Module) -> torch.Tensor:
        return module(self.latents.to(next(module.parameters())))


def test_it_can_be_written_in_yaml():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(UnlearningStrategy, "strategy")
    config = f"""
    strategy:
      class_path: lightning_unlearn.GradientSurgery
      init_args:
        guidance:
          class_path: lightning_unlearn.Guidance
          init_args:
            sampler: {{class_path: {__name__}.Decoder, init_args: {{count: 5}}}}
            classifier: {{class_path: torch.nn.Linear, init_args: {{in_features: 3, out_features: 4}}}}
            forget_classes: [1, 2]
            num_classes: 4
            weight: 0.5
    """
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes  # the older name
    strategy = instantiate(parser.parse_string(config)).strategy
    assert (strategy.guidance.forget_classes, strategy.guidance.weight) == ([1, 2], 0.5)
    fits.fit(Net(), fits.sides(), strategy, max_epochs=1)


@pytest.mark.parametrize("strategy", WITH_OBJECTIVE)
def test_an_objective_with_a_function_of_its_mean_cannot_carry_it(strategy):
    with pytest.raises(ConfigurationError) as error:
        strategy(objective=Holdout(2.0), guidance=guidance())
    assert str(error.value) == (
        "`guidance` must join a mean over samples, found `objective=Holdout(level=2.0)`, which minimises a function of that "
        "mean. Take an objective without `outer`, such as `Bounded()`, or leave the guidance out."
    )


@pytest.mark.parametrize("value", ["Guidance", Guidance, Bounded(), 1.0])
def test_a_guidance_is_an_object(value):
    with pytest.raises(
        ConfigurationError, match="`guidance` must be an instance of Guidance or None, found "
    ):
        GradientSurgery(alpha=1.0, guidance=value)


# ---- refused at once -----------------------------------------------------------------------------------------------
CLASSES = r"`forget_classes` must list distinct integers in \[0, 4\), at least one and not all, found "


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(
            ({"forget_classes": value}, CLASSES)
            for value in ([], [4], [-1], [0, 0], [0, 1, 2, 3], [1.0], [True], "1", 1, None)
        ),
        ({"num_classes": 1}, "`num_classes` must be at least 2, found 1"),
        ({"num_classes": 0}, "`num_classes` must be a positive integer"),
        ({"weight": -1.0}, "`weight` must be a finite, non-negative number"),
        ({"weight": math.nan}, "`weight` must be a finite, non-negative number"),
        ({"eps": 0.0}, "`eps` must be a finite, positive number"),
        ({"sampler": "decode"}, "`sampler` must be a function of the module"),
        (
            {"classifier": torch.relu},
            r"`classifier` must be a `torch\.nn\.Module` that returns logits, found ",
        ),
    ],
)
def test_arguments(arguments, message):
    given = {"sampler": sample, "classifier": nn.Linear(3, 4), "forget_classes": [1], "num_classes": 4}
    with pytest.raises(ConfigurationError, match=message):
        Guidance(**given | arguments)


# ---- refused before the first step ---------------------------------------------------------------------------------
def with_sampler(sampler):
    return lambda module: Guidance(sampler, nn.Linear(3, 4).double(), [0], 4)


def with_classifier(make, classes=4):
    return lambda module: Guidance(sample, make(module), [0], classes)


def ruined():
    classifier = nn.Linear(3, 4).double()
    with torch.no_grad():
        classifier.weight[0, 0] = math.nan
    return classifier


REFUSED = {
    "no tensor": (with_sampler(lambda module: [sample(module)]), "`sampler` must return .*found list.* Let it"),
    "a scalar": (with_sampler(lambda m: sample(m).mean()), r"`sampler` must return .*found shape \(\)"),
    "nothing": (with_sampler(lambda m: sample(m)[:0]), r"found shape \(0, 3\)"),
    "labels": (with_sampler(lambda m: sample(m).long()), r"found shape \(6, 3\) of torch\.int64"),
    "NaN": (with_sampler(lambda m: sample(m) * math.nan), "`sampler` must return finite samples.*Check"),
    "chance": (with_sampler(lambda m: m(torch.randn_like(LATENTS))), "the same samples .*Draw the latents once"),
    "no graph": (with_sampler(lambda m: sample(m).detach()), r"`sampler` must .* graph.*`torch\.no_grad\(\)`"),
    "another width": (
        with_sampler(lambda m: sample(m)[:, :2]),
        r"`classifier` must take what `sampler` returns, of shape \(6, 2\), found: .*Let the sampler",
    ),
    "another number of classes": (
        with_classifier(lambda m: nn.Linear(3, 4).double(), 5),
        r"`classifier` must return logits of shape \(6, 5\).*found \(6, 4\).*Check `num_classes`",
    ),
    "no logits": (with_classifier(lambda m: Pair()), "found tuple"),
    "a ruined classifier": (with_classifier(lambda m: ruined()), "finite logits, found NaN"),
    "the module": (with_classifier(lambda m: m, 3), "`classifier` must be no part of `Net`.*outside"),
    "a layer of it": (with_classifier(lambda m: m.net[0], 5), "`classifier` must be no part of `Net`"),
    "a weight of it": (with_classifier(lambda m: Sharing(m), 3), "`classifier` must be no part of `Net`"),
}  # fmt: skip


class Pair(nn.Module):
    def forward(self, x):
        return x, x


class Sharing(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.weight = module.net[2].weight

    def forward(self, x):
        return x @ self.weight[:, :3]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_a_weight_moves(name):
    make, message = REFUSED[name]
    module = Net()
    start = fits.weights(module)
    with pytest.raises(ConfigurationError, match=message):
        fits.fit(module, fits.sides(), GradientSurgery(alpha=1.0, guidance=make(module)))
    assert fits.same(start, fits.weights(module))


def test_control_what_is_in_order_is_not_refused():
    module = Net()
    fits.fit(
        module,
        fits.sides(),
        GradientSurgery(alpha=1.0, guidance=with_classifier(lambda m: nn.Linear(3, 4))(module)),
    )
    assert len(GUIDE) > FORGOTTEN


def test_the_check_leaves_the_random_streams_alone():
    ends = []
    for guide in (None, guidance(0.0)):
        data = fits.sides()
        data["retain"] = DataLoader(data["retain"].dataset, 4, shuffle=True)
        fits.seed_all()
        fits.fit(Net(), data, GradientSurgery(alpha=1.0, guidance=guide))
        ends.append(fits.streams())
    assert ends[0] == ends[1]
