"""`lightning-unlearn compare`: arguments in, tables, messages and exit codes out."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from lightning_unlearn import cli
from lightning_unlearn.compare import _command, _models, _run
from lightning_unlearn.compare._tasks import FOLDER, TASKS
from tests.compare._modules import CONFIG

ROOT = Path(__file__).parents[2]
QUICK = ["--trainer.fast_dev_run=true", "--trainer.accelerator=cpu", "--evaluation_seeds=1", "--processes=1"]

pytestmark = [
    pytest.mark.filterwarnings("ignore:Retain accuracy fell"),  # after one step of training there is none
    pytest.mark.filterwarnings("ignore:Before the first step, forget accuracy is:UserWarning"),  # likewise
    pytest.mark.filterwarnings("ignore:.*no `val_dataloader`:UserWarning"),
]


@pytest.fixture
def call(monkeypatch, capfd):
    """Call the entry point as the installed script does: exit code or message, and what was printed."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["lightning-unlearn", "compare", *map(str, arguments)])
        try:
            code = cli.main()
        except SystemExit as end:
            code = end.code
        return code, *capfd.readouterr()

    return call


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(CONFIG | {"output": "out"}))
    return f"--config={path}"


def cells_in(folder):
    return [json.loads(path.read_text()) for path in Path(folder, "cells").glob("*.json")]


def test_a_configuration_is_run_and_its_reports_are_written(call, done, config):
    code, out, err = call(config)
    assert (code, err) == (None, "")
    assert out.strip(), "the table"
    assert len(cells_in("out")) == 5
    reports = {path.name: path.read_bytes() for path in Path("out").glob("report*")}
    assert reports
    for name in reports:
        Path("out", name).unlink()
    done.clear()
    assert call("--report", "out")[:2] == (None, out)
    assert {path.name: path.read_bytes() for path in Path("out").glob("report*")} == reports
    assert done == []


def test_a_report_is_of_the_last_comparison_in_its_folder(call, done, config, monkeypatch):
    call(config)
    call(config, "--strategies", "FineTune", "SFRon(alpha=2)")
    assert len(cells_in("out")) == 7
    reported = []
    monkeypatch.setattr(
        _command, "write_reports", lambda cells, *_: reported.extend(c["entry"] for c in cells)
    )
    call("--report", "out")
    assert sorted(reported) == sorted(
        ["FineTune", "SFRon(alpha=2)", "ascent", "do nothing", "retain fine-tuning", "retraining"]
    )


def test_strategies_of_the_command_line_stand_in_place_of_the_entries(call, done, config):
    chosen = ["SFRon", "GradientSurgery(alpha=0.5, objective=Bounded(offset=0.1))"]
    code, _, err = call(config, "--strategies", *chosen, "--original_seeds", "[4]", "--reference_seeds", "0")
    assert (code, err) == (None, "")
    cells = {cell["entry"]: cell for cell in cells_in("out")}
    assert set(cells) == {*chosen, "ascent", "do nothing", "retain fine-tuning"}
    arguments = cells[chosen[1]]["strategy"]["init_args"]
    assert (arguments["alpha"], arguments["objective"]["init_args"]["offset"]) == (0.5, 0.1)
    assert {cell["seeds"]["original"] for cell in cells.values()} == {4}


def test_a_failure_is_told_and_the_exit_status_says_so(call, done, config):
    code, out, err = call(config, "--strategies", "tests.compare._modules.Raises", "FineTune")
    assert code == 1
    assert out.strip(), "the table"
    assert "1 of 6 cells failed; the report says why." in " ".join(err.split())


def test_ctrl_c_says_how_to_go_on(call, config, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(_models, "run_all", interrupted)
    assert call(config) == (130, "", "Interrupted. The same command goes on from here.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task=digit"], "`--task` must be one of digits, mnist, fashion_mnist, found 'digit'. Did you mean `digits`?"),
        (["--task=mnist"], "`--data_dir` must name the folder with the data of mnist, found none."),
        (["--task=digits", "--data_dir=here"], "`--data_dir` must be left out for digits, found here."),
        (["--data_dir=here"], "`--data_dir` must go with `--task`, found without."),
        (["--task=mnist", "--data_dir=here"], "`root` must be a folder with the MNIST idx files, found nothing at here"),
        (["--task=digits", "--strategies", "SFRom"], "Did you mean `SFRon`?"),
        (["--report=nowhere"], "nowhere"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(call, done, arguments, message):
    said = call(*arguments)[0]
    assert said.startswith("error: ")
    assert message in said
    assert "\n" not in said
    assert done == []


@pytest.mark.parametrize("arguments", [["--threads=few"], ["--sed=1"], ["--config=nowhere.yaml"]])
def test_what_does_not_parse_is_refused(call, arguments):
    code, _, err = call("--task=digits", *arguments)
    assert code == 2
    assert arguments[0].lstrip("-").split("=")[0] in err


def test_help_names_the_options(call):
    code, out, _ = call("--help")
    assert code == 0
    assert out.startswith("usage: lightning-unlearn compare")
    options = (
        "task",
        "data_dir",
        "report",
        "requests",
        "strategies",
        "original",
        "original_seeds",
        "unlearning_seeds",
    )
    more = (
        "evaluation_seeds",
        "reference_seeds",
        "processes",
        "threads",
        "output",
        "predict",
        "attack_samples",
    )
    assert all(f"--{name}" in out for name in (*options, *more))


# ---- what comes with the package ---------------------------------------------------------------------------------
@pytest.mark.parametrize("task", TASKS)
def test_a_task_can_be_parsed(task, monkeypatch):
    arguments = _command.task_arguments(task, None if task == "digits" else "here")
    comparison = _command.comparison_of(_command.CompareCLI(arguments).config)
    assert len(comparison.requests) == 2
    if task != "digits":
        sides = comparison.training.data.init_args
        assert {str(sides.train.init_args.root), str(sides.test.init_args.root)} == {"here"}


def test_every_task_has_a_file():
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(TASKS)


@pytest.mark.slow
def test_the_digits_run(call, done):
    code, _, err = call("--task=digits", *QUICK, "--original_seeds=1", "--reference_seeds=1", "--output=out")
    assert (code, err) == (None, "")
    assert {cell["error"] for cell in cells_in("out")} == {None}


def test_the_example_and_the_commands_that_are_shown_run(call, done):
    shown = set()
    for document in ("README.md", "docs/compare.md", "examples/compare.yaml"):
        shown |= set(
            re.findall(r"lightning-unlearn compare (--config [\w/.]+)", (ROOT / document).read_text())
        )
    assert shown == {"--config examples/compare.yaml"}
    example = ROOT / "examples" / "compare.yaml"
    seeds = ["--original_seeds=1", "--reference_seeds=1"]
    code, _, err = call(f"--config={example}", *QUICK, *seeds, "--output=out")
    assert (code, err) == (None, "")
    names = {cell["entry"] for cell in cells_in("out")}
    given = yaml.safe_load(example.read_text())["requests"][0]["entries"]
    assert len(names) == len(given) + 4


def test_progress_is_shown_in_a_terminal(done, config, monkeypatch, tmp_path):
    from io import StringIO

    from rich.console import Console

    messages = Console(file=StringIO(), force_terminal=True, width=100)
    comparison = _command.comparison_of(_command.CompareCLI([config]).config)
    _run.run(comparison, Console(quiet=True), messages)
    assert "7/7" in messages.file.getvalue(), "two models and five cells"
