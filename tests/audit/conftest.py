import pytest
import torch

from tests.audit import _requests as requests


@pytest.fixture(scope="session")
def a_class():
    """The digit 4 is to be forgotten."""
    return requests.make(lambda labels: labels == 4)


@pytest.fixture(scope="session")
def some_samples():
    """A tenth of the samples is to be forgotten."""
    generator = torch.Generator().manual_seed(1)
    return requests.make(lambda labels: torch.randperm(len(labels), generator=generator) < len(labels) // 10)
