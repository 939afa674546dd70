"""A changed weight, a changed sample, a file that is gone: each is named; nothing else is."""

import json
import pickle
from dataclasses import replace

import pytest
import torch

from lightning_unlearn import ConfigurationError
from lightning_unlearn._weights_file import read_weights
from lightning_unlearn.audit._digests import identifiers_digest, weights_digest
from lightning_unlearn.audit._json import to_json
from lightning_unlearn.audit._verify import verify
from tests.audit._samples import generator

IDS = {"forget": ["a", "b"], "retain": ["c", "d", "e"], "test": ["f"]}


@pytest.fixture
def audited(tmp_path):
    """A report of two checkpoints and a variant without a file, as it was right after its audit."""
    report = generator()
    states = {name: {"w": torch.randn(3, 2), "b": torch.zeros(3)} for name in ("original", "unlearned")}
    models = []
    for model in report.models[:3]:
        if model.name in states:
            path = tmp_path / f"{model.name}.ckpt"
            torch.save({"epoch": 3, "state_dict": states[model.name]}, path)
            models.append(replace(model, source=str(path), sha256=weights_digest(states[model.name])))
        else:
            models.append(replace(model, source=None))
    sides = [replace(s, sha256=identifiers_digest(IDS[s.name])) for s in report.sides if s.name in IDS]
    path = tmp_path / "report.json"
    path.write_text(to_json(replace(report, models=models, sides=sides)))
    return path, states


def test_nothing_differs_right_after(audited):
    path, states = audited
    assert verify(path) == []
    assert verify(str(path), identifiers=IDS) == []
    assert verify(path, weights=states, identifiers={"test": (i for i in ["f"])}) == []


def test_one_changed_weight_is_named(audited):
    path, states = audited
    states["unlearned"]["b"][1] = -0.0
    file = path.with_name("unlearned.ckpt")
    torch.save(states["unlearned"], file)  # without the rest of the checkpoint
    (found,) = verify(path, identifiers=IDS)
    assert (found.what, found.name, found.source) == ("weights", "unlearned", str(file))
    assert found.found == weights_digest(states["unlearned"]) != found.recorded
    assert str(found).startswith(f"The weights of the unlearned ({file}) are others: found ")
    assert [difference.name for difference in verify(path, weights=states)] == ["unlearned"]


def test_one_changed_identifier_is_named(audited):
    path, _ = audited
    (found,) = verify(path, identifiers={**IDS, "retain": ["c", "d", "E"]})
    assert (found.what, found.name) == ("samples", "retain side")
    assert verify(path, identifiers={**IDS, "retain": ["e", "c", "d"]}) == []


def test_all_differences_are_named_in_the_order_of_the_report(audited):
    path, states = audited
    swapped = {"unlearned": states["original"], "original": states["unlearned"]}
    names = [found.name for found in verify(path, weights=swapped, identifiers={"test": [], "forget": ["a"]})]
    assert names == ["original", "unlearned", "forget side", "test side"]


def test_a_file_that_is_gone_is_named(audited):
    path, _ = audited
    path.with_name("original.ckpt").unlink()
    (found,) = verify(path)
    assert (found.name, found.found) == ("original", None)
    assert "are gone" in str(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"weights": {"student": {}}},
            r"`weights` must be named as in the report: original, .*; found student\. Use",
        ),
        (
            {"identifiers": {"train": []}},
            r"`identifiers` must be named .*: forget, retain, test; found train\.",
        ),
        ({"weights": {}}, r"`weights` or `identifiers` must be given"),
    ],
)
def test_a_name_that_is_not_in_the_report_is_refused(audited, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        verify(audited[0], **arguments)


def test_what_is_no_report_is_refused(tmp_path):
    with pytest.raises(
        ConfigurationError, match=r"`report` must be the report\.json of an audit, found .*none\.json"
    ):
        verify(tmp_path / "none.json")
    (tmp_path / "other.json").write_text(json.dumps({"accuracy": 1.0}))
    with pytest.raises(
        ConfigurationError, match=r"`report` must have the entries verdict, .*; found accuracy\."
    ):
        verify(tmp_path / "other.json")


class Payload:
    def __reduce__(self):
        return (print, ("this ran",))


def test_a_file_that_would_run_code_is_refused_and_not_run(tmp_path, capsys):
    torch.save({"state_dict": {}, "hyper_parameters": Payload()}, tmp_path / "bad.ckpt")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Payload(), protocol=2))
    for name in ("bad.ckpt", "plain.pkl"):
        with pytest.raises(
            ConfigurationError,
            match=r"must be a checkpoint that loads with `weights_only=True`, found .*Save the",
        ):
            read_weights(tmp_path / name)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"not weights"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"`path` must be a .*a\.ckpt"):
        read_weights(tmp_path / "a.ckpt")


def test_what_is_no_state_dict_is_refused(tmp_path):
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    with pytest.raises(
        ConfigurationError, match=r"`path` must hold a state dict, found list in .*list\.pt\. Save"
    ):
        read_weights(tmp_path / "list.pt")
    with pytest.raises(ConfigurationError, match=r"No such file or directory\)\. Name a file"):
        read_weights(tmp_path / "none.pt")
