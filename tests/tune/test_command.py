"""`lightning-unlearn tune`."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from lightning_unlearn import ConfigurationError
from lightning_unlearn.cli import main
from lightning_unlearn.compare._tasks import TASKS, task_arguments
from lightning_unlearn.tune import _command
from lightning_unlearn.tune._asked import asked_of
from lightning_unlearn.tune._config import TuneCLI
from lightning_unlearn.tune._options import with_settings, without_settings
from lightning_unlearn.tune._tasks import search_arguments
from tests.compare._modules import CONFIG
from tests.tune._searches import NOTHING, SEARCH


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    return path


def refused(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["tune", *arguments])
    return str(ended.value.code)


def test_a_search_from_the_command_line(path, done, capsys):
    (path.parent / "space.yaml").write_text("alpha: {low: 0.01, high: 1.0, log: true}\n")
    main(["tune", f"--config={path}", "--strategy", "GradientDifference", "--space=space.yaml", "--trials=2", "--retain_floor=0"])  # fmt: skip
    out, err = capsys.readouterr()
    assert "GradientDifference on the last class" in out
    assert "tune/gradientdifference-the-last-class" in err.replace("\n", "")
    folder = path.parent / "tune" / "gradientdifference-the-last-class"
    assert sorted(file.name for file in folder.iterdir()) == [
        *("best.yaml", "report.html", "search.json", "trials.csv"),
    ]
    count = len(done)
    main(["tune", f"--config={path}", "--strategy", "GradientDifference", "--space=space.yaml", "--trials=2", "--retain_floor=0"])  # fmt: skip
    assert capsys.readouterr().out == out
    assert len(done) == count


def test_how_a_strategy_is_named(path):
    """As a class, as a call, by its class path, and with settings of its own."""

    def asked(*arguments):
        return asked_of(TuneCLI([f"--config={path}", *arguments]).config)

    called = asked("--strategy=GradientDifference(alpha=0.5)")
    spelled = asked(
        "--strategy.class_path=lightning_unlearn.GradientDifference", "--strategy.init_args.alpha=0.5"
    )
    short = asked("--strategy.class_path=GradientDifference", "--strategy.alpha=0.5")
    assert called.to_plain() == spelled.to_plain() == short.to_plain()
    assert called.defaults["alpha"] == 0.5
    own = asked("--strategy=GradientDifference", "--settings.max_steps=7", "--settings.model.lr=0.5")
    assert own.comparison.requests[0].entries[0].settings.max_steps == 7
    assert own.defaults["model.lr"] == 0.5
    deep = asked("--strategy", "GradientDifference", "--settings.monitor.every_n_steps", "2")
    assert deep.comparison.requests[0].entries[0].settings.monitor == {"every_n_steps": 2}
    both = asked(
        "--strategy=GradientDifference",
        *(
            "--settings.monitor.every_n_steps",
            "2",
            "--settings.monitor.retain_goal=0.5",
            "--settings.model.lr=1e-3",
        ),
    )
    settings = both.comparison.requests[0].entries[0].settings
    assert settings.monitor == {"every_n_steps": 2, "retain_goal": 0.5}
    assert settings.model == {"lr": 0.001}
    lr = next(p for p in own.parameters if p.name == "model.lr")
    assert (lr.low, lr.high) == pytest.approx((0.05, 1.5))


def test_a_space_in_which_nothing_is_left_is_refused(config):
    """That of `FineTune` is the learning rate, and this module has none."""
    request = CONFIG["requests"][0] | {"settings": {"max_steps": 4}}
    model = {"class_path": "tests.compare._modules.Still"}
    own = config(strategy="FineTune", space=None, model=model, requests=[request])
    with pytest.raises(
        ConfigurationError, match=r"must name at least one thing to vary, found nothing: .* `--space`"
    ):
        asked_of(TuneCLI(own).config)


def test_texts_of_a_file_stay_texts(config):
    """They are no command line, of which everything is text."""
    options = without_settings(["--settings.model.lr=0.5", "--settings.model.name=no"])[1]
    assert options == {"model.lr": 0.5, "model.name": False}
    given = {"model": {"name": "no", "number": "01"}, "monitor": None}
    changed = with_settings(given, {"model.lr": 0.5, "monitor.every_n_steps": 4})
    assert changed == {"model": {"name": "no", "number": "01", "lr": 0.5}, "monitor": {"every_n_steps": 4}}
    assert given["model"] == {"name": "no", "number": "01"}
    entry = asked_of(TuneCLI(config(settings={"monitor": {"target": None}})).config).subject.entry
    assert entry["settings"] == {"monitor": {"target": None}}


@pytest.mark.parametrize("task", TASKS)
def test_tasks_search_other_requests_with_other_originals(task, tmp_path):
    """What is tuned on is not what a comparison of the task reports."""
    data_dir = None if task == "digits" else str(tmp_path)
    own = [argument for argument in search_arguments(task, data_dir) if argument.startswith("--requests=")]
    [searched] = [json.loads(argument.partition("=")[2]) for argument in own]
    config = yaml.safe_load(Path(task_arguments(task, data_dir)[0].partition("=")[2]).read_text("utf-8"))
    reported = [request["forget"] for request in config["requests"]]
    assert len(searched) == len(reported) == 2
    for request, other in zip(searched, config["requests"], strict=True):
        assert request["forget"] not in reported
        assert request["forget"].keys() - {"seed"} == other["forget"].keys() - {"seed"}
        assert request["settings"] == other["settings"]
    originals = next(a for a in search_arguments(task, data_dir) if a.startswith("--original_seeds="))
    assert not set(json.loads(originals.partition("=")[2])) & set(range(1, 11))


def test_what_is_refused(path, done):
    assert "`--report` must be left out" in refused("--report=out")
    assert "`--task` must be one of" in refused("--task=digit", "--strategy=SFRon")
    said = refused("--task=digits", "--request=the digit 3", "--strategy=SFRon")
    assert "found 'the digit 3'. Did you mean `the digit 7`?" in said
    assert "on other requests than those that a comparison of it reports" in said
    assert "`strategy` must be a class, found none" in refused(f"--config={path}")
    assert "found `alhpa`. Did you mean `alpha`" in refused(
        f"--config={path}", "--strategy=GradientDifference", "--space.alhpa={low: 1, high: 2}"
    )
    assert "`--settings.max_steps` must have a value" in refused(
        f"--config={path}", "--strategy=GradientDifference", "--settings.max_steps"
    )
    assert "`data_dir` must" in refused("--task=mnist", "--strategy=SFRon").replace("--", "")
    assert done == []


def test_without_optuna(monkeypatch, path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert "needs the extra `tune`" in refused(f"--config={path}", "--strategy=SFRon")


def test_exit_codes(monkeypatch, path, capsys):
    def run(found):
        def run(asked, messages):
            if isinstance(found, type):
                raise found
            return found, path.parent

        monkeypatch.setattr(_command, "run", run)
        with pytest.raises(SystemExit) as ended:
            main(["tune", f"--config={path}", "--strategy=SFRon"])
        return ended.value.code

    assert run(NOTHING) == 1
    assert run(KeyboardInterrupt) == 130
    assert "Interrupted. The same command goes on from here." in capsys.readouterr().err
    monkeypatch.setattr(_command, "run", lambda asked, messages: (SEARCH, path.parent))
    main(["tune", f"--config={path}", "--strategy=SFRon"])
