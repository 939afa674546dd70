"""One changed bit or one changed identifier is another digest; nothing else is."""

import hashlib
import struct

import numpy as np
import pytest
import torch

from lightning_unlearn.audit._digests import identifiers_digest, weights_digest


def packed(*parts):
    return b"".join(struct.pack("<Q", len(part)) + part for part in parts)


def test_weights_are_hashed_as_the_docstring_says():
    state = {"b": torch.tensor([[1.5, -2.0]]), "a": torch.tensor(7, dtype=torch.int64)}
    a = packed(b"a", b"int64", b"[]", struct.pack("<q", 7))
    b = packed(b"b", b"float32", b"[1, 2]", np.array([1.5, -2.0], "<f4").tobytes())
    assert weights_digest(state) == hashlib.sha256(a + b).hexdigest()


def test_identifiers_are_hashed_as_the_docstring_says():
    expected = packed(b"10", b"9", "é".encode())
    assert identifiers_digest(["é", "9", "10"]) == hashlib.sha256(expected).hexdigest()
    assert identifiers_digest([]) == hashlib.sha256().hexdigest()


BASE = {"w": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)}


def nudged(entry, bit):
    changed = BASE["w"].clone()
    changed.view(-1).view(torch.int32)[entry] ^= 1 << bit
    return {**BASE, "w": changed}


@pytest.mark.parametrize("entry", range(6))
@pytest.mark.parametrize("bit", [0, 15, 30])
def test_one_bit_of_one_weight_is_another_digest(entry, bit):
    assert weights_digest(nudged(entry, bit)) != weights_digest(BASE)


@pytest.mark.parametrize(
    "other",
    [
        {**BASE, "w": BASE["w"].reshape(3, 2)},
        {**BASE, "w": BASE["w"].double()},
        {"v": BASE["w"], "n": BASE["n"]},
        {"w": BASE["w"]},
        {**BASE, "n": BASE["n"].reshape(1)},
        {**BASE, "n": BASE["n"].int()},
        {**BASE, "extra": torch.empty(0)},
    ],
    ids=["shape", "type", "name", "missing", "rank", "integer type", "empty entry"],
)
def test_names_types_and_shapes_count(other):
    assert weights_digest(other) != weights_digest(BASE)


@pytest.mark.parametrize(
    "same",
    [
        {"n": BASE["n"], "w": BASE["w"]},
        {**BASE, "w": BASE["w"].t().contiguous().t()},
        {**BASE, "w": torch.cat([BASE["w"], BASE["w"]])[:2]},
        {**BASE, "w": torch.nn.Parameter(BASE["w"])},
        {**BASE, "w": torch.complex(torch.zeros(2, 3), -BASE["w"]).conj().imag},
    ],
    ids=["order", "strides", "view", "parameter", "lazy negation"],
)
def test_how_they_are_stored_does_not_count(same):
    assert weights_digest(same) == weights_digest(BASE)


def test_signs_of_zeros_and_bits_of_nans_count():
    def digest(bits):
        return weights_digest({"w": torch.tensor([bits], dtype=torch.int32).view(torch.float32)})

    patterns = [0, -(2**31), 0x7FC00000, 0x7FC00001]  # 0.0, -0.0, two NaNs
    assert len({digest(bits) for bits in patterns}) == len(patterns)
    assert digest(0x7FC00001) == digest(0x7FC00001)


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float16, torch.float64, torch.complex64, torch.bool, torch.uint8]
)
def test_every_type_has_bytes(dtype):
    ones = torch.ones(3, dtype=dtype)
    assert weights_digest({"w": ones}) != weights_digest({"w": torch.zeros(3, dtype=dtype)})
    assert weights_digest({"w": ones[0]}) == weights_digest({"w": ones[1]})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (1.0, "float"),
        (torch.eye(2).to_sparse(), "torch.sparse_coo"),
        (torch.empty(2, device="meta"), "on meta"),
    ],
)
def test_what_is_no_dense_tensor_is_refused(value, found):
    with pytest.raises(ValueError, match=rf"must hold dense tensors, found .*{found}.* at 'w'\. Leave"):
        weights_digest({"w": value})


def test_one_changed_identifier_is_another_digest():
    ids = [f"image-{n}.png" for n in range(100)]
    digest = identifiers_digest(ids)
    assert identifiers_digest(reversed(ids)) == digest
    others = [ids[1:], [*ids, ids[0]], [*ids[1:], "image-00.png"]]
    assert len({digest, *(identifiers_digest(other) for other in others)}) == 4


def test_names_of_files_that_are_no_unicode_have_a_digest():
    assert identifiers_digest([b"\xff".decode("utf-8", "surrogateescape")]) != identifiers_digest(["?"])


@pytest.mark.parametrize(("ids", "found"), [("abc", "one: 'abc'"), ([1], "1"), (["a", None], "None")])
def test_what_are_no_identifiers_is_refused(ids, found):
    with pytest.raises(ValueError, match=f"`ids` must be .*strings, found {found}"):
        identifiers_digest(ids)
