"""The chain of deletion requests: what is deleted stays deleted, and each request starts where the last one ended."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from examples import _deletions
from examples._deletions import Requests, Settings, after_each, answer, at_the_end
from examples._deletions_figure import draw
from lightning_unlearn import FineTune, GradientAscent
from lightning_unlearn.demo import DigitClassifier, Digits

SETTINGS = Settings(samples=5, epochs=1, batch_size=64, steps=2, retain_batch_size=16, lr=0.05, alpha=1.0)
# the classifier can validate, but nothing is validated here
pytestmark = pytest.mark.filterwarnings("ignore:.*no `val_dataloader`:UserWarning")


@pytest.fixture(scope="module")
def requests():
    return Requests(Digits(), Digits(train=False), count=4, samples=5, seed=3)


def test_requests_are_distinct_and_what_is_left_is_the_rest(requests):
    deleted = requests.forgotten.flatten().tolist()
    assert len(set(deleted)) == 20
    for number in range(5):
        left = requests.left_after(number).tolist()
        assert sorted(left + deleted[: 5 * number]) == list(range(1347))
    again, other = (Requests(Digits(), Digits(train=False), 4, 5, seed) for seed in (3, 4))
    assert torch.equal(again.forgotten, requests.forgotten)
    assert not torch.equal(other.forgotten, requests.forgotten)


def test_held_out_and_reported_samples_are_the_halves_of_the_test_set(requests):
    rows = [
        [tuple(image.flatten().tolist()) for image in part[0]] for part in (requests.held_out, requests.test)
    ]
    assert len(rows[0]) == len(rows[1]) == 225
    assert sorted(rows[0] + rows[1]) == sorted(
        tuple(i.flatten().tolist()) for i in Digits(train=False).images
    )


def test_each_request_sees_its_own_samples_and_nothing_that_was_deleted_before(
    requests, tmp_path, monkeypatch
):
    seen = []
    genuine = _deletions.UnlearningDataModule

    def spy(retain, *, forget, **options):
        seen.append((set(retain.indices), set(forget.indices)))
        return genuine(retain, forget=forget, **options)

    monkeypatch.setattr(_deletions, "UnlearningDataModule", spy)
    list(answer(DigitClassifier(), requests, SETTINGS, lambda path: FineTune(), tmp_path / "none.ckpt", 0))
    assert [forget for _, forget in seen] == [set(request.tolist()) for request in requests.forgotten]
    deleted = set()
    for retain, forget in seen:
        deleted |= forget
        assert retain == set(range(1347)) - deleted


def test_each_request_starts_where_the_one_before_has_ended(requests, tmp_path):
    original = DigitClassifier()
    before = {name: value.clone() for name, value in original.state_dict().items()}
    paths, biases = [], []

    def make(path):
        paths.append(path.name)
        return GradientAscent(batch_norm="eval")

    for module, seconds in answer(original, requests, SETTINGS, make, tmp_path / "original.ckpt", 0):
        assert seconds > 0
        ended = {name: value.clone() for name, value in module.state_dict().items()}
        with torch.no_grad():  # more than four steps do
            module.net[-1].bias += 10
        biases.append(module.net[-1].bias.mean().item())
    assert biases == pytest.approx([10, 20, 30, 40], abs=1)
    assert paths == ["original.ckpt", "so-far.ckpt", "so-far.ckpt", "so-far.ckpt"]
    assert all(torch.equal(value, before[name]) for name, value in original.state_dict().items())
    saved = torch.load(tmp_path / "so-far.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, saved[name]) for name, value in ended.items())


def test_the_numbers_at_the_end_are_those_of_a_plain_loop(requests):
    torch.manual_seed(5)
    module = DigitClassifier(width=4).eval()
    row = at_the_end(module, requests)
    train = Digits()

    def look(indices, data):
        with torch.no_grad():
            logits = np.array([module(data.images[i][None])[0].double().numpy() for i in indices])
        labels = data.targets[indices].numpy()
        exponentials = np.exp(logits)
        shares = exponentials / exponentials.sum(1, keepdims=True)
        own = shares[np.arange(len(labels)), labels]
        return (logits.argmax(1) == labels).mean(), -np.log(own).mean(), np.log(own / (1 - own))

    images, labels = requests.test
    unseen = look(range(len(labels)), SimpleNamespace(images=images, targets=labels))
    assert row["test"] == pytest.approx(unseen[0], abs=1e-6)
    assert row["retain"] == pytest.approx(look(requests.left_after(4).tolist(), train)[0], abs=1e-6)
    for name, chosen in (("first", requests.forgotten[:1]), ("all", requests.forgotten)):
        right, loss, gaps = look(chosen.flatten().tolist(), train)
        assert row[f"{name}: right"] == pytest.approx(right, abs=1e-6)
        assert row[f"{name}: loss"] == pytest.approx(loss, abs=1e-5)
        wins = [(gap > other) + (gap == other) / 2 for gap in gaps for other in unseen[2]]
        assert row[f"{name}: membership"] == pytest.approx(np.mean(wins), abs=1e-4)
    part = after_each(module, requests, 2)
    assert part["deleted so far"] == pytest.approx(
        look(requests.forgotten[:2].flatten().tolist(), train)[0], abs=1e-6
    )


def test_the_picture_is_drawn(tmp_path):
    course = [{"retain": 1.0, "test": 0.9, "deleted so far": 0.95}] * 4
    final = {"retain": 1.0, "test": 0.9, "all: right": 0.9, "course": []}
    runs = [{"retrained": final, "fine-tuning": final | {"course": course}}] * 2
    draw(runs, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[1:4] == b"PNG"


def test_settings_say_what_they_are():
    text = " ".join(Settings.__doc__.split())
    for field in dataclasses.fields(Settings):
        assert f"{field.name}" in text
