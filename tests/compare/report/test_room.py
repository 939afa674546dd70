"""The room makes reports of cells, and needs nothing of what made them."""

import ast
from pathlib import Path

import pytest

import lightning_unlearn.compare.report as room
from lightning_unlearn import rendering

FILES = sorted(path for of in (room, rendering) for path in Path(of.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_model_and_no_training_is_known(path):
    tree = ast.parse(path.read_text())
    modules = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    modules += [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    own = ("lightning_unlearn.compare.report", "lightning_unlearn.rendering", "lightning_unlearn.errors", "lightning_unlearn._files")  # fmt: skip
    for module in modules:
        assert module.split(".")[0] not in ("torch", "lightning", "torchmetrics")
        assert not module.startswith("lightning_unlearn") or module.startswith(own), module


def test_there_are_files():
    assert len(FILES) > 25
