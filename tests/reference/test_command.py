"""`lightning-unlearn reference`: arguments in, files, messages and exit codes out."""

import re
import sys
from pathlib import Path

import pytest
import torch
import yaml

from lightning_unlearn import cli
from lightning_unlearn.demo import DigitClassifier
from lightning_unlearn.processes import run_all
from lightning_unlearn.reference import _run, read_stamp
from tests.reference._content import without_seconds

ROOT = Path(__file__).parents[2]
EXAMPLE = ["--config", ROOT / "examples" / "reference.yaml"]
SHORT = ["--trainer.max_epochs=1", "--trainer.accelerator=cpu", "--output=out"]

pytestmark = [  # Lightning's, of what the example has in few
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`:UserWarning"),
    pytest.mark.filterwarnings("ignore:The number of training batches:UserWarning"),
]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    # LightningCLI calls jsonargparse by names that its newer versions deprecate
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")


@pytest.fixture
def call(monkeypatch, capfd):
    """Call the entry point as the installed script does: exit code or message, and what was printed."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["lightning-unlearn", "reference", *map(str, arguments)])
        try:
            code = cli.main()
        except SystemExit as end:
            code = end.code
        return code, *capfd.readouterr()

    return call


def test_the_example_trains_what_is_missing_and_prints_the_files(call, trained):
    code, out, err = call(*EXAMPLE, *SHORT, "--count=2")
    assert (code, err) == (None, "")
    first = out.splitlines()
    assert [re.fullmatch(r"out/reference-(\d)-\w{16}\.ckpt", line)[1] for line in first] == ["1", "2"]
    assert call(*EXAMPLE, *SHORT, "--count=3")[1].splitlines()[:2] == first
    assert call(*EXAMPLE, *SHORT, "--count=null", "--seeds=[2, 9]")[1].splitlines()[0] == first[1]
    assert trained == [1, 2, 3, 9]
    assert DigitClassifier.load_from_checkpoint(first[0]).lr == 0.01
    assert read_stamp(first[0]).retain_samples == 1347 - 137


@pytest.mark.parametrize("document", ["README.md", "docs/references.md", "examples/reference.yaml"])
def test_the_command_that_is_shown_runs(call, trained, document):
    shown = re.findall(r"lightning-unlearn reference (--config [\w/.]+)", (ROOT / document).read_text())
    assert set(shown) == {"--config examples/reference.yaml"}
    _, name = shown[0].split()
    assert call("--config", ROOT / name, *SHORT)[0] is None
    assert trained == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_the_example_runs_in_processes_of_its_own(call, trained, monkeypatch):
    there = call(*EXAMPLE, *SHORT, "--count=1")[1].strip()
    here = without_seconds(there)
    Path(there).unlink()
    monkeypatch.setattr(_run, "run_all", run_all)
    code, out, err = call(*EXAMPLE, *SHORT, "--count=1")
    assert (code, out.strip(), err) == (None, there, "")
    assert without_seconds(there) == here


@pytest.mark.parametrize(
    ("arguments", "hits"),
    [
        (["--data.forget_class=5"], False),
        (["--data.batch_size=33"], False),
        (["--model.lr=0.02"], False),
        (["--trainer.gradient_clip_val=1"], False),
        (["--trainer.callbacks=lightning.pytorch.callbacks.LearningRateMonitor"], False),
        (["--data.forget_batch_size=7", "--data.seed=3", "--data.epoch=forget"], True),
        (["--data.test=lightning_unlearn.demo.Digits", "--data.test.train=false"], True),
        (["--data.forget_class=[3]", "--seed_everything=4", "--original=some.ckpt"], True),
        (['--expected={"unlearn/forget_accuracy": {"value": 0, "tolerance": 0}}'], True),
        (["--trainer.callbacks=lightning_unlearn.GradientSurgery", "--trainer.logger=false"], True),
    ],
)
def test_the_key_is_of_what_matters(call, trained, arguments, hits):
    path = call(*EXAMPLE, *SHORT, "--count=1")[1]
    code, out, _ = call(*EXAMPLE, *SHORT, "--count=1", *arguments)
    assert code is None
    assert (out == path) is hits
    assert len(trained) == (1 if hits else 2)


def test_a_configuration_of_fit_is_taken_as_it_is(call, trained):
    example = ROOT / "examples" / "forget_a_class.yaml"
    config = yaml.safe_load(example.read_text())
    code, out, err = call("--config", example, *SHORT, "--count=1")
    assert code is None
    said = " ".join(err.split())
    assert said.startswith(
        "Left out: ForgettingMonitor, GradientSurgery. References are trained from scratch:"
    )
    assert not Path(config["trainer"]["logger"]["init_args"]["save_dir"]).exists()
    assert torch.load(out.strip(), weights_only=True)["global_step"] == 10


@pytest.mark.filterwarnings("ignore:.*will be overridden by `TrainingCLI.configure_optimizers`")
def test_optimizer_and_scheduler_of_the_configuration_take_part(call, trained):
    options = ["--optimizer=Adam", "--optimizer.lr=0", "--lr_scheduler=ConstantLR"]
    path = call(*EXAMPLE, *SHORT, "--count=1", *options)[1].strip()
    torch.manual_seed(1)
    weights = DigitClassifier().state_dict()
    for name, weight in torch.load(path, weights_only=True)["state_dict"].items():
        assert torch.equal(weight, weights[name]) == (not re.search(r"running|tracked", name)), name


def test_the_same_command_goes_on_after_ctrl_c(call, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_run, "run_all", interrupted)
    code, out, err = call(*EXAMPLE, *SHORT)
    assert (code, out, err) == (130, "", "Interrupted. The same command goes on from here.\n")


def test_a_failure_names_the_seed(call, monkeypatch):
    monkeypatch.setattr(_run, "run_all", lambda *_: {"seed 4": "ValueError: of the user"})
    said, out, _ = call(*EXAMPLE, *SHORT)
    assert out == ""
    assert said.startswith("error: 1 of 5 references failed")
    assert re.search(r"^seed 4 .*out/reference-4-\w+\.log\):\nValueError: of the user$", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count=0"], "`count` must be a positive integer, found 0."),
        (["--count=null", "--seeds=[1, 1]"], "`seeds` must be distinct, found 1 more than once."),
        (["--processes=0"], "`processes` must be a positive integer, found 0."),
        (["--output=file/below"], "The output folder must be writable, found file/below"),
        (["--data=null"], "`data` must be a data module with a retain side, found none."),
        (["--data=tests.reference._modules.Plain"], "`data` must have a retain side, found Plain without."),
        (["--data.forget_class=77"], "`forget_class` must be among the labels"),
        (["--trainer.devices=2"], "`trainer` must train on one device, found DDPStrategy on 2."),
    ],
)
@pytest.mark.filterwarnings("ignore:Discarding init_args")
def test_what_does_not_fit_is_refused_in_one_line(call, trained, arguments, message):
    Path("file").touch()
    said = call(*EXAMPLE, *SHORT, *arguments)[0]
    assert said.startswith(f"error: {message}")
    assert "\n" not in said
    assert trained == []


@pytest.mark.parametrize("arguments", [["--count=few"], ["--sed=1"], ["--config=nowhere.yaml"]])
def test_what_does_not_parse_is_refused(call, arguments):
    code, _, err = call(*EXAMPLE, *arguments)
    assert code == 2
    assert arguments[0].lstrip("-").split("=")[0] in err


def test_help_names_the_options(call):
    code, out, _ = call("--help")
    assert code == 0
    assert out.startswith("usage: lightning-unlearn reference")
    assert all(
        f"--{name}" in out for name in ("count", "seeds", "processes", "threads", "output", "data_key")
    )
