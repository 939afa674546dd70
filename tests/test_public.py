"""What the package exports, and that each of it is shown where a reader looks."""

import inspect
import re
from importlib.metadata import version
from pathlib import Path

import pytest

import lightning_unlearn
from lightning_unlearn import Objective, UnlearningStrategy

ROOT = Path(__file__).parents[1]
OBJECTS = [name for name in lightning_unlearn.__all__ if name != "__version__"]


def concrete(base):
    found = (getattr(lightning_unlearn, name) for name in OBJECTS)
    return [
        c.__name__ for c in found if isinstance(c, type) and issubclass(c, base) and not inspect.isabstract(c)
    ]


STRATEGIES, OBJECTIVES = concrete(UnlearningStrategy), concrete(Objective)


def test_the_names_are_distinct_and_there():
    assert len(set(lightning_unlearn.__all__)) == len(lightning_unlearn.__all__)
    assert [name for name in lightning_unlearn.__all__ if not hasattr(lightning_unlearn, name)] == []
    assert STRATEGIES
    assert OBJECTIVES


def test_nothing_public_is_left_out():
    """Every public name that `__init__` imports is exported, and so is every strategy and objective."""
    imported = {
        name
        for name, value in vars(lightning_unlearn).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert imported == set(OBJECTS)
    assert set(lightning_unlearn.strategies.__all__) - {"Progress"} <= imported
    assert set(lightning_unlearn.objectives.__all__) - {"Context", "Quotient"} <= imported


@pytest.mark.parametrize("name", OBJECTS)
def test_each_has_a_docstring_with_an_example(name):
    documentation = vars(getattr(lightning_unlearn, name)).get("__doc__") or ""
    assert documentation.strip()
    if name not in ("Side", "Source"):  # made by a running fit: shown in the strategies that are given them
        assert re.search(r"^ *Example:\n *>>> ", documentation, re.MULTILINE)


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_strategy_names_its_origin_and_its_arguments(name):
    strategy = getattr(lightning_unlearn, name)
    assert "References:" in strategy.__doc__
    assert "direction" in strategy.__doc__
    for argument in inspect.signature(strategy).parameters:
        assert re.search(rf"^ *{argument}: ", strategy.__doc__, re.MULTILINE), argument


@pytest.mark.parametrize("name", [*STRATEGIES, *OBJECTIVES])
def test_each_has_a_row_in_a_table_of_the_readme(name):
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if line.lstrip().startswith("|")]
    assert any(re.search(rf"\b{name}\b", row) for row in rows)


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_strategy_has_a_row_in_the_cases_of_the_laws(name):
    text = (ROOT / "tests" / "strategies" / "_cases.py").read_text()
    rows = text[text.index("\nCASES") :]
    assert re.search(rf"\b{name}\b", rows)


@pytest.mark.parametrize("name", [*STRATEGIES, *OBJECTIVES])
def test_each_is_made_of_plain_values(name):
    """So that the command line and YAML come for nothing."""
    parameters = list(inspect.signature(getattr(lightning_unlearn, name)).parameters.values())
    assert all(p.annotation is not inspect.Parameter.empty for p in parameters)
    assert all(p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)


def test_the_version_is_that_of_the_distribution():
    assert lightning_unlearn.__version__ == version("lightning-unlearn")
