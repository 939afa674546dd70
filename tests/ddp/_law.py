"""Law 3: two processes with batches of b end with the weights and buffers of one with batches of 2b, both alike."""

from tests.ddp._kinds import KINDS, ROWS, end_of
from tests.strategies import _fits as fits


def two_processes_agree_with_one(ends, name, kind):
    """`ends` are what the processes have ended with, by row and kind."""
    first, second = (end[name, kind] for end in ends)
    assert fits.same(first, second), "the ranks differ"
    alone = end_of(name, kind, processes=1)
    way = float(alone.pop("way"))
    assert way > 1e-3, "nothing moved: the comparison would say nothing"
    error = fits.distance(alone, first)
    allowed = KINDS[kind].rounding * way or max(1e-12, ROWS[name].tolerance)
    assert error <= allowed, f"{error:.2e} off one process, {allowed:.2e} allowed"
