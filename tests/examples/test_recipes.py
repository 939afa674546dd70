"""The recipes: they run, they are what the comparisons have, and they come to what they say."""

import gzip
import hashlib
import logging
import re
import statistics
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from examples.benchmarks import recipes as benchmark
from examples.cifar10 import ResNet20
from examples.recipes import write
from lightning_unlearn import ForgettingMonitor, UnlearningStrategy, cli
from lightning_unlearn.compare._request import requests_of, strategy_of
from lightning_unlearn.demo import MNIST, DigitClassifier, FashionMNIST

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "recipes"
RECIPES = sorted(FOLDER.glob("*.yaml"))
ORIGINALS = sorted(FOLDER.glob("originals/*.yaml"))
TASKS = {path.stem: path for path in (ROOT / "lightning_unlearn/compare/tasks").glob("*.yaml")}
FAST = ("--trainer.fast_dev_run=true", "--trainer.accelerator=cpu", "--trainer.enable_model_summary=false")
SMALL = ("--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`:UserWarning"),  # the monitor validates
    pytest.mark.filterwarnings("ignore:.*'pin_memory' argument:UserWarning"),  # from_datasets asks for it
    pytest.mark.filterwarnings("ignore:The number of training batches:UserWarning"),
    pytest.mark.filterwarnings("ignore:Retain accuracy fell to:UserWarning"),  # of random weights
    pytest.mark.filterwarnings("ignore:Before the first step, forget accuracy is:UserWarning"),  # likewise
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists:UserWarning"),
]


def loaded(path):
    return yaml.safe_load(path.read_text())


def task_of(path):
    return next(task for task in (*TASKS, "cifar10") if path.stem.startswith(task))


