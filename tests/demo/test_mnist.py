"""MNIST and Fashion-MNIST: what is in the files is what comes out, and only the genuine files are read."""

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_unlearn.demo import MNIST, FashionMNIST
from lightning_unlearn.errors import ConfigurationError

DATA = os.environ.get("UNLEARN_DATA", "")
both = pytest.mark.parametrize("dataset", [MNIST, FashionMNIST])
real = pytest.mark.skipif(not DATA, reason="UNLEARN_DATA names no folder with MNIST and FashionMNIST")


def fake(dataset, folder: Path, monkeypatch: pytest.MonkeyPatch, suffix: str = "") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays, checksums = {}, {}
    for part, count in (("train", 6), ("t10k", 4)):
        arrays[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = rng.integers(0, 10, count, dtype=np.uint8)
    for name, array in arrays.items():
        header = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
        content = header + array.tobytes()
        checksums[name] = hashlib.md5(content).hexdigest()
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    monkeypatch.setattr(dataset, "md5", checksums)
    return arrays


@both
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(("train", "part"), [(True, "train"), (False, "t10k")])
def test_reads_idx(dataset, tmp_path, monkeypatch, suffix, train, part):
    arrays = fake(dataset, tmp_path, monkeypatch, suffix)
    data = dataset(str(tmp_path), train=train)
    pixels = arrays[f"{part}-images-idx3-ubyte"]
    assert data.images.shape == (len(pixels), 1, 28, 28)
    np.testing.assert_array_equal((data.images[:, 0] * 255).round().numpy(), pixels)
    np.testing.assert_array_equal(data.targets.numpy(), arrays[f"{part}-labels-idx1-ubyte"])
    assert data.targets.dtype == torch.int64


@both
def test_verifies_the_original_checksums(dataset, tmp_path, monkeypatch):
    genuine = dict(dataset.md5)
    fake(dataset, tmp_path, monkeypatch)
    monkeypatch.setattr(dataset, "md5", genuine)
    for train, part in ((True, "train"), (False, "t10k")):
        with pytest.raises(
            ConfigurationError, match=f"`{part}-images-idx3-ubyte` must have the MD5 checksum"
        ):
            dataset(tmp_path, train=train)


@both
def test_names_the_missing_file(dataset, tmp_path, monkeypatch):
    fake(dataset, tmp_path, monkeypatch)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    assert len(dataset(tmp_path)) == 6
    with pytest.raises(ConfigurationError, match=rf"t10k-labels-idx1-ubyte\[.gz\] in .* {dataset.name}/raw/"):
        dataset(tmp_path, train=False)


def test_one_is_not_taken_for_the_other(tmp_path, monkeypatch):
    """Their files have the same names: in a folder with both, each finds its own."""
    for dataset in (MNIST, FashionMNIST):
        folder = tmp_path / dataset.name / "raw"
        folder.mkdir(parents=True)
        fake(dataset, folder, monkeypatch)
    (tmp_path / "MNIST/raw/train-images-idx3-ubyte").unlink()
    assert len(FashionMNIST(tmp_path)) == 6
    with pytest.raises(ConfigurationError, match="original MNIST files"):
        MNIST(tmp_path)


@real
@pytest.mark.parametrize(
    ("dataset", "first", "mean", "std"),
    [(MNIST, [5, 0, 4, 1, 9], 0.1307, 0.3081), (FashionMNIST, [9, 0, 0, 3, 0], 0.2860, 0.3530)],
)
def test_real_files(dataset, first, mean, std):
    train, test = dataset(DATA), dataset(DATA, train=False)
    assert train.images.shape == (60_000, 1, 28, 28)
    assert test.images.shape == (10_000, 1, 28, 28)
    assert train.targets[:5].tolist() == first
    assert train.images.mean().item() == pytest.approx(mean, abs=1e-4)
    assert train.images.std().item() == pytest.approx(std, abs=1e-4)


@real
def test_real_files_have_the_classes_that_they_are_known_to_have():
    assert MNIST(DATA, train=False).targets.bincount().tolist() == [
        *(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    ]
    assert FashionMNIST(DATA).targets.bincount().tolist() == 10 * [6_000]
    assert len(FashionMNIST.classes) == 10
