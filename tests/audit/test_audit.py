"""The audit as a whole: what it writes, that it is the same twice, what it refuses, and that it goes on where it was."""

import copy
import json
from dataclasses import replace

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader, Subset, TensorDataset

from lightning_unlearn import UnlearningDataModule
from lightning_unlearn.audit import audit, verify
from lightning_unlearn.audit._identity import identifiers
from lightning_unlearn.audit._json import to_json
from lightning_unlearn.audit._measure import Measurement
from lightning_unlearn.audit._sides import half
from lightning_unlearn.audit._stages import Stages
from lightning_unlearn.audit._stamps import check_stamps
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.reference._stamp import ENTRY, Stamp

SHORT = {"progress": False, "bits": (4,), "benign_epoch": False, "relearning_steps": 2, "permutations": 99}


class Net(L.LightningModule):
    def __init__(self, classes=3, width=4):
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Linear(4, width), torch.nn.BatchNorm1d(width), torch.nn.Dropout(0.5)
        )
        self.head = torch.nn.Linear(width, classes)

    def forward(self, inputs):
        return self.head(self.body(inputs).relu())


class Ruined(Net):
    def __init__(self):
        super().__init__()
        torch.nn.init.constant_(self.head.bias, float("nan"))


class Inside:
    """Inputs in an object of the user's."""

    def __init__(self, inputs):
        self.inputs = inputs


def samples(count, seed, classes=3):
    generator = torch.Generator().manual_seed(seed)
    return TensorDataset(torch.randn(count, 4, generator=generator), torch.arange(count) % classes)


def sides(classes=3):
    return {
        "forget": samples(40, 1, classes),
        "retain": samples(90, 2, classes),
        "test": samples(60, 3, classes),
    }


