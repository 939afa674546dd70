"""Which cells there are, what their numbers are, and that they depend on nothing but what makes them."""

import copy

import lightning as L
import pytest
import torch
from torch.nn.functional import cross_entropy

from lightning_unlearn import UnlearningDataModule
from lightning_unlearn.compare import _job
from lightning_unlearn.reference import read_stamp
from tests.compare._cells import numbers
from tests.compare._modules import CONFIG, Samples, Tiny

OURS = ("GradientDifference", 1, 1, None)
FINE_TUNING = ("retain fine-tuning", 1, 1, None)
NOISY = {"class_path": "tests.compare._modules.Tiny", "init_args": {"noise": 2.0}}
MEASURES = ("forget_accuracy", "retain_accuracy", "test_accuracy", "membership", "mia_efficacy")


def means(cell):
    return [[evaluation[name] for name in MEASURES] for evaluation in cell["evaluations"]]


def test_the_controls_stand_beside_every_distinct_setting(run, done):
    entries = [
        {"strategy": "GradientDifference"},
        {"strategy": "GradientDifference(alpha=2)", "name": "stronger"},
        {"strategy": "GradientDifference", "name": "longer", "settings": {"max_steps": 6}},
        {"strategy": "FineTune", "settings": {"model": {"lr": 0.3}, "monitor": {"retain_floor": 0.5}}},
    ]
    cells = run(entries, original_seeds=2, reference_seeds=[7, 8], unlearning_seeds=[4])
    # models, which are then evaluated; four entries, and two controls of three settings, from two originals each
    assert len(done) == 2 + 2 + 2 + 2 + 4 * 2 + 2 * 3 * 2
    assert {key[1:] for key in cells if key[0] == "retraining"} == {(None, None, s) for s in (7, 8)}
    assert {key[1:] for key in cells if key[0] == "do nothing"} == {(o, None, None) for o in (1, 2)}
    each = {(1, 4, None), (2, 4, None)}
    for name in ("GradientDifference", "stronger", "longer", "FineTune", "ascent", "retain fine-tuning"):
        assert {key[1:] for key in cells if key[0] == name} == each
    assert cells["GradientDifference", 1, 4, None]["controls"] == cells["stronger", 2, 4, None]["controls"]
    settings = {name: cells[name, 1, 4, None]["settings"] for name in ("stronger", "longer", "FineTune")}
    assert settings["longer"] == settings["stronger"] | {"max_steps": 6}
    assert settings["FineTune"]["model"] == {"lr": 0.3}
    assert settings["FineTune"]["monitor"] == {"retain_floor": 0.5}


def test_each_setting_has_controls_with_its_own_steps(run, done, files):
    run([{"strategy": "FineTune"}, {"strategy": "FineTune", "name": "long", "settings": {"max_steps": 6}}])
    paths = [path.name for path, _ in files().values()]
    assert len(set(paths)) == len(paths)
    names = [name for name in done if "fine-tuning" in name]
    assert len(set(names)) == 2


def plainly_tuned(path, steps):
    """The fine-tuning control, written by hand."""
    module = Tiny()
    module.load_state_dict(torch.load(path, weights_only=True)["state_dict"])
    data = UnlearningDataModule(Samples(60), forget_class=2, batch_size=8, forget_batch_size=4, seed=1)
    loader, epoch = data.retain_dataloader(), 0
    while steps:
        loader.sampler.set_epoch(epoch)
        for inputs, labels in loader:
            if not steps:
                break
            loss = cross_entropy(module.net(inputs), labels)
            for weight, gradient in zip(
                module.parameters(), torch.autograd.grad(loss, list(module.parameters())), strict=True
            ):
                weight.data -= 0.2 * gradient
            steps -= 1
        epoch += 1
    return module


