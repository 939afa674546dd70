"""What is there is not made again, what is not of this comparison is not mixed in, what failed is tried again."""

import errno
import json

import pytest
import torch
from rich.console import Console

from lightning_unlearn import ConfigurationError, UnlearningError
from lightning_unlearn._files import alone_in
from lightning_unlearn.compare import _cell, _run, _sources
from tests.compare import _modules
from tests.compare._cells import numbers
from tests.compare._modules import CONFIG, Tiny

FAILING = "tests.compare._modules"
OURS = ("GradientDifference", 1, 1, None)


@pytest.fixture
def said(monkeypatch):
    """What is said beside the table."""
    sentences = []
    printed = Console.print

    def look(self, *objects, **options):
        sentences.extend(map(str, objects))
        printed(self, *objects, **options)

    monkeypatch.setattr(Console, "print", look)
    return sentences


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_what_is_there_is_not_made_again(run, done, files, said):
    first = run()
    made = {path: path.stat().st_mtime_ns for path, _ in files().values()}
    done.clear()
    again = run()
    assert done == []
    assert again == first
    assert {path: path.stat().st_mtime_ns for path, _ in files().values()} == made
    assert "5 cells are there already." in said
    run([{"strategy": "GradientDifference"}, {"strategy": "FineTune"}])
    assert done == ["the last class, FineTune, 1/1"]


@pytest.mark.parametrize(
    "content", [b"{", b"\xff\xfe", b"[]", b"null", b"{}", b'{"format": "lightning-unlearn cell 2"}', "other"]
)
def test_a_damaged_cell_is_made_again(run, done, files, said, content):
    first = run()
    path, _ = files()[OURS]
    other, _ = files()["retain fine-tuning", 1, 1, None]
    path.write_bytes(other.read_bytes() if content == "other" else content)
    done.clear()
    again = run()
    assert done == ["the last class, GradientDifference, 1/1"]
    assert f"{path} is damaged, and made again." in said
    assert {key: numbers(cell) for key, cell in again.items()} == {
        key: numbers(c) for key, c in first.items()
    }


@pytest.mark.parametrize("field", ["evaluations", "key", "versions", "steps", "error"])
def test_a_cell_without_one_of_its_fields_is_damaged(run, done, files, said, field):
    run()
    path, content = files()[OURS]
    del content[field]
    path.write_text(json.dumps(content))
    done.clear()
    run()
    assert len(done) == 1
    assert f"{path} is damaged, and made again." in said


@pytest.mark.parametrize("package", ["lightning_unlearn", "torch"])
def test_cells_of_another_version_are_counted_and_made_again(run, done, files, said, package):
    run()
    for entry in ("GradientDifference", "ascent"):
        path, content = files()[entry, 1, 1, None]
        change(path, versions=content["versions"] | {package: "0.0.9"}, steps=77)
    done.clear()
    cells = run()
    assert len(done) == 2
    assert any(s.startswith("2 cells are of another version (") and f"{package} 0.0.9" in s for s in said)
    assert all(cell["steps"] != 77 for cell in cells.values())
    assert len({json.dumps(cell["versions"]) for cell in cells.values()}) == 1


# ---- what a cell depends on --------------------------------------------------------------------------------------
def request(**forget):
    return [CONFIG["requests"][0] | {"forget": forget}]


def samples(seed):
    return {"class_path": f"{FAILING}.Samples", "init_args": {"count": 9, "seed": seed}}


def test_a_cell_depends_on_the_forget_set(run, done, tmp_path):
    """Everything else, retain and test data too, is the same."""
    torch.save(Tiny().state_dict(), tmp_path / "given.pt")
    given = {"original": str(tmp_path / "given.pt"), "original_seeds": None}
    first = run(requests=request(forget=samples(7)), **given)
    done.clear()
    other = run(requests=request(forget=samples(8)), **given)
    assert not set(map(key_of, first.values())) & set(map(key_of, other.values()))
    assert sorted(name.split(", ")[1].split(" (")[0] for name in done) == sorted(entry for entry, *_ in other)
    named = [run(requests=request(forget=samples(n)), data_key="mine", **given) for n in (7, 8)]
    assert not set(map(key_of, named[0].values())) & set(map(key_of, named[1].values()))


