"""What a space must be."""

import pytest

from lightning_unlearn import ConfigurationError
from lightning_unlearn.tune._space import Choices, Range, space_of
from lightning_unlearn.tune._space_files import space_from


def test_ranges_and_choices():
    given = {
        "alpha": {"low": 0.01, "high": 1, "log": True},
        "max_steps": {"low": 10, "high": 30, "step": 10},
        "model.lr": {"low": 0.1, "high": 3, "relative": True},
        "when": {"choices": ["always", None, {"class_path": "x"}]},
        "fixed": {"low": 2, "high": 2},
    }
    space = space_of(given, "here")
    assert list(space) == list(given)
    assert space["alpha"] == Range(0.01, 1, log=True)
    assert space["max_steps"] == Range(10, 30, step=10)
    assert space["model.lr"].relative
    assert space["when"] == Choices(["always", None, {"class_path": "x"}])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "The search space in here must name at least one thing to vary, found {}. Write"),
        (None, "must name at least one thing to vary, found nothing"),
        ([1], r"found \[1\]"),
        ({"alpha": 3}, "`alpha` in here must be a range or choices, found 3. Write"),
        ({"alpha": {"low": 1}}, "must be a range or choices"),
        ({"alpha": {"low": 2, "high": 1}}, "`low` of `alpha` in here must be at most `high`, found 2 and 1. Exchange"),
        ({"alpha": {"low": 0, "high": 1, "log": True}}, "must be above 0 on a logarithmic scale, found 0. Take a small"),
        ({"alpha": {"low": -1, "high": 1, "log": True}}, "above 0 on a logarithmic scale, found -1"),
        ({"alpha": {"low": "1e-3", "high": 1}}, "finite number, found '1e-3'. Write 1.0e-3: YAML"),
        ({"alpha": {"low": float("nan"), "high": 1}}, "`low` of `alpha` in here must be a finite number, found nan"),
        ({"alpha": {"low": True, "high": 1}}, "finite number, found True"),
        ({"alpha": {"low": 0, "high": 1, "log": 1}}, "`log` of `alpha` in here must be true or false, found 1"),
        ({"alpha": {"low": 0, "high": 1, "step": 0}}, "`step` of `alpha` in here must be above 0"),
        ({"alpha": {"low": 1, "high": 4, "step": 1, "log": True}}, "and on a linear scale, found 1 and `log: true`"),
        ({"alpha": {"low": 0, "high": 1, "step": 0.3}}, "whole number of steps of 0.3 above `low`, found 1. Take 0.9"),
        ({"alpha": {"low": 0, "high": 1, "stepp": 1}}, "found `stepp`. Did you mean `step`"),
        ({"alpha": {"choices": [1], "low": 1}}, "found `low`"),
        ({"alpha": {"choices": []}}, r"`choices` of `alpha` in here must be a list of values, found \[\]"),
        ({"alpha": {"choices": "eval"}}, "must be a list of values, found 'eval'"),
        ({"alpha": {"choices": ["a", "b", "a"]}}, "must be distinct, found"),
    ],
)  # fmt: skip
def test_what_is_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        space_of(given, "here")


def test_files(tmp_path):
    path = tmp_path / "space.yaml"
    with pytest.raises(
        ConfigurationError, match=r"`space` must name a YAML file, found .*space.yaml that cannot be read"
    ):
        space_from(path)
    path.write_text("alpha: {low: 1.0e-3, high: 1.0, log: true}\n")
    assert space_from(path) == {"alpha": Range(1e-3, 1.0, log=True)}
    path.write_text("alpha: {low: 1.0e-3")
    with pytest.raises(ConfigurationError, match="must be YAML, found that it is not"):
        space_from(path)
    path.write_text("")
    with pytest.raises(ConfigurationError, match="must name at least one thing to vary"):
        space_from(path)
