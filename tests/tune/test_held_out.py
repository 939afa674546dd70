"""Without a retrained model: the forget set beside samples of its kind that were never seen."""

import math

import lightning as L
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from torch.utils.data import DataLoader, TensorDataset

from lightning_unlearn import UnlearningError
from lightning_unlearn.tune._held_out import NUMBERS, FromHeldOut, beside_unseen, likeness, separation

scores = st.lists(st.integers(-3, 3), min_size=1, max_size=8)


@given(scores, scores)
def test_separation_is_that_of_the_area_under_the_curve(forget, unseen):
    """Ties included, which scikit-learn counts as one half too."""
    area = roc_auc_score([1] * len(forget) + [0] * len(unseen), forget + unseen)
    ours, theirs = (torch.tensor(scores, dtype=torch.float64) for scores in (forget, unseen))
    assert separation(ours, theirs, np.ones(len(unseen))) == pytest.approx(abs(2 * area - 1))


labelled = st.lists(st.tuples(st.integers(0, 2), st.integers(-3, 3)), min_size=1, max_size=8)


@given(labelled, labelled)
def test_weights_do_what_copies_would(forget, unseen):
    """Each unseen sample as often as makes its label's share that of the forget set."""
    ours, others = ([label for label, _ in side] for side in (forget, unseen))
    weights = likeness(torch.tensor(ours), torch.tensor(others))
    each = math.lcm(*range(1, 9))
    copies = [each * ours.count(label) // others.count(label) for label in others]
    assert weights * each == pytest.approx(copies)
    if any(copies):
        pairs = [
            (n, (a > b) + (a == b) / 2) for _, a in forget for (_, b), n in zip(unseen, copies, strict=True)
        ]
        area = sum(n * won for n, won in pairs) / sum(n for n, _ in pairs)
        scores = (
            torch.tensor([score for _, score in side], dtype=torch.float64) for side in (forget, unseen)
        )
        assert separation(*scores, weights) == pytest.approx(abs(2 * area - 1))


class Table(L.LightningModule):
    """Logits are what the sample holds."""

    def forward(self, rows):
        return rows


def loaders(**sides):
    made = {}
    for name, labelled in sides.items():
        labels = torch.tensor([label for label, _ in labelled])
        right = torch.tensor([score for _, score in labelled])
        rows = torch.zeros(len(labels), 4)
        rows[torch.arange(len(labels)), labels] = right  # above 0: predicted right, the higher the surer
        made[name] = DataLoader(TensorDataset(rows, labels), 2)
    return made


def test_a_class_is_beside_its_own_test_samples():
    given = loaders(
        forget=[(3, 2.0), (3, -1.0), (3, -2.0), (3, -3.0)],
        retain=[(0, 1.0), (1, 1.0), (2, -1.0)],
        test=[(3, 1.0), (3, -4.0), (0, 5.0), (1, -5.0)],
    )
    found = beside_unseen(Table(), given, None)
    assert found == pytest.approx(
        {
            "forget_accuracy": 0.25,
            "forget_target": 0.0,
            "separation": abs(2 * 5 / 8 - 1),  # of 8 pairs, the forget sample is the surer one in 5
            "retain_accuracy": 2 / 3,
            "test_accuracy": 0.5,  # of classes 0 and 1
        }
    )
    assert tuple(found) == NUMBERS
    distance = FromHeldOut()(found, {"test_accuracy": 0.8})
    assert distance == pytest.approx(100 * (0.25 + 0.25 + 0.3) / 3)


def test_half_of_a_hard_class_is_beside_unseen_samples_of_it():
    """The model treats both alike: that the class is hard is no sign of what it remembers."""
    given = loaders(
        forget=[(3, 1.0), (3, -1.0)],
        retain=[(3, 1.0), (0, 5.0)],
        test=[(3, 1.0), (3, -1.0), *[(0, 5.0)] * 8],
    )
    found = beside_unseen(Table(), given, None)
    assert (found["forget_target"], found["separation"]) == (0.5, 0.0)
    assert FromHeldOut()(found, {"test_accuracy": found["test_accuracy"]}) == 0.0


def test_single_samples_are_beside_the_whole_test_set():
    given = loaders(
        forget=[(0, 3.0), (1, 2.0)], retain=[(0, 1.0), (1, 1.0)], test=[(0, 1.0), (1, 1.0), (0, -1.0)]
    )
    found = beside_unseen(Table(), given, None)
    assert found["forget_target"] == pytest.approx(
        3 / 4
    )  # class 0 counts as often as class 1, and is half right
    assert found["separation"] == 1.0
    assert found["test_accuracy"] == pytest.approx(2 / 3)
    assert FromHeldOut()(found, {"test_accuracy": 2 / 3}) == pytest.approx(100 * (1 / 4 + 1) / 3)


def test_a_model_that_treats_them_alike_is_at_no_distance():
    rng = np.random.default_rng(0)
    samples = [
        (int(label), float(score))
        for label, score in zip(rng.integers(0, 3, 40), rng.normal(size=40), strict=True)
    ]
    given = loaders(forget=samples, retain=samples, test=samples)
    found = beside_unseen(Table(), given, None)
    assert FromHeldOut()(found, {"test_accuracy": found["test_accuracy"]}) == pytest.approx(0.0)


def test_without_a_sample_of_its_kind():
    given = loaders(forget=[(3, 1.0)], retain=[(0, 1.0)], test=[(0, 1.0)])
    with pytest.raises(UnlearningError, match="must have samples of the kind that is forgotten, found none"):
        beside_unseen(Table(), given, None)
