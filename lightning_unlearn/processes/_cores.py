"""How many processes a machine has room for."""

from __future__ import annotations

import os


def default_processes(threads: int) -> int:
    """As many as this process may use cores, each with `threads` of them; at least one.

    Example:
        >>> default_processes(10_000)
        1
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return max(1, cores // threads)
