"""Names of a space, beside the strategy, the model and the settings that they belong to."""

import inspect
from pathlib import Path

import pytest

import lightning_unlearn
from lightning_unlearn import ConfigurationError, UnlearningStrategy, tune
from lightning_unlearn.tune._names import value_of
from lightning_unlearn.tune._parameters import Choice, Number, inside

BOUNDED = {"class_path": "lightning_unlearn.Bounded", "init_args": {"offset": 0.5}}
STRATEGIES = [
    name
    for name in lightning_unlearn.__all__
    if inspect.isclass(cls := getattr(lightning_unlearn, name))
    and issubclass(cls, UnlearningStrategy)
    and not inspect.isabstract(cls)
]
SPACES = sorted((Path(__file__).parents[2] / "examples" / "spaces").glob("*.yaml"))
# needs an argument that has no default
GIVEN = {"TorchJDStrategy": {"aggregator": {"class_path": "torchjd.aggregation.AlignedMTL"}}}


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_strategy_has_a_space_that_it_lies_in(name, asked):
    """Every name is an argument, every bound and choice is accepted by the constructor, and so are the defaults."""
    found = asked(strategy={"class_path": name, "init_args": GIVEN.get(name, {})}, space=None)
    arguments = inspect.signature(getattr(lightning_unlearn, name)).parameters
    for parameter in found.parameters:
        assert parameter.name in arguments or parameter.name == "model.lr"
    assert inside(found.parameters, found.defaults), found.defaults
    assert len(found.parameters) <= 6
    assert [p.name for p in found.parameters].count("model.lr") == 1


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_the_spaces_of_the_examples_are_those_of_their_strategies(path, asked):
    found = asked(strategy=path.stem.rpartition("_")[2].replace("alpha", "UNO"), space=str(path))
    assert found.parameters


def test_no_space_is_left_over():
    files = Path(tune.__file__).parent.glob("spaces/*.yaml")
    assert sorted(path.stem for path in files) == sorted(STRATEGIES)


def test_types_come_from_the_constructor(asked):
    space = {
        "alpha": {"low": 0, "high": 2},
        "retain_steps": {"low": 1, "high": 9, "step": 2},
        "clip": {"low": 1, "high": 2},
        "max_steps": {"low": 2, "high": 8, "log": True},
        "monitor.every_n_steps": {"low": 1, "high": 3},
    }
    found = {p.name: p for p in asked(strategy="SFRon", space=space).parameters}
    assert {name: p.integer for name, p in found.items()} == {
        "alpha": False,
        "retain_steps": True,
        "clip": False,
        "max_steps": True,
        "monitor.every_n_steps": True,
    }
    assert found["retain_steps"] == Number("retain_steps", 1, 9, step=2, integer=True)


def test_relative_bounds_are_multiples_of_what_is_set(asked):
    space = {
        "model.lr": {"low": 0.1, "high": 3, "log": True, "relative": True},
        "max_steps": {"low": 0.5, "high": 2, "relative": True},
    }
    lr, steps = asked(space=space).parameters
    assert (lr.low, lr.high, lr.integer) == pytest.approx(
        (0.02, 0.6, False)
    )  # the request's settings say 0.2
    assert (steps.low, steps.high, steps.integer) == (2, 8, True)
    with pytest.raises(ConfigurationError, match=r"`model.noise` .* positive value of its own .* found 0.0"):
        asked(space={"model.noise": {"low": 0.1, "high": 3, "relative": True}})


