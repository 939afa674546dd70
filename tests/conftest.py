"""One thread, seeded streams, and nothing of one test left to the next."""

import logging
import os
import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch

# helpers whose bare asserts are the tests
pytest.register_assert_rewrite(
    "tests.strategies._laws", "tests.strategies._laws_failure", "tests.strategies._fits"
)


@pytest.fixture(autouse=True, scope="session")
def _single_thread() -> None:
    torch.set_num_threads(1)
    for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)  # a failure is easier to read without its tips


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    """Every test starts from the same four streams, whichever ran before it, and leaves no seed to the next.

    `seed_everything` writes to the environment: from then on Lightning seeds every process it starts alike.
    """
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    yield
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        os.environ.pop(name, None)
