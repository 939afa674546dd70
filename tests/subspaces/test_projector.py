"""The projector is one, keeps what its threshold says, and is the same by the basis and by its complement."""

import numpy as np
import pytest
import torch

from lightning_unlearn.subspaces import Projector


def covariance(sizes, groups=1, seed=0):
    """With these singular values of the inputs, in random directions; and the directions as columns."""
    stream = np.random.Generator(np.random.Philox(key=[seed, 0]))
    blocks, bases = [], []
    for _ in range(groups):
        basis, _ = np.linalg.qr(stream.standard_normal((len(sizes), len(sizes))))
        blocks.append(basis * np.square(sizes) @ basis.T)
        bases.append(basis)
    return torch.from_numpy(np.array(blocks)), np.array(bases)


def matrix_of(projector):
    """Row i is what becomes of the i-th unit vector."""
    length = projector.basis.shape[1]
    return projector(torch.eye(length, dtype=torch.float64)).numpy()


# shares of S: 0.5, 0.8, 0.95, 1; of S²: 0.68, 0.93, 0.99, 1
SIZES = [10.0, 6.0, 3.0, 1.0]
KEPT = [
    ("singular_values", 0.3, 1),  # at least one
    ("singular_values", 0.5, 1),
    ("singular_values", 0.79, 1),
    ("singular_values", 0.81, 2),
    ("singular_values", 0.96, 3),
    ("singular_values", 1.0, 4),
    ("energy", 0.5, 1),
    ("energy", 0.69, 1),
    ("energy", 0.94, 2),
    ("energy", 0.999, 3),
    ("energy", 1.0, 4),
]


@pytest.mark.parametrize(("spectrum", "threshold", "kept"), KEPT)
def test_it_takes_out_the_first_directions_up_to_the_threshold(spectrum, threshold, kept):
    block, bases = covariance(SIZES)
    dominant = bases[0][:, :kept]
    projector = Projector.of(block, threshold, spectrum, torch.float64)
    np.testing.assert_allclose(matrix_of(projector), np.eye(4) - dominant @ dominant.T, atol=1e-13)
    assert projector.free == 4 - kept


@pytest.mark.parametrize("threshold", [0.6, 0.85, 0.96])
@pytest.mark.parametrize("spectrum", ["singular_values", "energy"])
def test_it_is_idempotent_and_symmetric(spectrum, threshold):
    block, _ = covariance(SIZES)
    p = matrix_of(Projector.of(block, threshold, spectrum, torch.float64))
    np.testing.assert_allclose(p @ p, p, atol=1e-14)
    np.testing.assert_allclose(p, p.T, atol=1e-14)
    assert 0 < np.trace(p) < 4


def test_the_two_spectra_differ():
    block, _ = covariance(SIZES)
    by_size, by_energy = (Projector.of(block, 0.9, s) for s in ("singular_values", "energy"))
    assert (by_size.free, by_energy.free) == (2, 3)


@pytest.mark.parametrize("kept", [1, 5, 6, 11])
def test_the_smaller_of_basis_and_complement_is_stored(kept):
    block, bases = covariance([2.0] * kept + [0.5] * (12 - kept))
    threshold = (4.0 * kept + 0.1) / (4.0 * kept + 0.25 * (12 - kept))  # less than one more direction
    projector = Projector.of(block, threshold, "energy", torch.float64)
    assert projector.basis.shape == (1, 12, min(kept, 12 - kept))
    assert projector.complement == (kept > 6)
    dominant = bases[0][:, :kept]
    np.testing.assert_allclose(matrix_of(projector), np.eye(12) - dominant @ dominant.T, atol=1e-13)


def test_groups_have_bases_of_their_own():
    blocks, bases = covariance(SIZES, groups=3)
    blocks[1] = torch.from_numpy(bases[1] * np.array([200.0, 1.0, 0.9, 0.8]) @ bases[1].T)
    change = torch.randn(6, 2, 2, dtype=torch.float64)
    left = Projector.of(blocks, 0.99, "energy", torch.float64)(change)
    assert left.shape == change.shape
    for group, kept in enumerate((2, 1, 2)):
        own = change[2 * group : 2 * group + 2].flatten(1).numpy()
        dominant = bases[group][:, :kept]
        expected = own - own @ dominant @ dominant.T
        np.testing.assert_allclose(left[2 * group : 2 * group + 2].flatten(1).numpy(), expected, atol=1e-12)


def test_directions_without_inputs_stay_free_at_the_highest_threshold():
    block, bases = covariance([3.0, 1.0, 0.0, 0.0])
    projector = Projector.of(block, 1.0, "singular_values", torch.float64)
    assert projector.free == 2
    np.testing.assert_allclose(matrix_of(projector) @ bases[0][:, :2], 0.0, atol=1e-14)


def test_negative_eigenvalues_are_no_directions():
    """The authors' singular value decomposition takes -9 for the largest."""
    projector = Projector.of(torch.diag(torch.tensor([-9.0, 4.0, 1.0]))[None], 1.0, "singular_values")
    assert torch.equal(projector(torch.ones(1, 3)), torch.tensor([[1.0, 0.0, 0.0]]))


def test_rounding_of_what_a_difference_was_made_of_is_no_direction():
    kept = torch.diag(torch.tensor([1.0, 0.0], dtype=torch.float64))
    noisy = kept + torch.diag(torch.tensor([0.0, 1e-9], dtype=torch.float64))
    assert Projector.of(noisy[None], 1.0, "energy", scale=torch.tensor([1e8])).free == 1
    assert Projector.of(noisy[None], 1.0, "energy").free == 0


def test_without_inputs_everything_is_free():
    projector = Projector.of(torch.zeros(1, 3, 3), 0.9, "energy")
    assert torch.equal(projector(torch.ones(2, 3)), torch.ones(2, 3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_it_keeps_the_type_and_computes_in_at_least_float32(dtype):
    block, bases = covariance(SIZES)
    projector = Projector.of(block, 0.96, "singular_values", dtype)
    assert projector.basis.dtype is (torch.float64 if dtype is torch.float64 else torch.float32)
    change = torch.randn(3, 4, dtype=torch.float64).to(dtype)
    left = projector(change)
    assert left.dtype is dtype
    exact = change.double().numpy() @ np.outer(bases[0][:, 3], bases[0][:, 3])
    error = np.abs(left.double().numpy() - exact).max()
    assert error <= torch.finfo(dtype).eps * np.abs(exact).max() + (1e-13 if dtype is torch.float64 else 1e-6)
