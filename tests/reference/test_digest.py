"""The digest of a data set: the same for the same samples, another one for anything else."""

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import Subset, TensorDataset

from lightning_unlearn import ConfigurationError
from lightning_unlearn.reference import data_digest
from tests.reference._modules import Noisy, samples


@dataclasses.dataclass
class Record:
    image: torch.Tensor
    label: int


# every two of them differ
DIFFERENT = [
    *(torch.zeros(2), torch.zeros(2, 1), torch.zeros(1, 2), torch.zeros(2).double(), torch.zeros(3)),
    *(torch.zeros(2, dtype=torch.bfloat16), torch.tensor([0.0, -0.0]), torch.zeros(2, dtype=torch.complex64)),
    *(torch.tensor(0), torch.tensor([]), torch.zeros(2, dtype=torch.bool), np.zeros(2, np.float32)),
    *(np.zeros(2), np.zeros(2, ">f8"), np.float64(0), np.str_("0"), 0, 0.0, -0.0, False, None, "0", b"0", 0j),
    *([0], [0, 0], [[0], 0], [], {}, {"a": 0}, {"b": 0}, {"a": 0, "b": 0}, {0: "a"}, {"a": [0]}, Path("0")),
    *(Record(torch.zeros(2), 0), Record(torch.zeros(2), 1), Image.new("L", (2, 3)), Image.new("L", (3, 2))),
    *(Image.new("L", (2, 3), 1), Image.new("RGB", (2, 1)), float("nan"), float("inf"), 1, True, "1"),
]


def test_different_samples_have_different_digests():
    digests = [data_digest([sample]) for sample in DIFFERENT]
    assert len(set(digests)) == len(DIFFERENT)
    assert digests == [data_digest([sample]) for sample in DIFFERENT]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (torch.arange(6.0).reshape(2, 3).T, torch.arange(6.0).reshape(2, 3).T.contiguous()),
        (torch.zeros(2, requires_grad=True), torch.zeros(2)),
        (np.arange(6).reshape(2, 3).T, np.ascontiguousarray(np.arange(6).reshape(2, 3).T)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ((1, 2), [1, 2]),
        (torch.tensor(float("nan")), torch.tensor(float("nan"))),
    ],
)
def test_what_is_the_same_has_the_same_digest(one, other):
    assert data_digest([one]) == data_digest([other])


@given(st.lists(st.tuples(st.integers(), st.text(max_size=3)), min_size=1, max_size=12), st.randoms())
def test_the_order_does_not_matter_and_everything_else_does(content, source):
    shuffled = source.sample(content, len(content))
    assert data_digest(shuffled) == data_digest(content)
    assert data_digest([*content, content[0]]) != data_digest(content)
    changed = [*content[1:], (content[0][0] + 1, content[0][1])]
    assert data_digest(changed) != data_digest(content)


def test_a_label_that_moves_to_another_sample_is_seen():
    inputs, labels = samples().tensors
    assert data_digest(TensorDataset(inputs, labels.roll(1))) != data_digest(samples())


def test_augmentation_by_the_global_streams_gives_the_same_digest_and_leaves_them_alone():
    random.seed(3), np.random.seed(4), torch.manual_seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    digest = data_digest(Noisy(samples()))
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
    torch.rand(3)
    assert data_digest(Subset(Noisy(samples()), range(35, -1, -1))) == digest
    assert data_digest(samples()) != digest


class Restless:
    """Augmented by a generator of its own."""

    generator = np.random.default_rng(0)

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return self.generator.random()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            Restless(),
            "A sample must be the same whenever it is read, found sample 0 to differ",
        ),
        ([{"a": [object()]}], "found object in sample 0, key 'a'. Pass `data_key`"),
        ([torch.zeros(2).to_sparse()], "found Tensor in sample 0"),
        ([np.array([None])], "found ndarray in sample 0"),
    ],
)
def test_what_has_no_digest_is_refused_with_the_way_out(data, message):
    with pytest.raises(ConfigurationError) as caught:
        data_digest(data)
    assert message in str(caught.value)
    assert "`data_key`" in str(caught.value)