def net(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Net()


def run(data=None, module=None, **arguments):
    chosen = {"original": net(0), "unlearned": net(1), "references": [net(2), net(3)], **SHORT, **arguments}
    return audit(module or Net(), sides() if data is None else data, **chosen)


def without_time(report):
    return to_json(replace(report, made={}))


# ---- the same twice --------------------------------------------------------------------------------------------------
def test_the_same_inputs_give_the_same_json():
    first, second = run(), run()
    assert without_time(first) == without_time(second)
    assert first.made != {}


def test_neither_order_nor_batches_matter():
    """Down to the rounding of matrix products, whose order depends on the size of a batch."""
    data = sides()
    shuffled = {name: DataLoader(side, 7, shuffle=True) for name, side in data.items()}
    whole = run(data, relearning_steps=0, batch_size=512)
    parts = run(shuffled, relearning_steps=0)
    assert [side.sha256 for side in parts.sides] == [side.sha256 for side in whole.sides]
    for one, other in zip(whole.metrics, parts.metrics, strict=True):
        for model, value in one.values.items():
            assert other.values[model].value == pytest.approx(value.value, rel=1e-4, abs=1e-5), (
                one.name,
                model,
            )
    for one, other in zip(whole.tests, parts.tests, strict=True):
        assert (one.name, one.rejected) == (other.name, other.rejected)
        assert other.statistic == pytest.approx(one.statistic, rel=1e-3, abs=1e-4)


def test_nothing_of_the_users_moves():
    module, original = Net().train(), net(0)
    before = copy.deepcopy(module.state_dict()), copy.deepcopy(original.state_dict())
    stream = torch.random.get_rng_state()
    run(module=module, original=original)
    assert torch.equal(stream, torch.random.get_rng_state())
    assert module.training
    for state, model in zip(before, (module, original), strict=True):
        assert all(torch.equal(state[name], now) for name, now in model.state_dict().items())
    assert not module.body[0]._forward_pre_hooks
    assert not module.head._forward_pre_hooks


def test_a_changed_weight_and_a_changed_sample_are_other_digests(tmp_path):
    run(output=tmp_path)
    states = {name: net(seed).state_dict() for name, seed in (("original", 0), ("unlearned", 1))}
    assert verify(tmp_path / "report.json", weights=states) == []
    states["unlearned"]["head.bias"][0] += 1e-6
    data = sides()
    data["forget"].tensors[0][3, 0] += 1e-6
    changed = run(data)
    recorded = json.loads((tmp_path / "report.json").read_text())["sides"]
    assert [now.sha256 == then["sha256"] for now, then in zip(changed.sides, recorded, strict=True)] == [
        False,
        True,
        True,
    ]
    [difference] = verify(tmp_path / "report.json", weights=states)
    assert "unlearned" in str(difference)


def test_identifiers_can_be_the_users(tmp_path):
    data = {name: TensorDataset(*side.tensors, torch.arange(len(side)) + 1000 * place)
            for place, (name, side) in enumerate(sides().items())}  # fmt: skip

    def predict(module, batch):
        return module(batch[0]), batch[1]

    run(data, output=tmp_path, predict=predict, identify=lambda batch: batch[2])
    known = {"forget": map(str, range(40)), "retain": map(str, range(1000, 1090))}
    assert (
        verify(tmp_path / "report.json", weights={"original": net(0).state_dict()}, identifiers=known) == []
    )


# ---- interrupted -----------------------------------------------------------------------------------------------------
def test_an_interrupted_audit_goes_on_where_it_was(tmp_path, monkeypatch):
    undisturbed = run()
    done = []
    keep = Stages.keep

    def stop(self, name, result):
        keep(self, name, result)
        done.append(name)
        if len(done) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(Stages, "keep", stop)
    with pytest.raises(KeyboardInterrupt):
        run(output=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".unfinished"}
    again = []
    monkeypatch.setattr(Stages, "keep", lambda self, name, result: again.append(name))
    assert without_time(run(output=tmp_path)) == without_time(undisturbed)
    assert not set(again) & set(done)
    assert len(again) + len(done) == 8  # 4 models, one treatment and learning again
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.md", "report.html"}


@pytest.mark.parametrize("change", [{"seed": 1}, {"unlearned": net(7)}])
def test_another_audit_begins_afresh(change, tmp_path, monkeypatch):
    monkeypatch.setattr(Stages, "finish", lambda self: None)
    run(output=tmp_path)
    again = []
    monkeypatch.setattr(Stages, "keep", lambda self, name, result: again.append(name))
    run(output=tmp_path, **change)
    assert len(again) == 8


def test_another_split_of_the_same_samples_begins_afresh(tmp_path, monkeypatch):
    monkeypatch.setattr(Stages, "finish", lambda self: None)
    everything = samples(90, 2)
    run(UnlearningDataModule(everything, forget_class=1, batch_size=16), output=tmp_path)
    again = []
    monkeypatch.setattr(Stages, "keep", lambda self, name, result: again.append(name))
    run(UnlearningDataModule(everything, forget_class=2, batch_size=16), output=tmp_path)
    assert len(again) == 8


def test_another_way_to_predict_begins_afresh(tmp_path, monkeypatch):
    monkeypatch.setattr(Stages, "finish", lambda self: None)
    scale = [1.0]

    def predict(module, batch):
        return scale[0] * module(batch[0]), batch[1]

    run(output=tmp_path, predict=predict)
    again = []
    monkeypatch.setattr(Stages, "keep", lambda self, name, result: again.append(name))
    scale[0] = 2.0
    run(output=tmp_path, predict=predict)
    assert len(again) == 8


def test_a_data_module_hands_over_batches_as_it_does_to_a_trainer():
    class Scaled(L.LightningDataModule):
        def train_dataloader(self):
            return DataLoader(samples(90, 2), 16)

        def on_after_batch_transfer(self, batch, dataloader_idx):
            return 3 * batch[0], batch[1]

    seen = []

    class Watching(Net):
        def forward(self, inputs):
            seen.append(float(inputs.abs().max()))
            return super().forward(inputs)

    data = UnlearningDataModule.from_datamodule(Scaled(), forget_class=1, pin_memory=False)
    run(data, Watching())
    largest = float(samples(90, 2).tensors[0].abs().max())
    assert max(seen) == pytest.approx(3 * largest)


def test_halves_of_a_side_are_drawn_at_random_and_are_all_of_it():
    loader = DataLoader(list(range(100)), 8)
    halves = [[int(x) for batch in half(loader, second=second) for x in batch] for second in (False, True)]
    assert sorted(halves[0] + halves[1]) == list(range(100))
    assert len(halves[0]) == 50
    assert 10 < sum(x % 2 for x in halves[0]) < 40
    assert 10 < sum(x < 50 for x in halves[0]) < 40


def test_a_reference_that_was_not_trained_like_the_others_is_refused():
    """Beside it, everything would look alike."""

    def data(count, seed):  # the class is in the inputs
        labels = torch.arange(count) % 3
        noise = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))
        return TensorDataset(0.1 * noise + torch.nn.functional.one_hot(labels, 4), labels)

    class Reader(Net):
        def __init__(self, scale=1.0):
            super().__init__()
            self.body, self.head = torch.nn.Identity(), torch.nn.Linear(4, 3)
            self.head.weight.data, self.head.bias.data = scale * torch.eye(4)[:3], torch.zeros(3)

    parts = {
        name: data(count, seed) for seed, (name, count) in enumerate({"forget": 20, "retain": 60}.items())
    }
    trained = {"original": Reader(2.0), "unlearned": Reader(3.0)}
    run(parts, Reader(), **trained, references=[Reader(4.0), Reader(5.0)])
    with pytest.raises(
        ConfigurationError,
        match=r"reference 2 is right about 33\.3% of the retain set, another about 100\.0%",
    ):
        run(parts, Reader(), **trained, references=[Reader(4.0), Reader(0.0)])


