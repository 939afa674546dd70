"""The floors of the house: who may import whom, who may know Lightning, how long a room may be."""

import ast
import statistics
import subprocess
import sys
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lightning_unlearn"
FILES = sorted(PACKAGE.rglob("*.py"))
FLOORS = [
    # the first line that a module begins with holds
    (4, ("cli", "_expected", "demo", "compare", "tune", "")),
    (3, ("audit", "reference")),
    (2, ("strategies", "monitor", "recorder", "_evaluation", "_monitored")),
    (
        0,
        (
            "gradient",
            "weights",
            "errors",
            "predictions",
            "_tensors",
            "_modes",
            "_checks",
            "_files",
            "_weights_file",
            "rendering",
        ),
    ),
    (0, ("metrics.functional",)),
    (0, ("data._split", "data._sampler", "data._labels", "data._checks")),
    (1, ("processes", "passes", "combination", "objectives", "importance", "subspaces", "metrics", "data")),
]
STRANGERS = ("strategies", "data", "metrics")
KNOWS_LIGHTNING = (
    *(
        "passes",
        "monitor",
        "recorder",
        "_evaluation",
        "_monitored",
        "audit",
        "reference",
        "cli",
        "_expected",
        "compare",
        "demo",
        "tune",
    ),
    *(
        "strategies._base",
        "strategies._gradient",
        "strategies._edit",
        "strategies._checks",
        "strategies._constraint",
        "strategies._attached",
        "strategies._resumable",
        "strategies._tuning",
        "strategies._diagnostics",
    ),
    *("data._datamodule", "data._existing", "data._sides"),
)
HEAVY = ("torchvision", "torch_fidelity", "torchjd", "optuna")


def name_of(path):
    """Dotted name below the package; a package is called by its directory, the root by the empty string."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): ast.parse(path.read_text()) for path in FILES}
by_module = pytest.mark.parametrize("module", MODULES)


def begins(module, prefix):
    return module == prefix or (prefix != "" and module.startswith(prefix + "."))


def floor_of(module):
    for floor, prefixes in FLOORS:
        if any(begins(module, prefix) for prefix in prefixes):
            return floor
    raise AssertionError(f"{module} has no floor: give it one here and in docs/architecture.md")


def at_import_time(node):
    """Statements that run on import: not the bodies of functions, not what is for type checkers only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from (
                grandchild for other in child.orelse for grandchild in (other, *at_import_time(other))
            )
            continue
        yield child
        yield from at_import_time(child)


