"""What is forgotten: masks, indices, classes, fractions, datasets; and what is refused."""

import re

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from lightning_unlearn.data import UnlearningDataModule
from lightning_unlearn.data._labels import labels_of
from lightning_unlearn.errors import ConfigurationError

N = 10
TRAIN = TensorDataset(torch.arange(float(N)), torch.arange(N) % 3)


class Labelled(Dataset):
    """Has a length and whatever attributes it is given."""

    def __init__(self, length=N, **attributes):
        self.length = length
        self.__dict__.update(attributes)

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return index


class Endless(IterableDataset):
    def __iter__(self):
        return iter([])


class Lengthless(Dataset):
    def __getitem__(self, index):
        return index


def mask_of(*indices):
    mask = torch.zeros(N, dtype=torch.bool)
    mask[list(indices)] = True
    return mask


@pytest.mark.parametrize(
    "forget",
    [
        mask_of(1, 4),
        mask_of(1, 4).numpy(),
        mask_of(1, 4).tolist(),
        torch.tensor([4, 1]),
        torch.tensor([1, 4], dtype=torch.uint8),
        np.array([4, 1], dtype=np.uint16),
        [4, 1],
        (4, 1),
        range(1, 5, 3),
    ],
    ids=lambda forget: f"{type(forget).__name__}-{getattr(forget, 'dtype', len(forget))}",
)
def test_masks_and_indices_of_any_kind_name_the_same_samples(forget):
    data = UnlearningDataModule(TRAIN, forget=forget)
    assert data.forget_indices.tolist() == [1, 4]
    assert data.forget_indices.dtype == torch.int64
    assert [int(x) for x, _ in data.forget_set] == [1, 4]
    assert [int(x) for x, _ in data.retain_set] == [0, 2, 3, 5, 6, 7, 8, 9]


def test_with_two_datasets_nothing_is_split():
    forget = TensorDataset(torch.zeros(2))
    data = UnlearningDataModule(TRAIN, forget=forget)
    assert data.retain_set is TRAIN
    assert data.forget_set is forget
    assert data.forget_indices is None


@pytest.mark.parametrize(("forget_class", "expected"), [(1, [1, 4, 7]), ([0, 1], [0, 1, 3, 4, 6, 7, 9])])
def test_forgetting_classes_takes_all_their_samples(forget_class, expected):
    data = UnlearningDataModule(TRAIN, forget_class=forget_class)
    assert data.forget_indices.tolist() == expected
    assert data.forget_class == forget_class


def test_a_fraction_is_drawn_by_the_seed_and_not_by_the_global_stream():
    before = torch.get_rng_state()
    drawn = [UnlearningDataModule(TRAIN, forget_fraction=0.5, seed=seed).forget_indices for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), before)
    assert len(drawn[0]) == 5
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize(
    "dataset",
    [
        Labelled(3, targets=[2, 0, 1]),
        Labelled(3, labels=np.array([2, 0, 1], dtype=np.uint8)),
        Labelled(3, y=torch.tensor([2, 0, 1])),
        Labelled(3, targets=[torch.tensor(2), torch.tensor(0), torch.tensor(1)]),
        Labelled(3, targets=torch.rand(3), labels=[2, 0, 1]),
        TensorDataset(torch.tensor([2, 0, 1]), torch.rand(3)),
        TensorDataset(torch.zeros(3, dtype=torch.long), torch.tensor([2, 0, 1]), torch.zeros(3, 2)),
        Subset(Subset(Labelled(5, targets=[9, 1, 0, 9, 2]), [4, 3, 2, 1]), [0, 2, 3]),
    ],
)
def test_labels_are_found(dataset):
    labels = labels_of(dataset)
    assert labels.dtype == torch.int64
    assert labels.tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    "dataset",
    [
        Labelled(),
        Labelled(targets=[0.5] * N),
        Labelled(targets=[0, 1]),
        Labelled(targets=["cat"] * N),
        Labelled(targets=[[0, 1], [2]]),
        Labelled(y=lambda: [0] * N),
        Subset(Labelled(), [0]),
        TensorDataset(torch.rand(N), torch.zeros(N, dtype=torch.bool)),
    ],
)
def test_what_is_not_an_integer_a_sample_is_no_label(dataset):
    assert labels_of(dataset) is None


