"""Searches from end to end, in this process."""

import json

import pytest

from lightning_unlearn import ConfigurationError, UnlearningError
from lightning_unlearn.compare import _cell
from lightning_unlearn.tune import _run
from lightning_unlearn.tune._trial import WORST
from tests.tune.conftest import SPACE


def plain(search):
    """All trials but for their seconds."""
    return [
        (t.number, t.values, t.distance, t.violation, t.numbers, tuple(t.by_original), t.error)
        for t in search.trials
    ]


def cells(names):
    return [name for name in names if "trial" in name]


def test_the_first_trial_is_the_strategy_as_it_is(search, done):
    found, folder = search(trials=2)
    assert found.trials[0].values == {"alpha": 0.03, "max_steps": 4}
    assert found.defaults_inside
    assert len(found.trials) == 2
    assert folder.name == "gradientdifference-the-last-class"
    assert done == [
        "original, seed 1",
        "the last class, retraining, seed 101",
        "the last class, do nothing, 1",
        "the last class, retraining, 101",
        "the last class, trial 0, 1/1",
        "the last class, trial 1, 1/1",
    ]
    cell = json.loads(next((folder.parent / "cells").glob("*trial-0-*.json")).read_text())
    assert cell["strategy"]["init_args"]["alpha"] == 0.03
    assert (cell["steps"], found.trials[0].numbers["forget_accuracy"]) == (
        4,
        cell["evaluations"][0]["forget_accuracy"],
    )
    second = found.trials[1].values
    cell = json.loads(next((folder.parent / "cells").glob("*trial-1-*.json")).read_text())
    assert (cell["strategy"]["init_args"]["alpha"], cell["steps"]) == (second["alpha"], second["max_steps"])


def test_the_same_seed_gives_the_same_search_bit_for_bit(search, done, tmp_path):
    first, _ = search(trials=3)
    again, _ = search(trials=3, output=str(tmp_path / "again"))
    assert plain(again) == plain(first)
    other, _ = search(trials=2, output=str(tmp_path / "other"), search_seed=1)
    assert plain(other)[0] == plain(first)[0]
    assert plain(other)[1][1] != plain(first)[1][1]


def test_interrupted_anywhere_it_goes_on(search, done, interrupt_at, tmp_path):
    """Ctrl-C in the second cell of a trial: what is finished is not made again, and the end is the same."""
    whole, _ = search(trials=3, original_seeds=2, output=str(tmp_path / "whole"))
    expected, count = cells(done), len(done)
    done.clear()
    interrupt_at.add(count - 3)  # the second cell of trial 1
    with pytest.raises(KeyboardInterrupt):
        search(trials=3, original_seeds=2)
    interrupt_at.clear()
    record = json.loads((tmp_path / "out/gradientdifference-the-last-class/search.json").read_text())
    assert len(record["trials"]) == 1
    found, _ = search(trials=3, original_seeds=2)
    assert plain(found) == plain(whole)
    assert cells(done) == expected


def test_more_trials_are_added_and_fewer_are_not_taken_away(search, done):
    short, _ = search(trials=2)
    count = len(cells(done))
    long, _ = search(trials=3)
    assert plain(long)[:2] == plain(short)
    assert len(cells(done)) == count + 1
    done.clear()
    again, _ = search(trials=1)
    assert plain(again) == plain(long)
    assert done == []


def test_trials_at_once_are_made_in_one_lot(search, done, monkeypatch):
    """Those of a lot are proposed with the values of the others of it, and without their results."""
    asked_with = []
    real = _run.propose

    def propose(parameters, trials, seed, number, waiting):
        asked_with.append((number, len(trials), len(waiting)))
        return real(parameters, trials, seed, number, waiting)

    monkeypatch.setattr(_run, "propose", propose)
    found, _ = search(trials=4, at_once=3)
    assert [t.number for t in found.trials] == [0, 1, 2, 3]
    assert asked_with == [(1, 0, 1), (2, 0, 2), (3, 3, 0)]


def test_a_lot_that_was_cut_goes_on_as_it_would_have(search, done, tmp_path):
    """More trials than the sampler draws at random, 13 of them first: the fourteenth is the second of its lot of three."""
    space = {"alpha": {"low": 0.01, "high": 1.0, "log": True}}
    whole, _ = search(space=space, trials=16, at_once=3, output=str(tmp_path / "whole"))
    search(space=space, trials=13, at_once=3)
    found, _ = search(space=space, trials=16, at_once=3)
    assert plain(found) == plain(whole)


def test_values_that_are_refused_together_are_a_failed_trial(search, done):
    space = {"low": {"low": 0.1, "high": 0.45}, "high": {"low": 0.15, "high": 0.9}}
    found, _ = search(strategy="tests.compare._modules.Within", space=space, trials=12)
    errors = [trial.error for trial in found.trials if trial.error is not None]
    assert errors
    assert len(errors) < 12
    assert all("`low` must be below `high`, found" in error for error in errors)


def test_a_disk_that_is_full_for_a_moment_is_not_the_fault_of_a_trial(search, done, monkeypatch):
    atomically, names = _cell.atomically, []

    def full(path):
        if "trial-1" in path.name and not names:
            names.append(path.name)
            raise OSError(28, "No space left on device")
        return atomically(path)

    monkeypatch.setattr(_cell, "atomically", full)
    with pytest.raises(UnlearningError, match=r"could not be written.*No space left"):
        search(trials=3)
    found, _ = search(trials=3)
    assert names
    assert all(trial.error is None for trial in found.trials)