def test_parts_of_a_choice_are_tried_with_each(asked):
    confusion = {"class_path": "lightning_unlearn.Confusion"}
    part = {"objective.init_args.offset": {"low": 0.01, "high": 0.1}}
    found = asked(space=part | {"objective": {"choices": [BOUNDED, confusion]}})
    assert [p.name for p in found.parameters] == ["objective.init_args.offset", "objective"]
    values = {"objective": confusion, "objective.init_args.offset": 0.02}
    [entry] = found.subject.with_values(values).entries
    objective = entry.strategy.init_args["objective"]
    assert objective["class_path"] == "lightning_unlearn.Confusion"
    assert objective["init_args"]["offset"] == 0.02
    uniform = {"class_path": "lightning_unlearn.Uniform"}
    with pytest.raises(ConfigurationError, match=r"found objective = .*Uniform.*`offset`"):
        asked(space=part | {"objective": {"choices": [BOUNDED, uniform]}})
    with pytest.raises(
        ConfigurationError, match=r"must be part of something .* found `objective` to be None"
    ):
        asked(space=part)
    given = {"class_path": "GradientDifference", "init_args": {"objective": BOUNDED}}
    assert (
        value_of(asked(strategy=given, space=part).subject.complete({}), "objective.init_args.offset") == 0.5
    )


def test_a_default_that_is_written_out_is_known_again(asked):
    given = {"class_path": "GradientDifference", "init_args": {"objective": BOUNDED}}
    found = asked(strategy=given, space={"objective": {"choices": [None, BOUNDED]}})
    [choice] = found.parameters
    assert isinstance(choice, Choice)
    assert choice.index(found.defaults["objective"]) == 1
    short = Choice("objective", [None, BOUNDED], [None, choice.values[1]])
    assert short.index(BOUNDED) == short.index(choice.values[1]) == 1
    assert short.holds(choice.values[1])
    assert not short.holds({"class_path": "lightning_unlearn.Bounded"})


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"alhpa": {"low": 0, "high": 1}}, "The search space must have names among .*found `alhpa`. Did you mean `alpha`"),
        ({"max_step": {"low": 1, "high": 2}}, "Did you mean `max_steps`"),
        ({"model.lrr": {"low": 0, "high": 1}}, "found `model.lrr`. Did you mean `model.lr`"),
        ({"monitor.every_n_step": {"low": 1, "high": 2}}, "found `monitor.every_n_step`. Did you mean `monitor.every_n"),
        ({"alpha": {"low": -1.0, "high": 1}}, "found alpha = -1.0: .*`alpha` must be a finite, non-negative number"),
        ({"max_steps": {"low": 0, "high": 1}}, "`max_steps` must be a positive integer, found 0"),
        ({"max_steps": {"low": 1.5, "high": 2}}, "found max_steps = 1.5"),
        ({"batch_norm": {"choices": ["train", "evil"]}}, "found batch_norm = 'evil'"),
        ({"objective": {"choices": [{"class_path": "Boundde"}]}}, "Did you mean `Bounded`"),
        ({"model.lr": {"choices": ["fast"]}}, "found model.lr = 'fast'"),
    ],
)  # fmt: skip
def test_what_is_refused(asked, space, message):
    with pytest.raises(ConfigurationError, match=message):
        asked(space=space)


def test_who_has_no_space_needs_one(asked):
    with pytest.raises(
        ConfigurationError,
        match="`space` must name a YAML file for Slanted, which no search space comes with",
    ):
        asked(strategy="tests.compare._modules.Slanted", space=None)
    found = asked(strategy="tests.compare._modules.Slanted", space={"slope": {"low": 1, "high": 2}})
    assert found.defaults == {"slope": 1.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategy": None}, "`strategy` must be a class, found none"),
        ({"strategy": "GradientDiference"}, "Did you mean `GradientDifference`"),
        ({"strategy": "GradientDifference(alpa=1)"}, "found `alpa`. Did you mean `alpha`"),
        ({"request": "the last clas"}, "found 'the last clas'. Did you mean `the last class`"),
        (
            {"requests": None},
            "`request` must be the name of one of the `requests`, found None. Write `requests`",
        ),
        ({"trials": 0}, "`trials` must be a positive integer, found 0"),
        ({"at_once": 0}, "`at_once` must be a positive integer, found 0"),
        ({"retain_floor": 1.5}, "`retain_floor` must be a number between 0 and 1, found 1.5"),
        ({"search_seed": -1}, "`search_seed` must be an integer of at least 0, found -1"),
        ({"original_seeds": [101]}, "found 101 in both"),
    ],
)
def test_what_else_is_refused(asked, changes, message):
    with pytest.raises(ConfigurationError, match=message):
        asked(**changes)
