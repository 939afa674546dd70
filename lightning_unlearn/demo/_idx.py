"""The idx format of MNIST and its likes, read strictly: what a file claims, what it holds and what it should be must agree."""

import gzip
import hashlib
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_unlearn.errors import ConfigurationError

_UNSIGNED_BYTE = 8


def find_idx(root: Path, names: Sequence[str], name: str) -> list[Path]:
    """Where the named idx files lie, plain or gzipped, in `root`, `root/raw` or, for MNIST, `root/MNIST/raw`.

    Args:
        root: The folder that the user named.
        names: File names without `.gz`.
        name: Of the data, as in the folder and in messages.

    Returns:
        One path for each name, in order; a plain file goes before a gzipped one.

    Raises:
        ConfigurationError: `root` is no folder, or files are missing (all of them are listed).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "labels.gz").write_bytes(b"")
        ...     [path.name for path in find_idx(Path(folder), ["labels"], "MNIST")]
        ['labels.gz']
    """
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise ConfigurationError(
            f"`root` must be a folder with the {name} idx files, found {found} at {root}. "
            "Pass the folder that holds them, plain or gzipped."
        )
    folders = ("", "raw", f"{name}/raw")
    candidates = {
        file: [root / folder / f"{file}{suffix}" for suffix in ("", ".gz") for folder in folders]
        for file in names
    }
    found_paths = {file: next((p for p in paths if p.is_file()), None) for file, paths in candidates.items()}
    missing = [file for file, path in found_paths.items() if path is None]
    if missing:
        raise ConfigurationError(
            f"`root` must hold {', '.join(f'{file}[.gz]' for file in missing)} "
            f"in itself, in raw/ or in {name}/raw/, found no such file under {root}. "
            f"Copy the original {name} files there, plain or gzipped."
        )
    return [path for path in found_paths.values() if path is not None]


def read_idx(path: Path, dims: int, md5: str) -> NDArray[np.uint8]:
    """The unsigned bytes in an idx file as an array; nothing is returned that was not verified.

    Magic number, number of dimensions, exact length and MD5 checksum are checked, in this order, on the
    uncompressed content. Format: http://yann.lecun.com/exdb/mnist.

    Args:
        path: The file; it is decompressed if its name ends with `.gz`.
        dims: Number of dimensions that the array must have.
        md5: Hexadecimal checksum of the uncompressed content.

    Returns:
        A read-only array with the shape that the file declares.

    Raises:
        ConfigurationError: The file cannot be read, is truncated, is no such idx file or has been altered.

    Example:
        >>> import tempfile
        >>> content = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "labels-idx1-ubyte")
        ...     _ = path.write_bytes(content)
        ...     read_idx(path, dims=1, md5=hashlib.md5(content).hexdigest()).tolist()
        [7, 9]
    """
    content = _content(path)
    header = 4 * (1 + dims)
    magic = bytes([0, 0, _UNSIGNED_BYTE, dims])
    if content[:4] != magic:
        raise _broken(path, f"start with the idx magic number 0x{magic.hex()}", f"0x{content[:4].hex()}")
    if len(content) < header:
        raise _broken(path, f"have an idx header of {header} bytes", f"a file of {len(content)} bytes")
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, header, 4)]
    length = header + math.prod(shape)
    if len(content) != length:
        declared = " x ".join(map(str, shape))
        raise _broken(path, f"hold {length} bytes, as declared ({declared})", f"{len(content)} bytes")
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if digest != md5:
        raise _broken(path, f"have the MD5 checksum {md5}, uncompressed", digest)
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _broken(path, "be a complete gzip file", f"a damaged one ({error})") from error
    except OSError as error:
        raise ConfigurationError(
            f"`{path.name}` must be readable, found {error.strerror or error} at {path}. "
            "Check the permissions of the file."
        ) from error


def _broken(path: Path, requirement: str, found: str) -> ConfigurationError:
    return ConfigurationError(
        f"`{path.name}` must {requirement}, found {found} in {path}. "
        "Replace it with the original file, plain or gzipped."
    )