def test_without_references_held_out_data_are_the_standard(search, done):
    found, _ = search(reference_seeds=0, trials=2)
    assert found.baseline.against == "held-out data"
    assert (found.baseline.retrained, found.baseline.floor) == (None, None)
    assert not any("retraining" in name for name in done)
    for trial in found.trials:
        n = trial.numbers
        before = found.baseline.original["test_accuracy"]
        parts = (n["forget_accuracy"] - 0.0, n["separation"], n["test_accuracy"] - before)
        assert trial.distance == pytest.approx(100 * sum(map(abs, parts)) / 3)


def test_a_strategy_as_it_is_may_lie_outside(search, done):
    found, _ = search(space={"alpha": {"low": 0.5, "high": 0.9}}, trials=2)
    assert not found.defaults_inside
    assert found.trials[0].values["alpha"] == 0.03
    assert 0.5 <= found.trials[1].values["alpha"] <= 0.9


def test_trials_that_fail_are_recorded_and_the_rest_goes_on(search, done):
    space = {"max_steps": {"choices": [1, 2, 3]}}
    found, _ = search(strategy="tests.compare._modules.Raises", space=space, trials=5)
    failed = [trial for trial in found.trials if trial.distance is None]
    fine = [trial for trial in found.trials if trial.distance is not None]
    assert failed
    assert fine
    assert {trial.values["max_steps"] for trial in fine} == {1}
    assert all(trial.error.endswith("RuntimeError: it is the second step") for trial in failed)
    assert all(trial.violation == WORST and not trial.is_feasible for trial in failed)


def test_weights_that_are_ruined_are_a_failure(search, done):
    found, _ = search(
        strategy="tests.compare._modules.Ruins", space={"max_steps": {"low": 1, "high": 2}}, trials=1
    )
    assert "must be finite" in found.trials[0].error


def test_who_loses_the_retain_accuracy_violates_the_floor_by_as_much(search, done):
    space = {"model.lr": {"low": 20.0, "high": 40.0}}  # steps so long that all is lost
    trainer = {"max_epochs": 20, "accelerator": "cpu", "log_every_n_steps": 1}
    found, _ = search(strategy="FineTune", space=space, retain_floor=1.0, trainer=trainer)
    before = found.baseline.original["retain_accuracy"]
    for trial in found.trials:
        expected = max(0.0, 100 * (before - trial.numbers["retain_accuracy"]))
        assert trial.violation == pytest.approx(expected)
    assert any(trial.violation > 0 for trial in found.trials)


def test_a_folder_with_another_search_is_refused(search, done):
    search(trials=1)
    done.clear()
    model = {"class_path": "tests.compare._modules.Tiny", "init_args": {"lr": 0.3}}
    wider = {**SPACE, "alpha": {"low": 0.01, "high": 2.0, "log": True}}
    for changes, said in [
        ({"space": wider}, "`space` .*.high.: 1.0.* instead of .*.high.: 2.0"),
        ({"search_seed": 5}, "`search_seed` 0 instead of 5"),
        ({"retain_floor": 0.5}, "`retain_floor` 0.0 instead of 0.5"),
        ({"strategy": "GradientDifference(alpha=0.2)"}, "`entry` .* instead of .*0.2"),
        ({"original_seeds": 2}, "`digests` .*`seeds` .* instead of"),
        ({"model": model}, "`digests` "),
    ]:
        with pytest.raises(
            ConfigurationError, match=rf"must hold a search of the same, found one with {said}"
        ):
            search(trials=1, **changes)
    assert done == [], "refused before anything is trained"


def test_a_damaged_record_is_refused(search, done):
    _, folder = search(trials=1)
    (folder / "search.json").write_text("{")
    with pytest.raises(
        ConfigurationError, match=r"search.json must be the file of a search, found a damaged one"
    ):
        search(trials=1)


def test_a_cell_that_is_damaged_is_made_again(search, done):
    _, folder = search(trials=1)
    [path] = (folder.parent / "cells").glob("*do-nothing*.json")
    path.write_text("{}")
    done.clear()
    search(trials=2)
    assert done == ["the last class, do nothing, 1", "the last class, trial 1, 1/1"]


def test_a_model_that_cannot_be_trained_ends_it(search, done):
    with pytest.raises(UnlearningError, match="All models must be trained, found 2 that could not be"):
        search(model={"class_path": "tests.compare._modules.Tiny", "init_args": {"lr": 1e30}})


def test_a_full_disk(search, done, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lightning_unlearn.tune._record.atomically", full)
    with pytest.raises(
        UnlearningError, match=r"could not be written to .* \(No space left on device\). Make room"
    ):
        search(trials=1)


def test_a_folder_that_cannot_be_written(search, done, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="The output folder must be writable"):
        search(output=str(tmp_path / "file"))
    assert done == []


def test_nothing_is_asked_twice_of_the_user(asked):
    """What a search depends on is plain, so that its file can be compared."""
    about = asked().to_plain()
    assert json.loads(json.dumps(about)) == about
    assert _run.__doc__
