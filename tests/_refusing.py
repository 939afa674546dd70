"""Fit something that must be refused, and look for what may have been left behind."""

import pytest
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.strategies import SingleDeviceStrategy

from lightning_unlearn import ConfigurationError
from tests.strategies._fits import fit, same, weights

PATCHED = {"log", "training_step", "on_before_batch_transfer"}


def refuse(module, data, *callbacks, match, strategy=SingleDeviceStrategy, **arguments):
    """One error with all of these messages, one a line; weights, module, data and Trainer strategy as before."""
    messages = [match] if isinstance(match, str) else match
    before, trainer_strategy = weights(module), strategy(torch.device("cpu"))
    with pytest.raises(ConfigurationError) as error:
        fit(module, data, *callbacks, strategy=trainer_strategy, **arguments)
    for message in messages:
        assert message in str(error.value)
    assert len(str(error.value).splitlines()) == len(messages)
    assert same(weights(module), before)
    owners = [module, trainer_strategy] + [data] * isinstance(data, LightningDataModule)
    assert [PATCHED & set(vars(owner)) for owner in owners] == [set()] * len(owners)