@pytest.fixture(autouse=True)
def alone_in_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def call(monkeypatch):
    """Call the entry point; the exit code or message is returned."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["lightning-unlearn", "fit", *map(str, arguments)])
        try:
            return cli.main()
        except SystemExit as end:
            return end.code

    return call


@pytest.fixture
def fits(monkeypatch):
    """The command lines that have come to their fit, with the weights before it."""
    made = []
    before = cli.UnlearnCLI.before_fit

    def before_fit(self):
        before(self)
        made.append((self, {name: value.clone() for name, value in self.model.state_dict().items()}))

    monkeypatch.setattr(cli.UnlearnCLI, "before_fit", before_fit)
    return made


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Options that name data and weights of random numbers, by task."""
    rng = np.random.default_rng(0)
    contents = {}
    for part, count in (("train", 200), ("t10k", 100)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", np.arange(count, dtype=np.uint8) % 10)):
            sizes = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
            contents[f"{part}-{kind}-ubyte"] = bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()
    checksums = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    for dataset in (MNIST, FashionMNIST):
        monkeypatch.setattr(dataset, "md5", checksums)
        folder = tmp_path / "data" / dataset.name / "raw"
        folder.mkdir(parents=True)
        for name, content in contents.items():
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    arrays = {}
    for part in ("train", "test"):
        arrays[f"x_{part}"] = rng.integers(0, 256, (100, 3, 32, 32), dtype=np.uint8)
        arrays[f"y_{part}"] = (np.arange(100) % 10).astype(np.uint8)
    np.savez(tmp_path / "part.npz", **arrays)
    torch.save({"state_dict": ResNet20().state_dict()}, tmp_path / "resnet20.th")
    idx = [f"--data.{side}.root={tmp_path / 'data'}" for side in ("train", "test")]
    npz = [f"--data.{side}.file={tmp_path / 'part.npz'}" for side in ("train", "test")]
    weights = f"--model.weights={tmp_path / 'resnet20.th'}"
    return {"digits": [], "mnist": idx, "fashion_mnist": idx, "cifar10": [*npz, weights]}


# ---- the files -------------------------------------------------------------------------------------------------
def test_the_files_are_what_the_script_writes():
    written = write.recipes()
    assert sorted(written) == [*RECIPES, *ORIGINALS], "files without an entry, or entries without a file"
    stale = {path.name for path, text in written.items() if path.read_text() != text}
    assert not stale, "run `python examples/recipes/write.py`"


@pytest.mark.parametrize("task", TASKS)
def test_every_entry_of_a_packaged_comparison_has_its_recipe(task):
    comparison = loaded(TASKS[task])
    recipes = [loaded(path) for path in RECIPES if task_of(path) == task]
    assert len(recipes) == sum(len(request["entries"]) for request in comparison["requests"])
    for request in requests_of(comparison["requests"], None):
        for entry in request.entries:
            settings = entry.settings
            sizes = {"batch_size": settings.batch_size, "forget_batch_size": settings.forget_batch_size}
            data = comparison["data"]["init_args"] | request.forget | {k: v for k, v in sizes.items() if v}
            (recipe,) = (
                one
                for one in recipes
                if one["data"]["init_args"] == data
                and strategy_of(one["trainer"]["callbacks"][-1], "`strategy`") == entry.strategy
            )
            assert recipe["trainer"]["max_steps"] == settings.max_steps
            assert recipe["model"]["init_args"] == comparison["model"].get("init_args", {}) | settings.model
            monitor = recipe["trainer"]["callbacks"][0]["init_args"]
            assert settings.monitor is None or monitor == settings.monitor
    original = loaded(FOLDER / "originals" / f"{task}.yaml")
    assert original["model"] == comparison["model"]
    assert comparison["trainer"].items() <= original["trainer"].items()
    assert original["data"]["init_args"]["batch_size"] == comparison["data"]["init_args"]["batch_size"]


@pytest.mark.parametrize("path", [*RECIPES, *ORIGINALS], ids=lambda path: path.stem)
def test_the_comment_has_the_command(path):
    comment = " ".join(line[1:] for line in path.read_text().splitlines() if line.startswith("#"))
    (named,) = re.findall(r"lightning-unlearn fit --config (\S+)", comment)
    assert ROOT / named == path
    original = loaded(path).get("original")
    if original is not None:
        (start,) = re.findall(r"examples/recipes/originals/\S+\.yaml", comment)
        (keeper,) = loaded(ROOT / start)["trainer"]["callbacks"]
        assert f"{keeper['init_args']['dirpath']}/{keeper['init_args']['filename']}.ckpt" == original


def test_entries_of_any_form_become_recipes(call, fits):
    comparison = loaded(TASKS["digits"])
    comparison["requests"][0]["entries"] = [
        {
            "strategy": "PGU(threshold=0.9)",
            "settings": {"max_steps": 2, "monitor": None, "model": {"lr": 0.3}},
        },
        {"name": "slow SFRon", "strategy": {"class_path": "SFRon"}, "settings": {"monitor": {"target": 0.5}}},
    ]
    texts = dict(write.unlearnings("digits", comparison))
    assert list(texts)[:2] == ["digits_class_PGU.yaml", "digits_class_slow_SFRon.yaml"]
    for name, text in texts.items():
        Path(name).write_text(text)
    torch.save(DigitClassifier().state_dict(), "original.ckpt")
    said = [
        call("--config", name, *SMALL, "--original=original.ckpt", "--trainer.max_steps=2") for name in texts
    ]
    assert set(said) == {None}
    (pgu, first), (sfron, second), *_ = (made.trainer.callbacks[:2][::-1] for made, _ in fits)
    assert (type(pgu).__name__, pgu.threshold, fits[0][0].model.lr) == ("PGU", 0.9, 0.3)
    assert (first.target, first.retain_floor, len(first.history)) == (None, 0.0, 2)
    assert (type(sfron).__name__, second.target, second.retain_floor) == ("SFRon", 0.5, 0.5)


# ---- the runs --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs(call, fits, files, capsys, path):
    config = loaded(path)
    start = []
    if "original" in config:
        state = DigitClassifier(**config["model"]["init_args"]).state_dict()
        torch.save(state, "original.ckpt")
        start = ["--original=original.ckpt"]
    assert call("--config", path, *FAST, *start, *files[task_of(path)]) is None
    ((made, before),) = fits
    assert not start or all(torch.equal(before[name], state[name]) for name in state)
    monitor, strategy = made.trainer.callbacks[:2]
    assert isinstance(monitor, ForgettingMonitor)
    assert isinstance(strategy, UnlearningStrategy)
    assert (made.trainer.global_step, strategy.progress.step, len(monitor.history) >= 2) == (1, 1, True)
    assert ("`expected` was not compared: fast_dev_run" in capsys.readouterr().out) == ("expected" in config)


@pytest.mark.parametrize("path", ORIGINALS, ids=lambda path: path.stem)
def test_an_original_is_kept_where_the_recipes_look(call, files, path):
    options = benchmark.of_original(files[path.stem])
    short = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1"]
    for _ in range(2):  # the second replaces the first
        assert call("--config", path, *SMALL, *short, "--expected=null", *options) is None
    kept = Path("unlearn-demo", "originals")
    assert [file.name for file in kept.iterdir()] == [f"{path.stem}.ckpt"]
    (recipe, *_) = (one for one in RECIPES if task_of(one) == path.stem)
    assert Path(loaded(recipe)["original"]) == kept / f"{path.stem}.ckpt"
    assert call("--config", recipe, *FAST, *files[path.stem]) is None


WRONG = '{"unlearn/forget_accuracy": {"value": 2, "tolerance": 0.5}}'


def test_a_run_that_comes_to_something_else_fails(call, capsys):
    """The negative control: nothing has an accuracy of 2."""
    torch.save(DigitClassifier().state_dict(), "original.ckpt")
    recipe = ("--config", FOLDER / "digits_class_GradientSurgery.yaml", "--original=original.ckpt", *SMALL)
    short = ("--trainer.max_steps=2", "--trainer.log_every_n_steps=1")
    said = call(*recipe, *short, f"--expected={WRONG}")
    assert said.startswith(
        "error: The run must end within the tolerances of `expected`, found unlearn/forget"
    )
    assert capsys.readouterr().out.count("OUTSIDE") == 1
    said = call(*recipe, *short, "--expected", WRONG.replace("forget", "forgot"))
    assert "Did you mean `unlearn/forget_accuracy`?" in said
    assert call(*recipe, *short, f"--expected={WRONG.replace('2', '0.5')}") is None


def test_what_cannot_be_compared_is_refused_before_the_run(call, fits):
    torch.save(DigitClassifier().state_dict(), "original.ckpt")
    said = call(
        *("--config", FOLDER / "digits_class_GradientSurgery.yaml", "--original=original.ckpt"),
        f"--expected={WRONG.replace('0.5', '-1')}",
    )
    assert said.startswith(
        "error: `unlearn/forget_accuracy: tolerance` must be a finite, non-negative number"
    )
    assert fits == []
    assert [path.name for path in Path().iterdir()] == ["original.ckpt"]


@pytest.mark.slow
def test_the_digits_come_to_what_their_recipes_say(call, capsys):
    assert call("--config", FOLDER / "originals" / "digits.yaml", *SMALL) is None
    for path in (path for path in RECIPES if task_of(path) == "digits"):
        names = list(loaded(path)["expected"])
        assert {"unlearn/forget_accuracy", "unlearn/retain_accuracy"} <= set(names), path.stem
        capsys.readouterr()
        assert call("--config", path, *SMALL) is None, path.stem
        printed = capsys.readouterr().out
        assert [name for name in names if re.search(rf"^{name}: .*: within$", printed, re.MULTILINE)] == names


# ---- the numbers -----------------------------------------------------------------------------------------------
def test_measured_numbers_stay_when_the_files_are_written_again(tmp_path):
    values = {"unlearn/forget_accuracy": [0.25, 0.5, 0.75], "unlearn/retain_accuracy": [1.0, 1.0, 1.0]}
    for path, text in write.recipes(tmp_path).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        assert loaded(path).get("expected") is None
        for _ in range(2):
            benchmark.write(path, values)
    for path, text in write.recipes(tmp_path).items():
        assert path.read_text() == text
        assert loaded(path)["expected"] == {
            "unlearn/forget_accuracy": {"value": 0.5, "tolerance": 3 * statistics.stdev([0.25, 0.5, 0.75])},
            "unlearn/retain_accuracy": {"value": 1.0, "tolerance": 0.01},
        }


def test_the_benchmark_measures_and_writes(tmp_path, monkeypatch, capsys):
    for path, text in write.recipes(tmp_path).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("max_epochs: 40", "max_epochs: 1"))
    pattern = str(tmp_path / "digits_class_Grad*.yaml")
    monkeypatch.setattr(sys, "argv", ["recipes.py", "--recipes", pattern, "--seeds", "2", "--write"])
    benchmark.main()
    table = capsys.readouterr().out
    assert re.search(r"digits_class_GradientSurgery +\| unlearn/forget_accuracy +\| [\d.]+", table)
    assert re.search(r"digits +\| val_accuracy +\| [\d.]+", table)
    found = loaded(tmp_path / "digits_class_GradientSurgery.yaml")["expected"]
    assert list(found) == [f"unlearn/{side}_accuracy" for side in ("forget", "retain", "test")]
    assert all(0 <= one["value"] <= 1 and one["tolerance"] >= 0.01 for one in found.values())
    assert "expected" in loaded(tmp_path / "originals" / "digits.yaml")
    assert not (tmp_path / "unlearn-demo").exists()
