import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_unlearn.demo._idx import find_idx, read_idx
from lightning_unlearn.errors import ConfigurationError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def idx(array: np.ndarray) -> bytes:
    dims = b"".join(int(size).to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + dims + array.tobytes()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


CONTENT = idx(IMAGES)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_reads_what_was_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"images-idx3-ubyte{suffix}"
    path.write_bytes(gzip.compress(CONTENT) if suffix else CONTENT)
    array = read_idx(path, dims=3, md5=md5(CONTENT))
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, IMAGES)


@pytest.mark.parametrize(
    ("content", "requirement", "found"),
    [
        (b"", "start with the idx magic number 0x00000803", "found 0x in"),
        (b"<html>", "start with the idx magic number 0x00000803", "found 0x3c68746d"),
        (idx(IMAGES.reshape(-1)), "start with the idx magic number 0x00000803", "found 0x00000801"),
        (CONTENT[:10], "have an idx header of 16 bytes", "found a file of 10 bytes"),
        (CONTENT[:-1], "hold 40 bytes, as declared (2 x 3 x 4)", "found 39 bytes"),
        (CONTENT + b"\0", "hold 40 bytes", "found 41 bytes"),
        (CONTENT[:4] + b"\xff" * 12 + CONTENT[16:], "4294967295 x 4294967295 x 4294967295", "found 40 bytes"),
        (CONTENT[:-1] + b"\xff", f"have the MD5 checksum {md5(CONTENT)}", "found "),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_broken_content_is_named(
    tmp_path: Path, content: bytes, requirement: str, found: str, suffix: str
) -> None:
    path = tmp_path / f"images-idx3-ubyte{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(ConfigurationError) as caught:
        read_idx(path, dims=3, md5=md5(CONTENT))
    message = str(caught.value)
    for part in (f"`{path.name}` must", requirement, found, str(path), "Replace it with the original"):
        assert part in message


@pytest.mark.parametrize("kept", [0, 5, 15, -1, -9])
def test_truncated_gzip(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(CONTENT)[:kept])
    with pytest.raises(ConfigurationError, match=r"`images-idx3-ubyte.gz` must .* found .* Replace it"):
        read_idx(path, dims=3, md5=md5(CONTENT))


def test_corrupted_and_misnamed_gzip(tmp_path: Path) -> None:
    path = tmp_path / "images-idx3-ubyte.gz"
    compressed = bytearray(gzip.compress(CONTENT))
    compressed[20] ^= 0xFF
    for content in (bytes(compressed), CONTENT):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="must be a complete gzip file, found a damaged one"):
            read_idx(path, dims=3, md5=md5(CONTENT))


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(
        ConfigurationError, match=r"must be readable, found Permission denied .* Check the perm"
    ):
        read_idx(tmp_path / "images-idx3-ubyte", dims=3, md5="")


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, len(CONTENT) - 1), value=st.integers(1, 255))
def test_any_altered_byte_is_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    content = bytearray(CONTENT)
    content[position] ^= value
    path = tmp_path_factory.getbasetemp() / "altered-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError):
        read_idx(path, dims=3, md5=md5(CONTENT))


@pytest.mark.parametrize("folder", ["", "raw", "MNIST/raw"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_finds_every_layout(tmp_path: Path, folder: str, suffix: str) -> None:
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    paths = [tmp_path / folder / f"{name}{suffix}" for name in ("a", "b")]
    for path in paths:
        path.touch()
    assert find_idx(tmp_path, ["a", "b"], "MNIST") == paths


def test_plain_goes_before_gzipped(tmp_path: Path) -> None:
    (tmp_path / "a.gz").touch()
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a").touch()
    assert find_idx(tmp_path, ["a"], "MNIST") == [tmp_path / "raw" / "a"]


def test_all_missing_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    with pytest.raises(ConfigurationError) as caught:
        find_idx(tmp_path, ["a", "b", "c"], "MNIST")
    message = str(caught.value)
    assert "a[.gz], c[.gz]" in message
    assert "b[.gz]" not in message
    assert str(tmp_path) in message
    assert "Copy the original MNIST files" in message


def test_root_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"`root` must be a folder .* found a file"):
        find_idx(tmp_path / "file", ["a"], "MNIST")
    with pytest.raises(ConfigurationError, match=r"`root` must be a folder .* found nothing"):
        find_idx(tmp_path / "absent", ["a"], "MNIST")
