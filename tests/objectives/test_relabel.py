"""`Relabel`: never the true label, uniform over the others, keyed by (seed, step, row), any batch structure."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from scipy.stats import chisquare

from lightning_unlearn import ConfigurationError, Relabel
from lightning_unlearn.objectives import Context

C = 7


def context(**where):
    return Context(lambda batch: None, **where)


def draw(labels, seed=0, classes=C, **where):
    return Relabel(classes, seed=seed).relabelled((None, labels), context(**where))[1]


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16])
def test_never_the_true_label_and_always_a_label(classes, dtype):
    labels = (torch.arange(5000) % classes).to(dtype)
    for kind in ("random", "next"):
        wrong = Relabel(classes, kind=kind).relabelled((None, labels), context())[1]
        assert wrong.dtype == dtype
        assert (wrong != labels).all()
        assert wrong.min() == 0
        assert wrong.max() == classes - 1


def test_next_is_the_next_class():
    labels = torch.tensor([0, 3, 6])
    assert Relabel(C, kind="next").relabelled((None, labels), context())[1].tolist() == [1, 4, 0]


def test_uniform_over_the_other_classes():
    labels = torch.arange(C * 6000) % C
    wrong = draw(labels)
    for true in range(C):
        counts = torch.bincount(wrong[labels == true], minlength=C)
        assert counts[true] == 0
        assert chisquare(counts[counts > 0]).pvalue > 1e-3  # the seed is fixed: passes always or never


def test_steps_and_rows_are_independent():
    labels = torch.zeros(6000, dtype=torch.long)
    first, second = draw(labels, step=0), draw(labels, step=1)
    table = torch.bincount(first * C + second, minlength=C * C).reshape(C, C)[1:, 1:]
    assert chisquare(table.flatten()).pvalue > 1e-3
    neighbours = torch.bincount(first[:-1] * C + first[1:], minlength=C * C).reshape(C, C)[1:, 1:]
    assert chisquare(neighbours.flatten()).pvalue > 1e-3


def test_keyed_by_seed_and_step_and_nothing_else():
    labels = torch.arange(50) % C
    torch.manual_seed(1)
    one, state = draw(labels, step=3), torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(draw(labels, step=3), one)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(draw(labels, step=4), one)
    assert not torch.equal(draw(labels, step=3, seed=1), one)


@pytest.mark.parametrize("world_size", [1, 2, 4])
@pytest.mark.parametrize("micro_batches", [1, 2, 3])
def test_the_same_however_the_window_is_cut(world_size, micro_batches):
    labels = torch.arange(24) % C
    whole = draw(labels, step=5)
    pieces = torch.empty_like(labels)
    chunk = 24 // micro_batches
    for j in range(micro_batches):
        for rank in range(world_size):
            rows = torch.arange(24)[j * chunk : (j + 1) * chunk][rank::world_size]
            where = {"step": 5, "micro_batch": j, "rank": rank, "world_size": world_size}
            pieces[rows] = draw(labels[rows], **where)
    assert torch.equal(pieces, whole)


def test_a_longer_window_draws_the_same_for_the_first_rows():
    labels = torch.arange(24) % C
    assert torch.equal(draw(labels[:10]), draw(labels)[:10])


def test_pixels_have_labels_of_their_own():
    labels = torch.zeros(4, 30, 30, dtype=torch.long)
    wrong = draw(labels)
    assert wrong.shape == labels.shape
    assert all(len(image.unique()) == C - 1 for image in wrong)
    assert torch.equal(
        wrong[1::2], Relabel(C).relabelled((None, labels[:2]), context(rank=1, world_size=2))[1]
    )


# ---- batch structures ------------------------------------------------------------------------------------------
@dataclass
class Batch:
    x: torch.Tensor
    y: torch.Tensor


@dataclass(frozen=True)
class Frozen:
    x: torch.Tensor
    y: torch.Tensor


class Plain:
    def __init__(self, x, y):
        self.x, self.y = x, y


class Named(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor


X, Y = torch.randn(3, 2), torch.tensor([0, 3, 6])
STRUCTURES = {
    "tuple": ((X, Y), 1, lambda b: (b[0], b[1])),
    "tuple from its end": ((X, Y), -1, lambda b: (b[0], b[1])),
    "list": ([Y, X], 0, lambda b: (b[1], b[0])),
    "dict": ({"x": X, "y": Y}, "y", lambda b: (b["x"], b["y"])),
    "ordered dict": (OrderedDict(y=Y, x=X), "y", lambda b: (b["x"], b["y"])),
    "dict with integer keys": ({0: X, 1: Y}, 1, lambda b: (b[0], b[1])),
    "dataclass": (Batch(X, Y), "y", lambda b: (b.x, b.y)),
    "frozen dataclass": (Frozen(X, Y), "y", lambda b: (b.x, b.y)),
    "any object": (Plain(X, Y), "y", lambda b: (b.x, b.y)),
    "named tuple by position": (Named(X, Y), 1, lambda b: (b.x, b.y)),
    "named tuple by name": (Named(X, Y), "y", lambda b: (b.x, b.y)),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_copy_has_the_structure_of_the_batch(name):
    batch, labels, read = STRUCTURES[name]
    changed = Relabel(C, labels=labels, kind="next").relabelled(batch, context())
    assert type(changed) is type(batch)
    x, y = read(changed)
    assert x is X
    assert y.tolist() == [1, 4, 0]
    assert read(batch)[1] is Y
    assert Y.tolist() == [0, 3, 6]


def test_the_loss_is_the_training_loss_of_the_relabelled_batch():
    seen = []
    where = Context(lambda batch: seen.append(batch) or torch.tensor(4.0))
    assert Relabel(C, kind="next").loss(torch.nn.Identity(), (X, Y), where) == 4
    assert seen[0][1].tolist() == [1, 4, 0]


@pytest.mark.parametrize(
    ("batch", "labels", "found"),
    [
        ((X, Y), 2, r"at 2 in a tuple of length 2"),
        ((X, Y), "y", r"at 'y' in a tuple of length 2"),
        ([X], 1, r"at 1 in a list of length 1"),
        ({"x": X}, "y", r"at 'y' in a dict\."),
        ({"x": X, "y": Y}, 1, r"at 1 in a dict\."),
        (Batch(X, Y), "z", r"at 'z' in a Batch\."),
        (Batch(X, Y), 1, r"at 1 in a Batch\."),
        ((X, Y.float()), 1, r"at 1 in a tuple"),
        ((X, [0, 3, 6]), 1, r"at 1 in a tuple"),
    ],
)
def test_labels_that_are_not_there(batch, labels, found):
    message = "`labels` must say where a batch keeps its integer labels.*" + found + ".*Pass an index"
    with pytest.raises(ConfigurationError, match=message):
        Relabel(C, labels=labels).relabelled(batch, context())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 1}, "`num_classes` must be at least 2, found 1"),
        ({"num_classes": 0}, "`num_classes` must be a positive integer, found 0"),
        ({"num_classes": -3}, "`num_classes` must be a positive integer, found -3"),
        ({"num_classes": 3.0}, "`num_classes` must be a positive integer, found 3.0"),
        ({"num_classes": "3"}, "`num_classes` must be a positive integer, found '3'"),
        ({"num_classes": 3, "kind": "uniform"}, '`kind` must be "random" or "next", found \'uniform\''),
        ({"num_classes": 3, "seed": -1}, "`seed` must be"),
        ({"num_classes": 3, "seed": 0.5}, "`seed` must be"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        Relabel(**arguments)
