"""Handwritten digits as plain map-style datasets: scikit-learn's bundled ones, and MNIST from idx files."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.utils.data import Dataset
from typing_extensions import override

from lightning_unlearn.demo._idx import find_idx, read_idx

_MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class _Images(Dataset[tuple[Tensor, Tensor]]):
    """Images and their classes in memory."""

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


class Digits(_Images):
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


class MNIST(_Images):
    """The MNIST digits of 28 x 28 pixels, from the original idx files, plain or gzipped; nothing is downloaded.

    Looks in `root`, `root/raw` and `root/MNIST/raw` and verifies the content of every file that it reads. Source:
    LeCun, Cortes and Burges, "The MNIST database of handwritten digits", http://yann.lecun.com/exdb/mnist.

    Attributes:
        images: Float tensor of shape (N, 1, 28, 28) with values in [0, 1]; N is 60,000 for training, 10,000 for
            testing.
        targets: Long tensor of shape (N,) with the classes 0 to 9.

    Args:
        root: Folder with the files.
        train: The training part, else the test part.

    Raises:
        ConfigurationError: A file is missing, unreadable, truncated or altered.

    Example:
        >>> from lightning_unlearn.demo import MNIST
        >>> try:
        ...     MNIST("no-such-folder")
        ... except ValueError as error:
        ...     print(str(error).partition(". ")[0])
        `root` must be a folder with the MNIST idx files, found nothing at no-such-folder
    """

    def __init__(self, root: Path | str, train: bool = True) -> None:
        part = "train" if train else "t10k"
        names = [f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"]
        images, labels = find_idx(Path(root).expanduser(), names)
        super().__init__(
            read_idx(images, dims=3, md5=_MNIST_MD5[names[0]]),
            read_idx(labels, dims=1, md5=_MNIST_MD5[names[1]]),
            white=255,
        )
