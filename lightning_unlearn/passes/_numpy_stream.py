"""NumPy's global stream of random numbers, recorded in a microsecond as long as nobody draws from it.

`np.random.get_state` and `set_state` take 35 µs each, several times a step. Most models never draw from that stream, and
its memory tells: while key and position are those of the last record, so is the state.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

_SIZE = 625 * 4  # `mt19937_state`: 624 words of key, and the position
_GAUSS = 3  # where a legacy state says that it holds the second number of a pair of normals


class NumpyStream:
    """The state at one moment.

    Args:
        state: as `np.random.get_state` gives it.
        raw: the memory that it was read from; `None` if it was not read from there.
    """

    def __init__(self, state: Any, raw: bytes | None = None) -> None:
        self.state = state
        self._raw = raw

    @classmethod
    def now(cls, last: NumpyStream | None) -> NumpyStream:
        """The state of now: `last` itself if nothing has been drawn since."""
        # a pending normal leaves key and position as they are when it is drawn
        settled = last is not None and last._raw is not None and not last.state[_GAUSS]
        if settled and last is not None and last._raw == _raw():
            return last
        return cls(np.random.get_state(), _raw())

    def replay(self) -> None:
        """Put the stream into this state."""
        address = _address()
        if self._raw is None or address is None or self.state[_GAUSS]:
            np.random.set_state(self.state)
            return
        np.random.seed(0)  # drops a pending normal
        ctypes.memmove(address, self._raw, _SIZE)


def _address() -> int | None:
    generator: Any = np.random.get_bit_generator()  # type: ignore[attr-defined]
    return generator.ctypes.state_address if type(generator) is np.random.MT19937 else None


def _raw() -> bytes | None:
    address = _address()
    return None if address is None else ctypes.string_at(address, _SIZE)
