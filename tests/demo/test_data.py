import gzip
import hashlib
import os
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader

from lightning_unlearn.demo import MNIST, DigitClassifier, Digits
from lightning_unlearn.demo import _data as data_module
from lightning_unlearn.errors import ConfigurationError


def test_digits_are_those_of_scikit_learn() -> None:
    train, test = Digits(), Digits(train=False)
    rows = torch.cat([train.images, test.images]).flatten(1).numpy() * 16
    ours = sorted(map(tuple, np.column_stack([rows, torch.cat([train.targets, test.targets]).numpy()])))
    bunch = load_digits()
    assert ours == sorted(map(tuple, np.column_stack([bunch.data, bunch.target])))


def test_digits_shapes_ranges_and_items() -> None:
    digits = Digits()
    assert digits.images.shape == (1347, 1, 8, 8)
    assert digits.images.dtype == torch.float32
    assert (digits.images.min(), digits.images.max()) == (0, 1)
    assert digits.targets.dtype == torch.int64
    image, target = digits[5]
    assert torch.equal(image, digits.images[5])
    assert torch.equal(target, digits.targets[5])


def test_digits_split_is_fixed_stratified_and_keyed_by_the_seed() -> None:
    assert torch.equal(Digits().images, Digits(seed=0).images)
    assert not torch.equal(Digits().targets, Digits(seed=1).targets)
    train, test = Digits().targets.bincount(), Digits(train=False).targets.bincount()
    assert ((test / (train + test) - 0.25).abs() < 0.01).all()


def fake_mnist(folder: Path, monkeypatch: pytest.MonkeyPatch, suffix: str = "") -> dict[str, np.ndarray]:
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
    monkeypatch.setattr(data_module, "_MNIST_MD5", checksums)
    return arrays


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(("train", "part"), [(True, "train"), (False, "t10k")])
def test_mnist_reads_idx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, train: bool, part: str
) -> None:
    arrays = fake_mnist(tmp_path, monkeypatch, suffix)
    mnist = MNIST(str(tmp_path), train=train)
    pixels = arrays[f"{part}-images-idx3-ubyte"]
    assert mnist.images.shape == (len(pixels), 1, 28, 28)
    np.testing.assert_array_equal((mnist.images[:, 0] * 255).round().numpy(), pixels)
    np.testing.assert_array_equal(mnist.targets.numpy(), arrays[f"{part}-labels-idx1-ubyte"])
    assert mnist.targets.dtype == torch.int64


def test_mnist_verifies_the_original_checksums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = dict(data_module._MNIST_MD5)
    fake_mnist(tmp_path, monkeypatch)
    monkeypatch.setattr(data_module, "_MNIST_MD5", genuine)
    for train, part in ((True, "train"), (False, "t10k")):
        with pytest.raises(
            ConfigurationError, match=f"`{part}-images-idx3-ubyte` must have the MD5 checksum"
        ):
            MNIST(tmp_path, train=train)


def test_mnist_names_the_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_mnist(tmp_path, monkeypatch)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    assert len(MNIST(tmp_path)) == 6
    with pytest.raises(ConfigurationError, match=r"t10k-labels-idx1-ubyte\[.gz\]"):
        MNIST(tmp_path, train=False)


@pytest.mark.skipif("UNLEARN_MNIST_DIR" not in os.environ, reason="UNLEARN_MNIST_DIR names no MNIST folder")
def test_real_mnist() -> None:
    root = os.environ["UNLEARN_MNIST_DIR"]
    train, test = MNIST(root), MNIST(root, train=False)
    assert train.images.shape == (60_000, 1, 28, 28)
    assert train.targets[:5].tolist() == [5, 0, 4, 1, 9]
    assert test.targets.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.images.mean().item() == pytest.approx(0.1307, abs=1e-4)


# Lightning's advice on speed and devices, and its use of a name that newer versions of torch deprecate.
@pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*GPU available but not used:UserWarning")
def test_classifier_learns_digits(tmp_path: Path) -> None:
    L.seed_everything(0, verbose=False)
    train, test = Digits(), Digits(train=False)
    model = DigitClassifier()
    trainer = L.Trainer(
        max_epochs=4,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    generator = torch.Generator().manual_seed(0)
    trainer.fit(
        model, DataLoader(train, 32, shuffle=True, generator=generator), DataLoader(test, batch_size=450)
    )
    assert trainer.callback_metrics["val_accuracy"] > 0.9
    assert {"train_loss", "val_loss"} <= trainer.callback_metrics.keys()
    with torch.no_grad():
        accuracy = (model.eval()(test.images).argmax(1) == test.targets).float().mean()
    assert accuracy == pytest.approx(trainer.callback_metrics["val_accuracy"].item())


def test_classifier_is_of_the_size_it_says() -> None:
    assert sum(p.numel() for p in DigitClassifier().parameters()) == 25_978