def imports(nodes):
    """Dotted names of what is imported; `from a import b` gives `a.b`, which may be a module or not."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(module, nodes=None):
    """Modules of the package that a module imports, by their names below it."""
    for imported in imports(ast.walk(MODULES[module]) if nodes is None else nodes):
        if begins(imported, "lightning_unlearn"):
            below = imported.removeprefix("lightning_unlearn").removeprefix(".")
            while below not in MODULES:  # a class or a function: the module it is in
                below = below.rpartition(".")[0]
            yield below


@by_module
def test_arrows_go_down_or_sideways(module):
    for imported in own_imports(module):
        inside = (
            module.split(".")[0] == imported.split(".")[0] and module != ""
        )  # a package knows its own modules
        assert floor_of(imported) <= floor_of(module) or inside, f"{module} imports {imported}"


@by_module
def test_nothing_imports_the_top_floor(module):
    if module.split(".")[0] not in ("cli", "_expected", "demo", "compare", "tune", "audit", "reference"):
        for imported in own_imports(module):
            assert floor_of(imported) < 3, f"{module} imports {imported}"


def test_there_are_no_circles():
    def needs(module):
        found = set(own_imports(module, at_import_time(MODULES[module])))
        # to import a.b, Python imports a; a package's own modules may find it half made
        parents = {name.rpartition(".")[0] for name in found if "." in name}
        return {n for n in found | parents - {""} if n != module and not begins(module, n)}

    order = list(TopologicalSorter({module: needs(module) for module in MODULES}).static_order())
    assert set(order) == set(MODULES)


@by_module
def test_strategies_data_and_metrics_are_strangers(module):
    own = module.split(".")[0]
    if own in STRANGERS:
        others = {imported.split(".")[0] for imported in own_imports(module)} & set(STRANGERS) - {own}
        assert not others, f"{module} imports {others}"


@by_module
def test_who_knows_lightning(module):
    lightning = ("lightning", "pytorch_lightning", "lightning_utilities")
    if not any(begins(module, known) for known in KNOWS_LIGHTNING):
        found = [i for i in imports(ast.walk(MODULES[module])) if i.split(".")[0] in lightning]
        assert not found, f"{module} imports {found}"


@by_module
def test_heavy_optional_packages_wait_until_they_are_asked_for(module):
    assert not [i for i in imports(at_import_time(MODULES[module])) if i.split(".")[0] in HEAVY]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_shorter_than_300_lines(path):
    assert len(path.read_text().splitlines()) < 300


def test_half_of_the_files_are_shorter_than_100_lines():
    assert statistics.median(len(path.read_text().splitlines()) for path in FILES) < 100


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith(("strategies.", "combination."))])
def test_a_strategy_does_not_wait_for_the_device(module):
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Call):
            of_constant = all(isinstance(argument, ast.Constant) for argument in node.args)  # float("inf")
            assert of_constant or ast.unparse(node.func) not in ("float", "bool"), f"line {node.lineno}"
            assert getattr(node.func, "attr", "") not in ("item", "tolist", "numpy", "cpu"), (
                f"line {node.lineno}"
            )


@by_module
def test_nobody_names_a_device(module):
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Call):
            assert getattr(node.func, "attr", "") != "cuda", f"line {node.lineno}"
            literals = [
                a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
            ]
            assert not any(text.startswith("cuda") for text in literals), f"line {node.lineno}"


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.parent.name in ("strategies", "objectives")], ids=name_of
)
def test_one_class_a_file(path):
    public = [n.name for n in MODULES[name_of(path)].body if isinstance(n, ast.ClassDef) and n.name[0] != "_"]
    beside = {"strategies._base": ["Progress"], "objectives._base": ["Context"]}.get(name_of(path), [])
    functions = ("_checks.py", "_sampled.py", "_diagnostics.py", "_by_tensor.py", "__init__.py")
    expected = 0 if path.name in functions else 1
    assert len([name for name in public if name not in beside]) == expected


BLOCKED = """
import importlib.metadata, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

from_name = importlib.metadata.Distribution.from_name

def checked(name):
    if name.replace("-", "_") in {blocked!r}:
        raise importlib.metadata.PackageNotFoundError(name)
    return from_name(name)

sys.meta_path.insert(0, Blocker())
importlib.metadata.Distribution.from_name = checked  # torchmetrics asks for the metadata before it imports
import lightning_unlearn
from lightning_unlearn import *
print(sorted({{name.split(".")[0] for name in sys.modules}} & set({blocked!r})))
"""


def test_the_package_works_without_what_is_optional(tmp_path):
    blocked = (*HEAVY, "torchjd", "jsonargparse", "tensorboard", "tensorboardX", "wandb")
    code = BLOCKED.format(blocked=blocked)
    command = [sys.executable, "-W", "error::ImportWarning", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


def test_this_file_would_notice():
    """The helpers see an import inside a class, a function, and for type checkers, and tell them apart."""
    text = "import a\nif TYPE_CHECKING:\n  import b\nelse:\n  import c\ndef f():\n  import d\nclass E:\n  import e\n"
    tree = ast.parse(text)
    assert set(imports(ast.walk(tree))) == set("abcde")
    assert set(imports(at_import_time(tree))) == set("ace")
    assert list(pairwise(sorted({floor for floor, _ in FLOORS}))) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    with pytest.raises(AssertionError, match="has no floor"):
        floor_of("attic")
