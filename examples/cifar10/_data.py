from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lightning_unlearn import ConfigurationError

# of ImageNet: what the published weights were trained with
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KEYS = ("x_train", "y_train", "x_test", "y_test")


class CIFAR10Part(Dataset):
    """The images of an `npz` file with `x_train`, `y_train`, `x_test` and `y_test`, normalised as for ImageNet.

    Such as the 10,000 of CIFAR-10's `data_batch_1`, each of shape (3, 32, 32), with 5,000 of its `test_batch`.

    Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

    Attributes:
        images: uint8 tensor of shape (N, 3, 32, 32), as stored.
        targets: Long tensor of shape (N,) with the classes 0 to 9.

    Args:
        file: Path of the file.
        train: The training images, else the test images.
        count: Only the first so many; `None` for all.

    Items:
        A float image of shape (3, 32, 32) and its class.
    """

    def __init__(self, file: str, train: bool = True, count: int | None = None) -> None:
        path = Path(file).expanduser()
        if not path.is_file():
            raise ConfigurationError(f"`file` must be an npz file of images, found none at {path}.")
        with np.load(path) as arrays:
            missing = [key for key in KEYS if key not in arrays]
            if missing:
                raise ConfigurationError(
                    f"`file` must hold {', '.join(KEYS)}, found no {missing[0]} in {path}."
                )
            part = "train" if train else "test"
            self.images = torch.from_numpy(arrays[f"x_{part}"][:count])
            self.targets = torch.from_numpy(arrays[f"y_{part}"][:count].astype(np.int64))
        self._mean, self._std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return (self.images[index] / 255 - self._mean) / self._std, self.targets[index]
