"""What the documents show is run, and what they point at is there."""

import functools
import re
from importlib.metadata import distribution
from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch import callbacks, tuner
from torch.utils.data import DataLoader, Subset

import lightning_unlearn
from lightning_unlearn import Gradient
from lightning_unlearn.demo import DigitClassifier, Digits

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
}
TABLE_NAMES = [
    name for row in re.findall(r"^\|.*", README, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
]

# Lightning: the classifier can validate, but the README validates by the monitor
pytestmark = pytest.mark.filterwarnings("ignore:.*no `val_dataloader`:UserWarning")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def with_(part: str) -> str:
    (found,) = (block for block in blocks(README, "python") if part in block)
    return found


# README.md here, docs/metrics.md by tests/metrics/test_page.py
RUN = ["README.md", "docs/metrics.md"]
PROGRAM = with_("trainer.fit(module, datamodule=data)")
(DIFF,) = blocks(README, "diff")


@pytest.fixture(autouse=True)
def quiet_in_an_empty_folder(tmp_path, monkeypatch):
    """Nothing but where the Trainer writes and how much it says is changed."""
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(L, "Trainer", functools.partial(L.Trainer, **quiet, enable_checkpointing=False))


def test_the_program_forgets_and_logs_what_the_table_names(capsys):
    shown: dict = {"__name__": "readme"}
    exec(compile(PROGRAM, "README.md", "exec"), shown)
    first, last = shown["monitor"].history[0], shown["monitor"].history[-1]
    assert capsys.readouterr().out.strip() == str(last)
    assert first["unlearn/forget_accuracy"] > 0.9
    assert last["unlearn/forget_accuracy"] < 0.02
    assert last["unlearn/retain_accuracy"] > 0.95

    named = {name for name in TABLE_NAMES if name.startswith("unlearn/") and "<" not in name}
    assert len(named) == 9
    assert named <= shown["trainer"].callback_metrics.keys()


def test_the_changed_program_of_the_diff_runs():
    lines = DIFF.splitlines()
    assert {line[:2] for line in lines if line} == {"+ ", "- ", "  "}
    before, after = ("\n".join(line[2:] for line in lines if line[:1] != mark) for mark in "+-")
    shown = {"MyClassifier": DigitClassifier, "L": L}
    shown |= {"train_set": Digits(train=True), "other_digits": Digits(train=False)}
    trainer = L.Trainer(max_epochs=5)
    trainer.fit(DigitClassifier(), DataLoader(shown["train_set"], 32, shuffle=True))
    trainer.save_checkpoint("trained.ckpt")

    exec(before, shown | {"DataLoader": DataLoader})
    assert not Path("unlearned.ckpt").exists()
    exec(after, shown)
    forgotten = shown["train_set"].targets == 3
    shares = []
    for name in ("trained", "unlearned"):
        module = DigitClassifier.load_from_checkpoint(f"{name}.ckpt").eval()
        with torch.no_grad():
            hits = module(shown["train_set"].images).argmax(1) == shown["train_set"].targets
        shares.append((float(hits[forgotten].float().mean()), float(hits[~forgotten].float().mean())))
    assert min(shares[0]) > 0.95
    assert shares[1][0] < 0.05
    assert shares[1][1] > 0.9
    # `unlearn/forget/<name>`, with an objective that runs the training step
    assert "unlearn/forget/train_loss" in shown["trainer"].callback_metrics


def test_the_strategy_of_one_s_own_computes_what_it_says():
    shown: dict = {}
    exec(with_("class HalfSurgery"), shown)
    u, g = Gradient([torch.tensor([-1.0, 1.0])]), Gradient([torch.tensor([2.0, 0.0])])
    # half of the conflicting part (-1, 0) of u is gone, and g is added
    torch.testing.assert_close(shown["HalfSurgery"]().combine(u, g).tensors[0], torch.tensor([1.5, 1.0]))


def test_the_strategy_with_both_sides_at_hand_runs():
    shown: dict = {}
    exec(with_("class Alternate"), shown)
    strategy = shown["Alternate"]()
    data = lightning_unlearn.UnlearningDataModule(Digits(), forget_class=3, batch_size=32)
    L.Trainer(max_steps=4, callbacks=[strategy]).fit(DigitClassifier(), datamodule=data)
    assert strategy.progress.step == 4


def test_the_monitor_takes_the_function_for_other_batches():
    shown: dict = {}
    exec(with_("predict=predict"), shown)
    module, images = DigitClassifier().eval(), Digits().images[:4]
    logits, labels = shown["monitor"].predict(module, {"image": images, "label": torch.arange(4)})
    assert torch.equal(logits, module(images))
    assert torch.equal(labels, torch.arange(4))


@pytest.mark.parametrize("block", [block for block in blocks(README, "python") if block != PROGRAM])
def test_every_other_block_runs_by_itself(block):
    exec(compile(block, "README.md", "exec"), {})


def test_the_calls_inside_sentences_run():
    small = Subset(Digits(), range(60))
    forget, retain = (
        DataLoader(Subset(small, part), 8, generator=torch.Generator()) for part in (range(20), range(20, 60))
    )
    strategy = lightning_unlearn.GradientSurgery()
    shown = {
        "trainer": L.Trainer(max_epochs=1, callbacks=[strategy]),
        "module": DigitClassifier(),
        "retain_loader": retain,
        "forget_loader": forget,
        "yours": L.LightningDataModule.from_datasets(Digits(), batch_size=8),
        **vars(lightning_unlearn),
    }
    calls = re.findall(r"`((?:trainer\.fit|UnlearningDataModule\.\w+)\([^`.]*\))`", README)
    assert len(calls) == 2
    for call in calls:
        result = eval(call, shown)
        if result is not None:
            result.setup("fit")
            assert (Digits().targets[result.forget_indices] == 3).all()
    assert strategy.progress.step == len(retain)


@pytest.mark.slow
def test_the_audit_of_a_model_that_was_fine_tuned_finds_what_it_knows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown: dict = {}
    exec(with_("import audit"), shown)
    assert shown["report"].verdict.name == "not forgotten"
    assert {path.name for path in (tmp_path / "audit").iterdir()} == {
        "report.html",
        "report.json",
        "report.md",
    }


def test_no_other_document_shows_code_that_is_not_run_here():
    """Adding a Python block to another document means adding it to the tests above."""
    assert [name for name, text in DOCUMENTS.items() if blocks(text, "python")] == RUN


@pytest.mark.parametrize("mark", ["demo", "tests"])
def test_the_one_liners_are_what_ci_runs(mark):
    assert README.count(f"<!-- run: {mark} -->") == 1
    found = re.search(rf"^<!-- run: {mark} -->\n```sh\n(.*)\n```$", README, re.MULTILINE)
    assert found, "one line, straight after its marker"
    assert found[1].startswith("python3 -m venv .venv && ")
    assert f'$(readme "run: {mark}")' in (ROOT / ".ci" / "run").read_text()

    package = distribution("lightning-unlearn")
    (extras,) = re.findall(r'pip install -e "\.\[([^]]*)\]"', found[1])
    assert set(extras.split(",")) <= set(package.metadata.get_all("Provides-Extra"))
    command = found[1].rsplit(".venv/bin/", 1)[1].split()[0]
    assert command in {*package.entry_points.names, "pytest"}


def test_every_shell_block_is_run_by_ci_or_by_the_tests_of_the_command_line():
    commands = blocks(README, "sh")
    assert [command.count("\n") for command in commands] == [1, 1, 1, 2, 3, 1, 1]
    rest = [command for command in commands if not command.startswith("python3 -m venv")]
    lines = [line for command in rest for line in command.splitlines()]
    assert lines[0].startswith("lightning-unlearn fit ")  # test_cli.py
    script = (ROOT / ".ci" / "run").read_text()
    assert all(f".venv/bin/{line}" in script for line in lines[1:])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_relative_link_leads_somewhere(name):
    targets = re.findall(r"\]\(([^)\s]+)\)", DOCUMENTS[name])
    local = [target.split("#")[0] for target in targets if not re.match(r"https?:|mailto:|#", target)]
    assert [target for target in local if not ((ROOT / name).parent / target).exists()] == []
    if name == "README.md":
        assert len(local) >= 7


def test_every_class_in_a_table_can_be_imported():
    classes = [name for name in TABLE_NAMES if re.fullmatch(r"(?:[A-Z][a-z]+){1,4}", name)]
    assert len(classes) >= 12
    theirs = {*vars(callbacks), *vars(tuner)}
    missing = [name for name in classes if name not in {*lightning_unlearn.__all__, *theirs}]
    assert missing == []


def test_the_python_versions_are_those_of_the_package():
    low, high = re.findall(r"Python 3\.(\d+) to 3\.(\d+)", README)[0]
    metadata = distribution("lightning-unlearn").metadata
    versions = re.findall(r"Python :: 3\.(\d+)", " ".join(metadata.get_all("Classifier")))
    assert (versions[0], versions[-1]) == (low, high)
    assert metadata["Requires-Python"] == f">=3.{low}"
