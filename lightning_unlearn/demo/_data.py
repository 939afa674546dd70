"""Grey images as plain map-style datasets, and scikit-learn's bundled digits as the first of them."""

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.utils.data import Dataset
from typing_extensions import override


class Images(Dataset[tuple[Tensor, Tensor]]):
    """Images and their classes in memory.

    Attributes:
        noun: what one of them shows.
    """

    noun: ClassVar[str] = "digit"
    images: Tensor
    targets: Tensor

    def __init__(self, images: NDArray[np.generic], targets: NDArray[np.generic], white: float) -> None:
        self.images = torch.from_numpy(images.astype(np.float32)).div_(white).unsqueeze(1)
        self.targets = torch.from_numpy(targets.astype(np.int64))

    def __len__(self) -> int:
        return len(self.targets)

    @override
    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.images[index], self.targets[index]


class Digits(Images):
    """The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn; needs neither network nor files.

    A quarter of every class is kept for testing. Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten
    Digits", UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49.

    Attributes:
        images: Float tensor of shape (N, 1, 8, 8) with values in [0, 1]; N is 1,347 for training, 450 for testing.
        targets: Long tensor of shape (N,) with the classes 0 to 9.

    Args:
        train: The training part, else the test part.
        seed: Which of the stratified splits; the two parts of one seed are disjoint and complete.

    Example:
        >>> from lightning_unlearn.demo import Digits
        >>> digits = Digits(train=True)
        >>> len(digits), tuple(digits.images.shape), len(Digits(train=False))
        (1347, (1347, 1, 8, 8), 450)
        >>> image, target = digits[0]
        >>> tuple(image.shape), target.dtype
        ((1, 8, 8), torch.int64)
    """

    def __init__(self, train: bool = True, seed: int = 0) -> None:
        bunch = load_digits()
        parts = train_test_split(
            np.arange(len(bunch.target)), test_size=0.25, random_state=seed, stratify=bunch.target
        )
        part = parts[0 if train else 1]
        super().__init__(bunch.images[part], bunch.target[part], white=16)
