"""`lightning-unlearn audit`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from lightning_unlearn import cli
from lightning_unlearn.audit._command import NOT_SHOWN
from lightning_unlearn.demo import DigitClassifier

ROOT = Path(__file__).parents[2]
QUICK = ["--bits", "[]", "--benign_epoch", "false", "--relearning_steps", "0", "--progress", "false"]


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Where examples/audit.yaml looks for them: untrained ones."""
    monkeypatch.chdir(tmp_path)
    Path("unlearn-demo/references").mkdir(parents=True)
    for name in ("original", "unlearned", "references/1", "references/2", "references/3"):
        torch.save(DigitClassifier().state_dict(), f"unlearn-demo/{name}.ckpt")


def run(*arguments):
    return cli.main(["audit", "--config", str(ROOT / "examples" / "audit.yaml"), *QUICK, *arguments])


def test_the_example_writes_a_report_and_verifies_it(models, capsys):
    with pytest.raises(SystemExit) as ended:
        run()
    said = capsys.readouterr().out
    report = json.loads(Path("unlearn-demo/audit/report.json").read_text())
    assert ended.value.code == NOT_SHOWN
    assert said.startswith(f"{report['verdict']['name']}: ")
    assert [model["name"] for model in report["models"]][2:] == [
        f"reference {number}" for number in (1, 2, 3)
    ]
    run("--verify", "unlearn-demo/audit/report.json")
    said = capsys.readouterr().out
    assert "is as it was when" in said
    assert "Not looked at" not in said
    with pytest.raises(
        SystemExit,
        match=r"^error: `--identify` must be what the audit was done with, None, found builtins\.len",
    ):
        run("--verify", "unlearn-demo/audit/report.json", "--identify", "builtins.len")
    torch.save(DigitClassifier().state_dict(), "unlearn-demo/references/2.ckpt")
    with pytest.raises(SystemExit) as ended:
        run("--verify", "unlearn-demo/audit/report.json", "--data.init_args.forget_class", "4")
    assert ended.value.code == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].partition(" (")[0] == "The weights of the reference 2"
    assert [line.split(" side")[0] for line in said[1:]] == [
        "The samples of the forget",
        "The samples of the retain",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--references", "[empty]"],
            "`--references` must name checkpoints, or folders .* found none in empty",
        ),
        (["--unlearned", "none.ckpt"], "`unlearned` must be a file with weights, found none.ckpt"),
        (["--verify", "none.json"], "`report` must be the report.json of an audit, found none.json"),
        (["--data", "null"], "`--data` must be given, found nothing"),
    ],
)
def test_what_is_missing_is_named(arguments, message, models, capsys):
    Path("empty").mkdir()
    with pytest.raises(SystemExit, match=f"^error: {message}"):
        run(*arguments)


def test_help_needs_no_data(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["audit", "--help"])
    assert ended.value.code == 0
    assert "exit status is 0" in capsys.readouterr().out.replace("\n", " ")


def test_the_example_knows_every_option_it_names():
    content = yaml.safe_load((ROOT / "examples" / "audit.yaml").read_text())
    assert {"model", "data", "original", "unlearned", "references", "output"} == content.keys()


@pytest.mark.slow
def test_as_a_program(models):
    program = Path(sys.executable).with_name("lightning-unlearn")
    command = [str(program), "audit", "--config", str(ROOT / "examples" / "audit.yaml"), *QUICK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == NOT_SHOWN, done.stderr
    assert "report.html" in done.stdout
