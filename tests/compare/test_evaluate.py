"""The four numbers of a model, by loops over samples."""

import math

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from lightning_unlearn import UnlearningError
from lightning_unlearn.compare._evaluate import evaluate
from lightning_unlearn.metrics.functional import membership_auc, mia_efficacy

SIDES = ("forget", "retain", "test")


class Known(L.LightningModule):
    """Its inputs are its logits."""

    def forward(self, inputs):
        return inputs


def samples(count, classes, seed, *more):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, 4, *more, generator=generator)
    labels = torch.tensor(classes)[torch.randint(len(classes), (count, *more), generator=generator)]
    return logits, labels


def loaders(**sides):
    return {name: DataLoader(TensorDataset(*pair), 7) for name, pair in sides.items()}


def share_right(logits, labels):
    right = [
        bool(max(range(4), key=lambda c, row=row: row[c]) == y) for row, y in zip(logits, labels, strict=True)
    ]
    return sum(right) / len(right)


def gap(logits, labels):
    """`log(p / (1 - p))` of the label's probability."""
    gaps = []
    for row, label in zip(logits.double(), labels, strict=True):
        p = math.exp(row[label]) / sum(map(math.exp, row))
        gaps.append(math.log(p / (1 - p)))
    return torch.tensor(gaps)


def expected(forget, retain, test, seed):
    familiar = [
        1.0 if ours > theirs else 0.5 if ours == theirs else 0.0
        for ours in gap(*forget)
        for theirs in gap(*test)
    ]
    attack = mia_efficacy(gap(*retain), gap(*test), gap(*forget), seed=seed)
    accuracies = [share_right(*side) for side in (forget, retain, test)]
    return [*accuracies, sum(familiar) / len(familiar), float(attack)]


def values(evaluation):
    return [evaluation[f"{side}_accuracy"] for side in SIDES] + [
        evaluation["membership"],
        evaluation["mia_efficacy"],
    ]


def test_single_samples_are_compared_with_the_whole_test_set():
    sides = {
        "forget": samples(30, [0, 3], 1),
        "retain": samples(50, [0, 1, 2], 2),
        "test": samples(40, [0, 1, 2, 3], 3),
    }
    found = evaluate(Known(), loaders(**sides), None, [5, 6], None)
    assert [evaluation["seed"] for evaluation in found] == [5, 6]
    for evaluation in found:
        assert values(evaluation) == pytest.approx(expected(**sides, seed=evaluation["seed"]))


def test_a_class_is_compared_with_test_samples_of_the_others():
    sides = {
        "forget": samples(30, [0, 3], 1),
        "retain": samples(50, [1, 2], 2),
        "test": samples(40, [0, 1, 2, 3], 3),
    }
    [evaluation] = evaluate(Known(), loaders(**sides), None, [1], None)
    logits, labels = sides["test"]
    kept = (labels == 1) | (labels == 2)
    assert 0 < kept.sum() < 40
    assert values(evaluation) == pytest.approx(
        expected(**sides | {"test": (logits[kept], labels[kept])}, seed=1)
    )
    assert values(evaluation) != pytest.approx(expected(**sides, seed=1))


def test_the_attacker_learns_from_no_more_samples_than_it_may_whatever_their_order():
    sides = {
        "forget": samples(30, [0, 1], 1),
        "retain": samples(90, [0, 1], 2),
        "test": samples(80, [0, 1], 3),
    }
    seeds = range(12)
    few = evaluate(Known(), loaders(**sides), None, seeds, 8)
    many = evaluate(Known(), loaders(**sides), None, seeds, 80)
    assert many == evaluate(Known(), loaders(**sides), None, seeds, None)
    accuracies = [values(evaluation)[:4] for evaluation in (*few, *many)]
    assert all(row == accuracies[0] for row in accuracies)
    drawn = [evaluation["mia_efficacy"] for evaluation in few]
    assert len(set(drawn)) > 4
    order = torch.randperm(80)
    logits, labels = sides["test"]
    shuffled = evaluate(Known(), loaders(**sides | {"test": (logits[order], labels[order])}), None, seeds, 8)
    assert [evaluation["mia_efficacy"] for evaluation in shuffled] == drawn


def test_samples_with_several_labels_count_once_each():
    sides = {name: samples(20, [0, 1, 2, 3], seed, 5) for seed, name in enumerate(SIDES)}
    [evaluation] = evaluate(Known(), loaders(**sides), None, [1], None)
    flat = {name: (logits.movedim(1, 2).flatten(0, 1), y.flatten()) for name, (logits, y) in sides.items()}
    assert values(evaluation)[:3] == pytest.approx([share_right(*flat[name]) for name in SIDES])
    mean_gaps = [gap(*flat[name]).reshape(20, 5).mean(1) for name in ("retain", "test", "forget")]
    _, test, forget = mean_gaps
    assert evaluation["membership"] == pytest.approx(float(membership_auc(forget, test)))
    assert evaluation["mia_efficacy"] == pytest.approx(float(mia_efficacy(*mean_gaps, seed=1)))


def test_a_predict_of_ones_own_is_asked():
    sides = {name: samples(20, [0, 1], seed) for seed, name in enumerate(SIDES)}
    [evaluation] = evaluate(Known(), loaders(**sides), lambda _, batch: (-batch[0], batch[1]), [1], None)
    assert evaluation["forget_accuracy"] == pytest.approx(
        share_right(-sides["forget"][0], sides["forget"][1])
    )


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_answers_that_are_no_numbers_are_refused(value):
    sides = {name: samples(20, [0, 1], seed) for seed, name in enumerate(SIDES)}
    sides["retain"][0][3, 2] = value
    with pytest.raises(UnlearningError, match="found some on the retain set that are not"):
        evaluate(Known(), loaders(**sides), None, [1], None)


def test_a_class_that_is_masked_out_is_an_answer():
    sides = {name: samples(20, [0, 1], seed) for seed, name in enumerate(SIDES)}
    for logits, _ in sides.values():
        logits[:, 3] = -torch.inf
    [evaluation] = evaluate(Known(), loaders(**sides), None, [1], None)
    assert all(0 <= value <= 1 for value in values(evaluation))


def test_a_test_set_of_nothing_but_what_is_forgotten_is_refused():
    sides = {"forget": samples(9, [3], 1), "retain": samples(9, [1, 2], 2), "test": samples(9, [3], 3)}
    with pytest.raises(UnlearningError, match="must have samples of classes that are retained"):
        evaluate(Known(), loaders(**sides), None, [1], None)
