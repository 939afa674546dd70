from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader

from lightning_unlearn.demo import DigitClassifier, Digits


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
