"""Input vectors of layers are the patches that explicit loops find, and their products with the weight are the outputs."""

import numpy as np
import pytest
import torch
from torch import nn

from lightning_unlearn.subspaces import InputProducts, input_vectors, layers_by_weight, shape_of
from tests.subspaces._im2col import patches

CONVOLUTIONS = {
    "plain": lambda: nn.Conv2d(4, 6, 3),
    "strided": lambda: nn.Conv2d(4, 6, 3, stride=(2, 3)),
    "dilated": lambda: nn.Conv2d(4, 6, (3, 2), dilation=(2, 1)),
    "padded": lambda: nn.Conv2d(4, 6, 3, padding=(1, 2), stride=2),
    "grouped": lambda: nn.Conv2d(4, 6, 3, groups=2, stride=2, padding=1),
    "depthwise": lambda: nn.Conv2d(4, 8, 3, groups=4, dilation=2),
    "same": lambda: nn.Conv2d(4, 6, (3, 4), padding="same", dilation=(2, 1)),
    "valid": lambda: nn.Conv2d(4, 6, 3, padding="valid"),
    "reflect": lambda: nn.Conv2d(4, 6, 3, padding=2, padding_mode="reflect", stride=2),
    "replicate": lambda: nn.Conv2d(4, 6, 3, padding=(2, 1), padding_mode="replicate"),
    "circular": lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular", groups=2),
    "one-dimensional": lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2),
    "three-dimensional": lambda: nn.Conv3d(
        4, 6, (2, 3, 1), stride=(2, 1, 2), padding=(1, 1, 0), dilation=(1, 2, 1)
    ),
}
every_convolution = pytest.mark.parametrize("name", CONVOLUTIONS)


def image(layer, samples=3, seed=0):
    size = {1: (9,), 2: (8, 7), 3: (5, 6, 5)}[len(layer.kernel_size)]
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(samples, 4, *size, generator=stream, dtype=torch.float64)


@every_convolution
def test_the_vectors_of_a_convolution_are_its_patches(name):
    layer = CONVOLUTIONS[name]()
    inputs = image(layer)
    np.testing.assert_array_equal(input_vectors(layer, inputs).numpy(), patches(layer, inputs.numpy()))


@every_convolution
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_the_weight_times_the_vectors_is_the_output(name):
    layer = CONVOLUTIONS[name]().double()
    inputs = image(layer)
    groups, length = shape_of(layer)
    weight = layer.weight.detach().reshape(groups, -1, length)
    made = weight @ input_vectors(layer, inputs).mT  # (groups, out / groups, samples · positions)
    expected = (layer(inputs) - layer.bias.reshape(-1, *[1] * (inputs.ndim - 2))).detach()
    flat = expected.movedim(1, 0).flatten(1).reshape(made.shape)
    torch.testing.assert_close(made, flat, rtol=0, atol=1e-13)


@every_convolution
def test_the_sums_of_a_convolution_are_those_of_its_patches(name):
    layer = CONVOLUTIONS[name]()
    inputs = image(layer).float()
    rows = patches(layer, inputs.numpy()).astype(np.float64)
    with InputProducts(layer) as products, torch.no_grad():
        layer(inputs)
    found = products.sums["weight"]
    np.testing.assert_allclose(found.numpy(), np.einsum("gnd,gne->gde", rows, rows), rtol=0, atol=1e-12)


def test_a_dilated_convolution_is_not_unfolded_as_a_dense_one():
    dense, dilated = nn.Conv2d(4, 6, 3), nn.Conv2d(4, 6, 3, dilation=2)
    inputs = image(dense)
    assert input_vectors(dense, inputs).shape != input_vectors(dilated, inputs).shape


@pytest.mark.parametrize("shape", [(5,), (7, 5), (3, 4, 5), (2, 3, 4, 5)])
def test_a_linear_layer_takes_any_rank(shape):
    inputs = torch.randn(shape)
    assert torch.equal(input_vectors(nn.Linear(5, 2), inputs)[0], inputs.reshape(-1, 5))


def test_a_convolution_takes_a_single_sample():
    layer = nn.Conv2d(4, 6, 3, groups=2)
    inputs = image(layer)
    assert torch.equal(input_vectors(layer, inputs[0]), input_vectors(layer, inputs[:1]))


