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


@pytest.mark.slow
def test_swap_the_strategy_prints_a_row_for_each(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "swap_the_strategy.py"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    rows = dict(re.findall(r"^([A-Z]\w+) +(\d+(?: +[\d.]+ %){3})$", done.stdout, re.MULTILINE))
    assert len(rows) == 5
    assert all(hasattr(lightning_unlearn, name) for name in rows)
    numbers = {name: [float(n) for n in re.findall(r"[\d.]+", row)] for name, row in rows.items()}
    assert numbers["FineTune"][1] > 90  # the control does not forget
    assert numbers["GradientSurgery"][1] < 5
    assert list(tmp_path.iterdir()) == []


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