def test_inputs_that_nobody_can_look_into_need_identifiers():
    with pytest.raises(
        ConfigurationError, match=r"found Inside in a batch, whose content is not known\. Pass"
    ):
        identifiers([Inside(torch.zeros(2, 3)), torch.zeros(2, dtype=torch.int64)], 2)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 1, 2), (12, 2, 1), (1, 12, 12)])
def test_tiny_sides_have_an_answer(sizes):
    names = ("forget", "retain", "test")
    data = {name: samples(size, seed) for seed, (name, size) in enumerate(zip(names, sizes, strict=True))}
    report = run(data)
    assert report.verdict.name
    ran = {attack.name: attack.ran for attack in report.attacks}
    assert not ran["few-shot probe"]


def test_other_samples_begin_afresh(tmp_path, monkeypatch):
    monkeypatch.setattr(Stages, "finish", lambda self: None)
    run(output=tmp_path)
    again = []
    monkeypatch.setattr(Stages, "keep", lambda self, name, result: again.append(name))
    data = sides()
    data["retain"].tensors[0][0] += 1
    run(data, output=tmp_path)
    assert len(again) == 8


# ---- what it looks at ------------------------------------------------------------------------------------------------
def test_each_side_is_read_once_for_all_models():
    class Counted(torch.utils.data.Dataset):
        def __init__(self, data):
            self.data, self.count = data, 0

        def __len__(self):
            return len(self.data)

        def __getitem__(self, index):
            self.count += 1
            return self.data[index]

    data = {name: Counted(side) for name, side in sides().items()}
    run(data, bits=(), relearning_steps=0)
    assert [side.count for side in data.values()] == [40, 90, 60]


def test_a_class_is_what_the_retain_set_has_none_of():
    everything, test = samples(90, 2), samples(60, 3)
    data = UnlearningDataModule(everything, forget_class=[1], test=test, batch_size=16)
    report = run(data)
    assert report.request == {"kind": "class", "classes": [1], "samples": 30, "unseen samples": 20}
    accuracies = {m.side for m in report.metrics if m.name == "SideAccuracy"}
    assert accuracies == {"forget", "retain", "test", "unseen"}
    assert {side.name: side.samples for side in report.sides} == {"forget": 30, "retain": 60, "test": 60}


def test_test_data_without_the_class_leave_membership_unknown():
    test = samples(60, 3)
    others = Subset(test, (test.tensors[1] != 1).nonzero().flatten().tolist())
    report = run(
        UnlearningDataModule(samples(90, 2), forget_class=1, test=others, batch_size=16), references=[]
    )
    assert "membership" not in {one.name for one in report.tests}
    assert any("unseen samples of the forgotten class" in sentence for sentence in report.verdict.cannot_know)


@pytest.mark.parametrize("moved", [0.0, 1.0])
def test_unseen_samples_of_another_kind_accuse_nobody(moved):
    """The model is sure of what lies far from the test data; a look at the inputs says why."""
    data = sides()
    data["test"].tensors[0].add_(3 * moved)
    report = run(data, references=[])
    kind, membership = report.tests[:2]
    assert (kind.name, membership.name) == ("kind", "membership")
    assert kind.rejected == bool(moved)
    assert not membership.rejected
    assert any("another kind" in sentence for sentence in report.verdict.cannot_know) == bool(moved)
    if moved:
        assert membership.p_value <= 0.05
        assert report.verdict.name == "undecided"


def test_no_metric_that_needs_a_reference_has_a_gap_without_one():
    report = run(references=[])
    assert report.verdict.name != "forgotten"
    for metric in report.metrics:
        assert (metric.gaps == {}) == (metric.target == "reference"), metric.name
        assert metric.references is None


def test_the_progress_bar_comes_to_its_end(monkeypatch):
    steps, totals = [], []
    call = Measurement.__call__

    def watched(self, progress):
        totals.append(self.batches())
        monkeypatch.setattr(progress, "step", lambda count=1: steps.append(count))
        return call(self, progress)

    monkeypatch.setattr(Measurement, "__call__", watched)
    run(benign_epoch=True)
    assert sum(steps) == pytest.approx(
        totals[0], abs=4
    )  # the state before the first step of learning again, per model