def shares(module):
    """Accuracies, computed sample by sample."""
    train, test = Samples(60), Samples(30, seed=1)
    right = {side: [] for side in ("forget", "retain", "test")}
    for data, of in ((train, lambda y: "forget" if y == 2 else "retain"), (test, lambda y: "test")):
        for inputs, label in data:
            if data is train or label != 2:
                right[of(int(label))].append(int(module.net(inputs).argmax()) == int(label))
    return [sum(hits) / len(hits) for hits in right.values()]


def test_a_cell_is_what_one_would_have_written_by_hand(run, done, tmp_path):
    cells = run()
    [original] = (p for p in tmp_path.glob("out/models/*.ckpt") if read_stamp(p).retain_samples == 60)
    assert means(cells["do nothing", 1, None, None])[0][:3] == shares(plainly_tuned(original, 0))
    assert means(cells[FINE_TUNING])[0][:3] == shares(plainly_tuned(original, 4))
    assert means(cells[FINE_TUNING]) != means(cells["do nothing", 1, None, None])
    assert cells[FINE_TUNING]["steps"] == 4
    [retrained] = (p for p in tmp_path.glob("out/models/*.ckpt") if read_stamp(p).retain_samples == 40)
    assert cells["retraining", None, None, 101]["seconds"] == read_stamp(retrained).seconds
    assert means(cells["retraining", None, None, 101])[0][:3] == shares(plainly_tuned(retrained, 0))


def test_what_ran_before_in_the_process_does_not_matter(run, done, monkeypatch):
    entries = [{"strategy": f"GradientDifference(alpha={a})", "name": str(a)} for a in (1, 2, 3)]
    cells = run(entries, model=NOISY)
    torch.rand(5)
    torch.set_num_threads(2)
    try:
        others = run(list(reversed(entries)), model=NOISY, folder="other")
    finally:
        torch.set_num_threads(1)
    assert {key: numbers(cell) for key, cell in cells.items()} == {
        key: numbers(cell) for key, cell in others.items()
    }
    monkeypatch.setattr(L, "seed_everything", lambda *_, **__: None)
    unseeded = run(list(reversed(entries)), model=NOISY, folder="other", evaluation_seeds=[1])
    same = [key for key in cells if means(cells[key])[0] == means(unseeded[key])[0]]
    assert len(same) < len(cells)  # those that were trained before are the same


def test_seeds_of_original_unlearning_and_evaluation_vary_different_things(run, done):
    cells = run(original_seeds=2, unlearning_seeds=2, evaluation_seeds=[1, 2], attack_samples=10, model=NOISY)
    rows = {key[1:3]: means(cell) for key, cell in cells.items() if key[0] == "GradientDifference"}
    for first, second in rows.values():
        assert first[:4] == second[:4], "only the attack is drawn"
    assert len({tuple(map(tuple, row)) for row in rows.values()}) == 4
    drawn = {tuple(row[-1] for row in means(cell)) for cell in cells.values()}
    assert any(len(set(pair)) == 2 for pair in drawn)


def test_a_seed_of_the_strategy_is_that_of_the_unlearning_unless_it_is_given(run, done, monkeypatch):
    seen = []
    unlearn = _job.unlearn

    def look(module, data, trainer, strategy, settings, seed, *rest):
        seen.append((strategy.class_path.rpartition(".")[2], getattr(strategy.made(seed), "seed", None)))
        return unlearn(module, data, trainer, strategy, settings, seed, *rest)

    monkeypatch.setattr(_job, "unlearn", look)
    path = "tests.compare._modules.Slanted"
    cells = run([{"strategy": path}, {"strategy": f"{path}(seed=9)", "name": "nine"}], unlearning_seeds=[5])
    assert [pair for pair in seen if pair[0] == "Slanted"] == [("Slanted", 5), ("Slanted", 9)]
    assert cells["Slanted", 1, 5, None]["strategy"]["init_args"] == {"slope": 1.0}
    assert cells["nine", 1, 5, None]["strategy"]["init_args"] == {"slope": 1.0, "seed": 9}