HUNDRED = Labelled(200, targets=list(range(100)) * 2)
REFUSED = {
    "nothing": ({}, "exactly one of them, found none."),
    "two": ({"forget": [1], "forget_class": 1}, "found `forget` and `forget_class`."),
    "empty list": ({"forget": []}, "The forget set must hold at least one sample, found 0."),
    "empty mask": ({"forget": mask_of()}, "The forget set must hold at least one sample, found 0."),
    "everything": ({"forget": list(range(N))}, "The retain set must hold at least one sample, found 0"),
    "every class": ({"forget_class": [0, 1, 2]}, "The retain set must hold at least one sample, found 0"),
    "out of range": ({"forget": [3, 10]}, "`forget` must hold indices from 0 to 9, found 10."),
    "negative": ({"forget": [-1]}, "`forget` must hold indices from 0 to 9, found -1."),
    "repeated": ({"forget": [3, 3]}, "`forget` must hold distinct indices, found 3 repeated."),
    "mask of integers": ({"forget": mask_of(1).to(torch.uint8)}, "a mask must be boolean"),
    "short mask": (
        {"forget": [True, False]},
        "`forget` must be a mask as long as the training data (10), found length 2.",
    ),
    "float mask": ({"forget": mask_of(1).float()}, "found Tensor, torch.float32 of shape (10,)."),
    "bfloat16 mask": ({"forget": mask_of(1).bfloat16()}, "found Tensor, torch.bfloat16 of shape (10,)."),
    "mask of two dimensions": ({"forget": torch.zeros(2, 5).bool()}, "torch.bool of shape (2, 5)."),
    "ragged list": ({"forget": [[1], [2, 3]]}, "`forget` must be a boolean mask or integer indices"),
    "words": ({"forget": ["a"]}, "`forget` must be a boolean mask or integer indices"),
    "a number": ({"forget": 3}, "`forget` must be a boolean mask or integer indices"),
    "empty dataset": ({"forget": TensorDataset(torch.zeros(0))}, "`forget` must hold at least one sample"),
    "endless dataset": ({"forget": Endless()}, "`forget` must be a map-style dataset"),
    "class without labels": ({"train": Labelled(), "forget_class": 1}, "Pass `forget=` with a boolean mask"),
    "unknown class": (
        {"forget_class": [1, 7]},
        "`forget_class` must be among the labels of the training data (0, 1, 2), found 7.",
    ),
    "unknown among many": ({"train": HUNDRED, "forget_class": 100}, "8, 9, … 100 in all), found 100."),
    "no class": ({"forget_class": []}, "`forget_class` must be an integer or a list of integers, found []."),
    "class by name": ({"forget_class": "cat"}, "`forget_class` must be an integer or a list of integers"),
    "class by truth": ({"forget_class": True}, "`forget_class` must be an integer or a list of integers"),
    "fraction 0": ({"forget_fraction": 0.0}, "both excluded, found 0.0."),
    "fraction 1": ({"forget_fraction": 1}, "both excluded, found 1."),
    "fraction not a number": ({"forget_fraction": float("nan")}, "both excluded, found nan."),
    "fraction of nothing": ({"forget_fraction": 0.01}, "at least 1 and at most 9 of 10 samples, found 0.01"),
    "fraction of everything": ({"forget_fraction": 0.99}, "found 0.99, which picks 10."),
    "batch size 0": ({"forget": [1], "batch_size": 0}, "`batch_size` must be an integer of at least 1"),
    "batch size 2.0": ({"forget": [1], "batch_size": 2.0}, "at least 1, found 2.0."),
    "batch size True": ({"forget": [1], "batch_size": True}, "at least 1, found True."),
    "forget batch size": ({"forget": [1], "forget_batch_size": -1}, "`forget_batch_size` must be an integer"),
    "workers": ({"forget": [1], "num_workers": -1}, "`num_workers` must be an integer of at least 0"),
    "seed": ({"forget": [1], "seed": None}, "`seed` must be an integer of at least 0, found None."),
    "epoch": ({"forget": [1], "epoch": "both"}, '`epoch` must be "retain" or "forget", found \'both\'.'),
    "endless": ({"train": Endless(), "forget": [1]}, "`train` must be a map-style dataset with `__len__`"),
    "lengthless": ({"train": Lengthless(), "forget": [1]}, "`train` must be a map-style dataset"),
    "empty": ({"train": TensorDataset(torch.zeros(0)), "forget": [1]}, "`train` must hold at least one"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        UnlearningDataModule(**{"train": TRAIN, **arguments})
    assert "!" not in str(caught.value)
    assert "found" in str(caught.value)


def test_a_dataset_need_not_be_of_torch():
    class Plain:
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return index

    data = UnlearningDataModule(Plain(), forget=Plain())
    assert data.forget_indices is None


def test_anything_that_turns_into_an_array_is_a_selection():
    column = type("Column", (), {"__array__": lambda self, dtype=None, copy=None: np.array([4, 1])})()
    assert UnlearningDataModule(TRAIN, forget=column).forget_indices.tolist() == [1, 4]