# ---- what it refuses -------------------------------------------------------------------------------------------------
def overlapping(one, other):
    data = sides()
    joined = torch.utils.data.ConcatDataset([data[one], Subset(data[other], [5])])
    return {**data, one: joined}


def labelled(name, label):
    data = sides()
    data[name].tensors[1][2] = label
    return data


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": {"forget": samples(5, 1)}}, r"`data` must have the sides `forget` and `retain`, .* found \['forget'\]"),
        ({"data": {**sides(), "val": samples(5, 1)}}, "`data` must have the sides"),
        ({"data": {**sides(), "forget": samples(0, 1)}}, "`forget` must hold at least one sample, found none"),
        ({"data": L.LightningDataModule()}, "`data` must say which side is which, found LightningDataModule"),
        ({"data": overlapping("retain", "forget")}, "`forget` and `retain` must not share samples, found 1 in both"),
        ({"data": overlapping("test", "forget")}, "`forget` and `test` must not share samples, found 1 in both"),
        ({"data": overlapping("test", "retain")}, "`test` and `retain` must not share samples, found 1 in both"),
        ({"data": labelled("retain", 3)}, "The labels of `retain` must be between 0 and 2, found 0 to 3"),
        ({"data": labelled("forget", -1)}, "The labels of `forget` must be between 0 and 2, found -1 to 2"),
        ({"unlearned": Net(width=5)}, "`unlearned` must hold the weights of Net, found `body.0.weight` of shape"),
        ({"unlearned": torch.nn.Linear(2, 2)}, "`unlearned` must hold the weights of Net, found 9 entries without a place in it, such as"),
        ({"references": net(2)}, "`references` must be a list of models, found one Net"),
        ({"references": [net(2), net(2)]}, "found that reference 2 has the weights of reference 1"),
        ({"references": [net(1)]}, "found that reference 1 has the weights of unlearned"),
        ({"references": [net(0)]}, "found that reference 1 has the weights of original"),
        ({"original": "none.ckpt"}, "`original` must be a file with weights, found none.ckpt"),
        ({"level": 0.7}, "`level` must be a probability above 0 and below 0.5, found 0.7"),
        ({"level": True}, "`level` must be a probability"),
        ({"bits": (1,)}, "`bits` must be integers from 2 to 16, found 1"),
        ({"permutations": 10}, "`permutations` must be at least 40 for the level 0.05, found 10"),
        ({"bits": 8}, "`bits` must be a list of integers, found 8"),
        ({"accelerator": "gpux"}, "`accelerator` must be one that is there, found 'gpux'"),
        ({"references": [net(2), Ruined()]}, "The answers of reference 2 must be finite"),
        ({"data": {**sides(), "retain": DataLoader(samples(90, 2), 8, drop_last=True)}}, "`retain` must be a data set, or a"),
        ({"data": {**sides(), "retain": DataLoader(samples(90, 2), 8, sampler=[1, 2])}}, "found the sampler list"),
        ({"features": "tail"}, "`features` must name a layer of Net, found 'tail'"),
        ({"identify": lambda batch: [1]}, "`identify` must return one identifier for each of the 40 samples"),
        ({"predict": lambda module, batch: (module(batch[0])[:, :, None], batch[1])}, "`predict` must return logits"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_nothing_is_written(arguments, message, tmp_path):
    with pytest.raises(ConfigurationError, match=message):
        run(output=tmp_path / "audit", **arguments)
    assert not list(tmp_path.rglob("report*"))


def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_is_measured(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(Measurement, "__call__", lambda *_: pytest.fail("measured"))
    with pytest.raises(ConfigurationError, match="must be writable"):
        run(output=tmp_path / "file")


def test_a_checkpoint_that_needs_pickle_is_refused(tmp_path):
    torch.save(net(0), tmp_path / "a.ckpt")
    with pytest.raises(
        ConfigurationError, match="`original` must be a checkpoint that loads with `weights_only=True`"
    ):
        run(original=tmp_path / "a.ckpt")


def test_a_model_trained_on_other_samples_is_no_reference(tmp_path):
    """Of a folder of `compare`, for instance, which has the originals too."""
    stamp = Stamp(1, "{}", "0" * 64, retain_samples=60)
    torch.save({ENTRY: stamp.to_plain(), "state_dict": {}}, tmp_path / "a.ckpt")
    torch.save({}, tmp_path / "theirs.pt")
    check_stamps([tmp_path / "a.ckpt", str(tmp_path / "theirs.pt"), {}], 60)
    with pytest.raises(ConfigurationError, match=r"of 54 samples, found .*a.ckpt, trained on 60"):
        check_stamps([tmp_path / "theirs.pt", tmp_path / "a.ckpt"], 54)
