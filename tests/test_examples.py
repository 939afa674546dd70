"""The examples run as they stand (`.ci/run` does the same in a fresh environment; the YAML is in test_cli.py)."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lightning_unlearn

EXAMPLES = Path(__file__).parents[1] / "examples"


def printed(folder, name, *arguments):
    """What an example prints, run in an empty folder."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def markdown(text):
    """The means in the table at the end, by model and column."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {
        row[0]: {head: float(cell.split(" ")[0]) for head, cell in zip(lines[0][1:], row[1:], strict=True)}
        for row in lines[1:]
    }


@pytest.mark.slow
def test_swap_the_strategy_prints_a_row_for_each(tmp_path):
    text = printed(tmp_path, "swap_the_strategy.py")
    rows = dict(re.findall(r"^([A-Z]\w+) +(\d+(?: +[\d.]+ %){3})$", text, re.MULTILINE))
    assert len(rows) == 5
    assert all(hasattr(lightning_unlearn, name) for name in rows)
    numbers = {name: [float(n) for n in re.findall(r"[\d.]+", row)] for name, row in rows.items()}
    assert numbers["FineTune"][1] > 90  # the control does not forget
    assert numbers["GradientSurgery"][1] < 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_language_model_forgets_its_play_and_the_controls_do_not(tmp_path):
    rows = markdown(printed(tmp_path, "char_language_model.py", "--strategies", "GradientDifference"))
    gaps = {name: row["gap"] for name, row in rows.items()}
    assert gaps["GradientDifference"] < 0.5 * min(gaps["fine-tuning"], gaps["ascent"])
    original, retrained, unlearned = (
        rows[name] for name in ("original (do nothing)", "retrained", "GradientDifference")
    )
    assert retrained["the play: loss"] > original["the play: loss"] + 0.4
    assert unlearned["the play: loss"] > original["the play: loss"] + 0.4
    assert unlearned["other plays: right, %"] > original["other plays: right, %"] - 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_twenty_deletions_leave_the_model_whole(tmp_path):
    text = printed(
        tmp_path,
        "sequential_deletions.py",
        *("--strategies", "GradientDifference", "--figure", "figure.png", "--json", "numbers.json"),
    )
    rows = markdown(text)
    assert rows["GradientDifference"]["gap"] <= 2  # of 225 samples one is 0.4 points
    assert rows["ascent"]["gap"] > 50
    assert rows["GradientDifference"]["all: loss"] > 3 * rows["fine-tuning"]["all: loss"]
    assert {path.name for path in tmp_path.iterdir()} == {"figure.png", "numbers.json"}


def test_every_example_says_how_to_run_it():
    for path in EXAMPLES.rglob("[!_]*.py"):
        assert f"python examples/{path.relative_to(EXAMPLES)}" in path.read_text(), path
    assert "reference --config examples/reference.yaml" in (EXAMPLES / "reference.yaml").read_text()
    assert "fit --config examples/forget_a_class.yaml" in (EXAMPLES / "forget_a_class.yaml").read_text()


def test_the_cost_of_every_strategy_is_measured():
    text = (EXAMPLES / "benchmarks" / "strategy_cost.py").read_text()
    strategies = [
        name
        for name in lightning_unlearn.__all__
        if isinstance(value := getattr(lightning_unlearn, name), type)
        and issubclass(value, lightning_unlearn.UnlearningStrategy)
        and not inspect.isabstract(value)
    ]
    assert [name for name in strategies if not re.search(rf"\blu\.{name}\b", text)] == []
