"""The matrix of Trainer features: every cell is proved by a test that is there, or says why it is refused."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "trainer_features.md"
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| Feature")
]
LINK = re.compile(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)")


def functions_of(path):
    """Names of the test functions of a file."""
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_there_are_rows():
    assert len(ROWS) > 40


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_is_proved(row):
    feature, verdict, proof = row
    assert feature
    assert re.match(r"(exact|works|refused|GPU only)\b", verdict)
    links = LINK.findall(proof)
    assert links, "a row without a test"
    for name, path in links:
        assert name in functions_of(ROOT / path), f"{name} is not in {path}"


def test_each_refusal_gives_a_reason():
    assert all(
        len(verdict) > len("refused: ") + 10 for _, verdict, _ in ROWS if verdict.startswith("refused")
    )