def key_of(cell):
    return cell["key"]


def test_a_cell_depends_on_the_source_of_predict_and_of_the_data_module(run, done, monkeypatch):
    """The name of either stays as it is."""
    predict = {"predict": f"{FAILING}.predict"}
    source = _sources.inspect.getsource
    for own, what in [
        (predict, _modules.predict),
        ({"data": {"class_path": f"{FAILING}.Batches"}}, _modules.Batches),
    ]:
        first = run(**own)
        done.clear()
        assert run(**own) == first
        assert done == []
        with monkeypatch.context() as patch:
            patch.setattr("inspect.getsource", lambda x, what=what: source(x) + " # edited" * (x is what))
            again = run(**own)
        assert not set(map(key_of, first.values())) & set(map(key_of, again.values()))


def test_two_runs_in_one_folder_are_refused(run, done, tmp_path):
    (tmp_path / "out").mkdir()
    with alone_in(tmp_path / "out"), pytest.raises(ConfigurationError, match="must not be in use"):
        run()
    assert done == []
    run()
    assert done


# ---- failures ----------------------------------------------------------------------------------------------------
def test_a_cell_that_raises_or_is_ruined_is_reported_and_the_rest_goes_on(run, done, files, tmp_path):
    entries = [{"strategy": f"{FAILING}.Raises"}, {"strategy": f"{FAILING}.Ruins"}, {"strategy": "FineTune"}]
    cells = run(entries)
    assert cells["Raises", 1, 1, None]["error"].endswith("RuntimeError: it is the second step")
    assert cells["Ruins", 1, 1, None]["error"].startswith(
        "The weights must be finite, found net.0.weight not finite after 4 steps."
    )
    for entry in ("Raises", "Ruins"):
        cell = cells[entry, 1, 1, None]
        assert (cell["evaluations"], cell["steps"], cell["seconds"]) == ([], None, None)
        assert files()[entry, 1, 1, None][1] == cell
    assert {cell["error"] for key, cell in cells.items() if key[0] not in ("Raises", "Ruins")} == {None}
    done.clear()
    run(entries)
    assert [name.split(", ")[1] for name in done] == ["Raises", "Ruins"], "tried again, and nothing else"


def test_a_model_that_cannot_be_trained_fails_its_own_cells_only(run, done, monkeypatch):
    trained = _run.train_missing

    def fails(models, processes, watcher):
        failures = trained(models, processes, watcher)
        [path] = {model.path for model in models if model.seed == 101}
        path.unlink()
        return failures | {path: "Its model could not be trained (its name).\nValueError: of the user"}

    monkeypatch.setattr(_run, "train_missing", fails)
    cells = run()
    assert cells["retraining", None, None, 101]["error"].endswith("ValueError: of the user")
    assert cells[OURS]["error"] is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_a_cell_that_finds_the_disk_full_says_so_and_is_in_the_report(
    run, done, files, monkeypatch, tmp_path, number
):
    written = []
    atomically = _cell.atomically

    def full(path):
        written.append(path.name)
        if "GradientDifference" in path.name:
            raise OSError(number, "The disk is full")
        return atomically(path)

    monkeypatch.setattr(_cell, "atomically", full)
    cells = run()
    error = cells[OURS]["error"]
    assert error.startswith("The cell could not be written to ")
    assert "(The disk is full)" in error
    assert OURS not in files()
    assert {cell["error"] for key, cell in cells.items() if key != OURS} == {None}
    monkeypatch.undo()


def test_a_list_that_cannot_be_written_stops_before_anything_is_trained(run, done, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_run, "atomically", full)
    with pytest.raises(UnlearningError, match=r"The list of cells could not be written .*No space left"):
        run()
    assert done == []


def test_an_argument_may_be_infinite(run, done, files):
    cells = run([{"strategy": f"{FAILING}.Unlimited"}])
    assert {cell["error"] for cell in cells.values()} == {None}
    assert cells["Unlimited", 1, 1, None]["strategy"]["init_args"] == {"most": "inf"}
    done.clear()
    assert run([{"strategy": f"{FAILING}.Unlimited"}]) == cells
    assert done == []
