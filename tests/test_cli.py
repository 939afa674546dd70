"""`lightning-unlearn` as it is called: arguments in, files, messages and exit codes out."""

import contextlib
import csv
import dataclasses
import gzip
import inspect
import json
import logging
import re
import sys
from pathlib import Path

import lightning as L
import pytest
import torch
import yaml
from rich.console import Console

import lightning_unlearn
from lightning_unlearn import UnlearningStrategy, cli
from lightning_unlearn.demo import DigitClassifier, _run, _task

ROOT = Path(__file__).parents[1]
STRATEGIES = [
    name
    for name in lightning_unlearn.__all__
    if isinstance(value := getattr(lightning_unlearn, name), type)
    and issubclass(value, UnlearningStrategy)
    and not inspect.isabstract(value)
]
NEEDED = {"TorchJDStrategy": {"aggregator": {"class_path": "torchjd.aggregation.AlignedMTL"}}}
OFF = ("enable_progress_bar", "enable_checkpointing", "enable_model_summary")
FAST = ["--trainer.max_steps=2", "--trainer.accelerator=cpu", *(f"--trainer.{name}=false" for name in OFF)]

pytestmark = [
    # Lightning: the classifier can validate, but the example validates by the monitor
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`:UserWarning"),
    # `ForgettingMonitor`, of random weights
    pytest.mark.filterwarnings("ignore:Before the first step, forget accuracy is:UserWarning"),
    pytest.mark.filterwarnings("ignore:No seed found:UserWarning"),  # LightningCLI takes 0, and says so
]


@pytest.fixture(autouse=True)
def alone_in_a_folder(tmp_path, monkeypatch):
    """Small recipes, an empty working folder, and nothing left in the environment or the loggers."""
    for key, recipe in _task._RECIPES.items():
        small = dataclasses.replace(recipe, epochs=1, unlearning_steps=2, every_n_steps=1, retain_floor=0.0)
        monkeypatch.setitem(_task._RECIPES, key, small)
    # LightningCLI calls jsonargparse by names that its newer versions deprecate
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    monkeypatch.chdir(tmp_path)
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def call(monkeypatch):
    """Call the entry point the way the installed script does; the exit code or message is returned."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["lightning-unlearn", *map(str, arguments)])
        try:
            return cli.main()
        except SystemExit as end:
            return end.code

    return call


@pytest.fixture
def fits(monkeypatch):
    """What each `fit` had in hand just before it started."""
    made = []
    before = cli.UnlearnCLI.before_fit

    def before_fit(self):
        before(self)
        made.append((self, {name: value.clone() for name, value in self.model.state_dict().items()}))

    monkeypatch.setattr(cli.UnlearnCLI, "before_fit", before_fit)
    return made


@pytest.fixture
def original(tmp_path):
    """`unlearn-demo/original.ckpt`, which the example starts from."""
    torch.manual_seed(5)
    trainer = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(module := DigitClassifier())
    trainer.save_checkpoint(tmp_path / "unlearn-demo" / "original.ckpt", weights_only=True)
    return module.state_dict()


# ---- demo ------------------------------------------------------------------------------------------------------
def report(folder="out"):
    return json.loads(Path(folder, "report.json").read_text())


def test_demo_writes_its_files_and_prints_its_table(call, capsys):
    assert call("demo", "--output", "out", "--seed", "4") is None
    printed, found = " ".join(capsys.readouterr().out.split()), report()
    assert "Forgetting the digit 3" in printed
    assert {"original", "unlearned", "reference"} == {row["name"] for row in found["models"]}
    assert f"{100 * found['models'][0]['test_accuracy']:.1f} %" in printed
    assert found["seed"] == 4
    assert {path.name for path in Path("out").iterdir()} >= {"accuracy.png", "models.csv", "original.ckpt"}
    assert list(Path().rglob(".*")) == []


def test_demo_on_a_quiet_console_shows_nothing(capfd):
    cli.demo(["--forget-fraction", "0.1", "--output", "out"], Console(quiet=True))
    assert capfd.readouterr() == ("", "")
    assert report()["forget_samples"] == 135


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("request_", [[], ["--forget-fraction", "0.1"]])
def test_demo_takes_from_the_recipe_what_a_strategy_knows(name, request_):
    needed = [
        f"--strategy.{argument}={json.dumps(value)}" for argument, value in NEEDED.get(name, {}).items()
    ]
    strategy, task, _ = cli.parse_demo(["--strategy", name, *needed, *request_])
    assert type(strategy).__name__ == name
    known = inspect.signature(type(strategy)).parameters.keys() & task.recipe.strategy.keys()
    if "objective" not in known:  # one of its own, with a weight of its own
        assert strategy._options() == type(strategy)()._options()
        return
    for argument in known - {"objective"}:
        assert getattr(strategy, argument) == task.recipe.strategy[argument]
    wanted = task.recipe.strategy["objective"]
    assert type(strategy.objective).__name__ == wanted["class_path"].rpartition(".")[2]
    assert vars(strategy.objective).items() >= wanted.get("init_args", {}).items()


@pytest.mark.parametrize(
    ("arguments", "given", "of_the_recipe"),
    [
        (["--strategy.alpha", "0.5"], {"alpha": 0.5}, {"batch_norm": "eval"}),
        (["--strategy.alpha", "1.0"], {"alpha": 1.0}, {"batch_norm": "eval"}),  # the default, but said
        (
            ["--strategy", "GradientDifference", "--strategy.alpha", "0.5"],
            {"alpha": 0.5},
            {"batch_norm": "eval"},
        ),
        (["--strategy.batch_norm", "train"], {"batch_norm": "train"}, {"alpha": 0.03}),
        (["--strategy.objective", "Ascent"], {}, {"alpha": 0.03, "batch_norm": "eval"}),
    ],
)
def test_demo_prefers_what_is_said(arguments, given, of_the_recipe):
    strategy = cli.parse_demo(arguments)[0]
    assert vars(strategy).items() >= (given | of_the_recipe).items()
    if "Ascent" in arguments:
        assert type(strategy.objective) is lightning_unlearn.Ascent


@pytest.mark.parametrize("arguments", [["FineTune"], ["GradientDifference", "--strategy.alpha", "0.5"]])
def test_demo_runs_another_strategy(call, arguments):
    assert call("demo", "--output", "out", "--strategy", *arguments) is None
    assert report()["strategy"].startswith(f"{arguments[0]}(")
    assert ("alpha=0.5" in report()["strategy"]) == (len(arguments) == 3)
    assert report()["steps"] >= 1


def truncated_mnist():
    Path("mnist").mkdir()
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        Path("mnist", f"{part}-ubyte.gz").write_bytes(gzip.compress(bytes(100))[:15])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--forget-class", "11"], "`--forget-class` must be a digit, 0 to 9, found 11."),
        (["--forget-fraction", "1.5"], "`forget_fraction` must be a number between 0 and 1"),
        (["--data", "mnist"], "Pass `--data-dir DIR`"),
        (["--data", "mnist", "--data-dir", "nowhere"], "found nothing at nowhere"),
        (["--data", "mnist", "--data-dir", "."], "train-images-idx3-ubyte[.gz]"),
        (["--data", "mnist", "--data-dir", "mnist"], "must be a complete gzip file"),
        (["--strategy.alpha", "-1"], "`alpha` must be a finite, non-negative number, found -1.0."),
    ],
)
def test_demo_refuses_in_one_line_and_writes_nothing(call, arguments, message):
    if "mnist" in arguments[-1:] and len(arguments) == 4:
        truncated_mnist()
    said = call("demo", "--output", "out", *arguments)  # a text is printed to stderr, with exit code 1
    assert said.startswith("error: ")
    assert message in said
    assert "\n" not in said
    assert not Path("out").exists()


@pytest.mark.parametrize("arguments", [["--strategy", "Nonsense"], ["--data", "cifar"], ["--sed", "1"]])
def test_demo_refuses_what_does_not_parse(call, arguments, capsys):
    assert call("demo", "--output", "out", *arguments) == 2
    assert arguments[0].lstrip("-") in capsys.readouterr().err
    assert not Path("out").exists()


def test_demo_looks_at_the_folder_before_any_training(call, monkeypatch):
    monkeypatch.setattr(_run, "_train", lambda *_: pytest.fail("trained"))
    Path("file").touch()
    assert "The output folder must be writable, found file/below" in call("demo", "--output", "file/below")


@pytest.mark.parametrize("arguments", [["demo"], ["fit"]])
def test_the_extra_is_named_where_it_is_missing(call, monkeypatch, arguments):
    monkeypatch.setitem(sys.modules, "jsonargparse", None)
    assert "pip install 'lightning-unlearn[cli]'" in call(*arguments)


def test_help_leads_to_the_demonstration(call, capsys):
    assert call("--help") == 0
    assert "lightning-unlearn demo --help" in capsys.readouterr().out
    assert call("demo", "--help") == 0
    assert "--forget-class" in capsys.readouterr().out


# ---- fit -------------------------------------------------------------------------------------------------------
EXAMPLE = ["fit", "--config", ROOT / "examples" / "forget_a_class.yaml", *FAST]


def test_fit_loads_the_weights_and_takes_steps(call, fits, original):
    assert call(*EXAMPLE) is None
    ((made, before),) = fits
    assert all(torch.equal(before[name], original[name]) for name in original)
    assert made.trainer.global_step == 2
    assert any(not torch.equal(value, original[name]) for name, value in made.model.named_parameters())
    with Path(made.trainer.logger.log_dir, "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["step"] for row in rows if row["unlearn/grad_cosine"]} == {"0", "1"}
    assert rows[0]["unlearn/forget_accuracy"]


@pytest.mark.parametrize("document", ["README.md", "examples/forget_a_class.yaml"])
def test_fit_swaps_the_strategy_by_class_name(call, fits, original, document):
    """As it is shown there: the monitor stays, and so do the arguments that both classes have."""
    (shown,) = re.findall(
        r"^#? *lightning-unlearn (fit .*class_path .*)", (ROOT / document).read_text(), re.M
    )
    assert call(*shown.replace("examples/", f"{ROOT}/examples/").split(), *FAST) is None
    ((made, _),) = fits
    (strategy,) = (c for c in made.trainer.callbacks if isinstance(c, UnlearningStrategy))
    assert type(strategy) is lightning_unlearn.GradientDifference
    assert strategy.alpha == 0.03
    assert any(isinstance(c, lightning_unlearn.ForgettingMonitor) for c in made.trainer.callbacks)
    assert strategy.progress.step == 2


def test_fit_builds_the_callbacks_from_the_command_line(call, fits, original):
    callbacks = ["--trainer.callbacks=FineTune", "--trainer.callbacks+=ForgettingMonitor"]
    assert call(*EXAMPLE, *callbacks, "--trainer.callbacks.every_n_steps=1") is None
    strategy, monitor = fits[0][0].trainer.callbacks[:2]
    assert type(strategy) is lightning_unlearn.FineTune
    assert [row["step"] for row in monitor.history][:2] == [0, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            None,
            "`--original` must be the file of a trained model, found none at other.ckpt. `lightning-unlearn demo`",
        ),
        (
            Path("pickled"),
            "`--original` must be a checkpoint that loads with `weights_only=True`, found other.ckpt",
        ),
        ([1, 2], "`--original` must hold a state dict, found list in other.ckpt"),
        (DigitClassifier(width=4).state_dict(), "`--original` must hold the weights of DigitClassifier"),
    ],
)
@pytest.mark.parametrize("command", ["fit", "test"])
def test_an_original_that_does_not_fit_is_refused(call, content, message, command):
    if content is not None:
        torch.save(content, "other.ckpt")
    said = call(command, *EXAMPLE[1:], "--original", "other.ckpt")
    assert said.startswith(f"error: {message}")
    assert not Path("unlearn-demo").exists()


def test_fit_says_in_one_line_what_a_constructor_refuses(call):
    said = call(*EXAMPLE, "--data.forget_class=77")
    assert said.startswith("error: `forget_class` must be among the labels")
    assert "\n" not in said


# ---- every strategy as YAML --------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_is_made_from_a_printed_configuration(monkeypatch, capsys, name):
    monkeypatch.setattr(sys, "argv", ["lightning-unlearn"])
    config = yaml.safe_load((ROOT / "examples" / "forget_a_class.yaml").read_text())
    del config["original"]
    callback = {"class_path": f"lightning_unlearn.{name}", "init_args": NEEDED.get(name, {})}
    config["trainer"] |= {"callbacks": [callback], "accelerator": "cpu"}
    Path("own.yaml").write_text(yaml.safe_dump(config))

    with contextlib.suppress(SystemExit):
        cli.UnlearnCLI(args=["--config", "own.yaml", "--print_config"], run=False)
    Path("printed.yaml").write_text(capsys.readouterr().out)
    made = cli.UnlearnCLI(args=["--config", "printed.yaml"], run=False)
    (strategy,) = (c for c in made.trainer.callbacks if isinstance(c, UnlearningStrategy))
    assert type(strategy).__name__ == name
    (printed,) = yaml.safe_load(Path("printed.yaml").read_text())["trainer"]["callbacks"]
    assert set(printed.get("init_args", {})) == set(inspect.signature(type(strategy)).parameters)


def test_a_checkpoint_to_go_on_from_must_be_there(call, original):
    said = call(
        "fit", "--config", ROOT / "examples" / "forget_a_class.yaml", *FAST, "--ckpt_path=nowhere.ckpt"
    )
    assert said.startswith(
        "error: `--ckpt_path` must be the checkpoint of an interrupted run, found none at nowhere.ckpt."
    )
    assert "`--original`" in said


def test_ctrl_c_in_the_demonstration_is_said(call, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "demo", interrupted)
    assert call("demo") == 130
    assert capsys.readouterr().err == "Interrupted.\n"
