"""docs/metrics.md has every metric, and nothing that is not there."""

import inspect
import re
from pathlib import Path

import pytest

from lightning_unlearn import metrics
from lightning_unlearn.metrics import functional
from tests.metrics._cases import all_cases

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
HEADINGS = {
    name for line in re.findall(r"^### (.*)$", PAGE, re.MULTILINE) for name in re.findall(r"\w+", line)
}
NAMES = [name for name in metrics.__all__ if name != "UnlearningMetric"]


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_has_its_section_and_its_question(name):
    assert name in HEADINGS
    assert f"`{name}`" in PAGE.partition("\n## ")[0]


def test_no_section_is_of_something_else():
    assert HEADINGS - {"and"} <= {*metrics.__all__, *functional.__all__}


@pytest.mark.parametrize("name", re.findall(r"`([a-z_]+)`", PAGE.partition("\n## ")[0]))
def test_functions_of_the_table_exist(name):
    assert name in functional.__all__


def test_the_program_of_the_page_runs(capsys):
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(program, "metrics.md", "exec"), {})
    assert re.match(r"tensor\([01]", capsys.readouterr().out)


def test_every_metric_is_under_the_laws():
    laws = {type(case.build()) for case in all_cases()}
    beyond = {
        metrics.UnlearningMetric,
        metrics.MembershipInferenceAccuracy,
    }  # the latter has tests of its own
    assert {c for c in vars(metrics).values() if inspect.isclass(c)} - beyond <= laws


def test_the_number_of_the_readme():
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert re.search(r"\[(\d+) metrics\]\(docs/metrics.md\)", readme).group(1) == str(len(NAMES))