@pytest.mark.parametrize("name", ["padded", "grouped", "one-dimensional", "three-dimensional"])
def test_chosen_positions_are_some_of_all_and_the_same_for_every_sample(name):
    layer = CONVOLUTIONS[name]()
    inputs = image(layer)
    everything = input_vectors(layer, inputs)
    groups, count, length = everything.shape
    by_sample = everything.reshape(groups, 3, count // 3, length)
    some = input_vectors(layer, inputs, positions=4).reshape(groups, 3, 4, length)
    where = (some[0, 0][:, None] == by_sample[0, 0][None]).all(-1).int().argmax(1)
    assert len(set(where.tolist())) == 4
    assert torch.equal(some, by_sample[:, :, where])
    assert torch.equal(input_vectors(layer, inputs, positions=10**6), everything)


def test_chosen_positions_are_in_many_rows_and_columns():
    marked = torch.arange(1024.0).reshape(1, 1, 32, 32)
    chosen = input_vectors(nn.Conv2d(1, 1, 1), marked, positions=16).flatten().long()
    assert len({int(i) // 32 for i in chosen}) >= 10
    assert len({int(i) % 32 for i in chosen}) >= 10


def test_chosen_positions_of_a_sequence():
    inputs = torch.randn(2, 10, 5)
    some = input_vectors(nn.Linear(5, 1), inputs, positions=3).reshape(2, 3, 5)
    assert all(
        any(torch.equal(row, other) for other in own)
        for own, rows in zip(inputs, some, strict=True)
        for row in rows
    )


# ---- sums over a network -----------------------------------------------------------------------------------------
class Reuses(nn.Module):
    """A layer that is used twice, two that share a weight, one by keyword, one that is not used."""

    def __init__(self):
        super().__init__()
        self.twice, self.left, self.right = nn.Linear(3, 3), nn.Linear(3, 2), nn.Linear(3, 2)
        self.right.weight = self.left.weight
        self.named, self.unused = nn.Linear(2, 2), nn.Linear(2, 2)
        self.embedding, self.tied = nn.Embedding(4, 2), nn.Linear(2, 4)
        self.tied.weight = self.embedding.weight
        self.normed = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
        self.again = self.twice

    def forward(self, x):
        y = self.again(self.twice(x))
        z = self.left(x) + self.right(y)
        return self.tied(self.normed(self.named(input=z)))


def test_every_use_of_a_weight_counts():
    module, x = Reuses().double(), torch.randn(6, 3, dtype=torch.float64)
    with InputProducts(module) as products, torch.no_grad():
        module(x)
    found = products.sums
    with torch.no_grad():
        y = module.twice(x)
        z = module.left(x) + module.right(module.twice(y))
    expected = {
        "twice.weight": x.T @ x + y.T @ y,
        "left.weight": x.T @ x + module.twice(y).T @ module.twice(y),
        "named.weight": z.T @ z,
        "unused.weight": torch.zeros(2, 2),
    }
    assert found.keys() == expected.keys()
    for name, block in expected.items():
        torch.testing.assert_close(found[name][0], block.detach().double(), rtol=0, atol=1e-12)


def test_a_weight_that_not_only_a_layer_uses_is_left_out():
    assert set(layers_by_weight(Reuses())) == {"twice.weight", "left.weight", "named.weight", "unused.weight"}


def test_what_is_not_finite_counts_as_zero():
    layer = nn.Linear(3, 1).double()
    x = torch.tensor([[1.0, float("nan"), 2.0], [float("inf"), 1.0, 0.0]]).double()
    with InputProducts(layer) as products:
        assert not layer(x).isfinite().any()  # the module itself sees what it is given
    found = products.sums["weight"][0]
    clean = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]).double()
    assert torch.equal(found, clean.T @ clean)


def test_no_hook_is_left_after_an_exception():
    layer = nn.Linear(2, 1)

    with pytest.raises(RuntimeError), InputProducts(layer):
        layer(torch.zeros(1, 3))
    assert not layer._forward_pre_hooks


def test_a_batch_larger_than_a_block_is_summed_in_blocks(monkeypatch):
    layer = nn.Conv2d(4, 6, 3)
    inputs = image(layer, samples=7)
    ends = []
    for size in (2**22, 1):
        monkeypatch.setattr("lightning_unlearn.subspaces._products._CHUNK", size)
        with InputProducts(layer) as products, torch.no_grad():
            layer(inputs.float())
        ends.append(products.sums["weight"])
    torch.testing.assert_close(*ends, rtol=0, atol=1e-11)