def test_what_a_fraction_picks_does_not_depend_on_the_seed_of_the_unlearning(run, done):
    requests = copy.deepcopy(CONFIG["requests"])
    requests[0]["forget"] = {"forget_fraction": 0.1}
    cells = run(requests=requests, unlearning_seeds=2)
    # the forget side has 6 samples: shares of another choice would differ for the same weights
    module = means(cells["do nothing", 1, None, None])[0]
    assert module[0] * 6 == pytest.approx(round(module[0] * 6))
    requests[0]["forget"]["seed"] = 3
    others = run(requests=requests, unlearning_seeds=2, folder="other")
    assert cells["retraining", None, None, 101]["key"] != others["retraining", None, None, 101]["key"]


# ---- the monitor -------------------------------------------------------------------------------------------------
def test_steps_and_seconds_to_the_target_are_those_of_the_monitor(run, done):
    cells = run(settings={"max_steps": 9, "monitor": {"every_n_steps": 2, "target": 1.0, "retain_floor": 0}})
    cell = cells[OURS]
    assert (cell["stopped"], cell["steps"], cell["steps_to_target"]) == ("target", 2, 2)
    assert 0 < cell["seconds_to_target"] <= cell["seconds"]
    never = run(settings={"monitor": {"target": None}}, folder="other")[OURS]
    names = ("stopped", "steps", "steps_to_target", "seconds_to_target")
    assert [never[name] for name in names] == [None, 4, None, None]


@pytest.mark.filterwarnings("ignore:Retain accuracy fell")
def test_a_collapse_is_told_and_measured_at_the_weights_that_are_back(run, done):
    cells = run(
        [{"strategy": "GradientDifference", "name": "too much", "settings": {"model": {"lr": 50.0}}}],
        settings={"monitor": {"every_n_steps": 1, "retain_floor": 0.99, "target": None}},
        trainer=CONFIG["trainer"] | {"max_epochs": 20},
    )
    cell = cells["too much", 1, 1, None]
    assert (cell["stopped"], cell["error"], cell["steps_to_target"]) == ("collapse", None, None)
    assert means(cell) == means(cells["do nothing", 1, None, None])


# ---- data and models of one's own --------------------------------------------------------------------------------
def test_a_data_module_of_ones_own_is_split_alike_in_every_cell(run, done):
    data = {"class_path": "tests.compare._modules.Batches"}
    cells = run(data=data)
    assert {cell["error"] for cell in cells.values()} == {None}
    torch.rand(3)
    again = run(data=data, folder="other")
    assert {key: numbers(cell) for key, cell in cells.items()} == {
        key: numbers(cell) for key, cell in again.items()
    }
    other = run(data={**data, "init_args": {"share": 0.6}}, folder="third")
    assert all(cells[key]["key"] != other[key]["key"] for key in cells)


def test_models_that_are_there_are_taken_in_place_of_trained_originals(run, done, tmp_path):
    for seed in (1, 2):
        torch.manual_seed(seed)
        torch.save(Tiny().state_dict(), tmp_path / f"{seed}.pt")
    given = [str(tmp_path / f"{seed}.pt") for seed in (1, 2)]
    cells = run(original=given, original_seeds=None)
    alone = run(original=given[1], original_seeds=None, folder="alone")
    assert means(alone["do nothing", 0, None, None]) == means(cells["do nothing", 1, None, None])
    assert not any("original" in name for name in done)
    torch.manual_seed(2)
    assert means(cells["do nothing", 1, None, None])[0][:3] == shares(Tiny())


def test_a_trainer_that_makes_but_a_step_is_enough_to_try_a_configuration(run, done):
    cells = run(trainer={"fast_dev_run": True, "accelerator": "cpu"})
    assert {cell["error"] for cell in cells.values()} == {None}
    assert cells[OURS]["steps"] == 1
