"""NumPy's stream comes back exactly, whatever is pending in it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_unlearn.passes._numpy_stream import NumpyStream

draws = st.lists(
    st.sampled_from([np.random.normal, np.random.rand, lambda: np.random.randint(9)]), max_size=4
)


def comparable():
    kind, keys, *rest = np.random.get_state()
    return kind, keys.tobytes(), rest


@given(seed=st.integers(0, 2**32 - 1), before=draws, between=draws, after=draws)
def test_it_comes_back_exactly(seed, before, between, after):
    np.random.seed(seed)
    for draw in before:
        draw()
    first = NumpyStream.now(None)
    for draw in between:
        draw()
    expected, record = comparable(), NumpyStream.now(first)
    for draw in after:
        draw()
    record.replay()
    assert comparable() == expected
    first.replay()
    np.random.seed(seed)
    for draw in before:
        draw()
    expected = comparable()
    first.replay()
    assert comparable() == expected


def test_nothing_is_read_anew_while_nothing_is_drawn():
    np.random.seed(0)
    first = NumpyStream.now(None)
    assert NumpyStream.now(first) is first
    np.random.rand()
    assert NumpyStream.now(first) is not first


def test_a_pending_normal_is_never_taken_for_granted():
    np.random.seed(0)
    np.random.normal()
    first = NumpyStream.now(None)
    np.random.normal()  # the second of the pair: key and position are as before
    assert NumpyStream.now(first) is not first


def test_another_bit_generator_is_left_to_numpy():
    before = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.MT19937(1))
    try:
        record = NumpyStream.now(None)
        expected = np.random.rand(3)
        record.replay()
        assert np.random.rand(3) == pytest.approx(expected, abs=0)
    finally:
        np.random.set_bit_generator(before)
