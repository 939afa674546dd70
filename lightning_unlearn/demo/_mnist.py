"""MNIST and Fashion-MNIST from their original idx files; nothing is downloaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from lightning_unlearn.demo._data import Images
from lightning_unlearn.demo._idx import find_idx, read_idx


class _IdxImages(Images):
    """Four idx files: two for training, two for testing.

    Attributes:
        name: of the data, for messages.
        md5: checksums of the uncompressed files, by name.
    """

    name: ClassVar[str]
    md5: ClassVar[Mapping[str, str]]

    def __init__(self, root: Path | str, train: bool = True) -> None:
        part = "train" if train else "t10k"
        names = [f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"]
        images, labels = find_idx(Path(root).expanduser(), names, self.name)
        super().__init__(
            read_idx(images, dims=3, md5=self.md5[names[0]]),
            read_idx(labels, dims=1, md5=self.md5[names[1]]),
            white=255,
        )


class MNIST(_IdxImages):
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

    name = "MNIST"
    md5: ClassVar[Mapping[str, str]] = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }


class FashionMNIST(_IdxImages):
    """The Fashion-MNIST articles of 28 x 28 pixels, from the original idx files, plain or gzipped.

    Looks in `root`, `root/raw` and `root/FashionMNIST/raw`; otherwise as :class:`MNIST`, whose file names it shares. Source:
    Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms",
    2017, arXiv:1708.07747.

    Attributes:
        images: Float tensor of shape (N, 1, 28, 28) with values in [0, 1]; N is 60,000 for training, 10,000 for
            testing.
        targets: Long tensor of shape (N,) with the classes 0 to 9.
        classes: What they are: 0 is a T-shirt, 9 an ankle boot.

    Args:
        root: Folder with the files.
        train: The training part, else the test part.

    Raises:
        ConfigurationError: A file is missing, unreadable, truncated or altered.

    Example:
        >>> from lightning_unlearn.demo import FashionMNIST
        >>> FashionMNIST.classes[3]
        'dress'
    """

    noun = "article"
    name = "FashionMNIST"
    md5: ClassVar[Mapping[str, str]] = {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    }
    classes: ClassVar[tuple[str, ...]] = (
        *("T-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    )
