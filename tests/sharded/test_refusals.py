"""What sharding does not allow is refused in time, with the alternative."""

import pytest
import torch
from lightning.pytorch.strategies import FSDPStrategy, SingleDeviceStrategy

from lightning_unlearn import GradientSurgery
from lightning_unlearn.strategies import _checks
from tests._refusing import refuse
from tests.strategies._fits import sides
from tests.strategies._modules import Net


def of_strategy(strategy):
    class Stub:
        pass

    Stub.strategy = strategy
    return _checks.of_trainer(Stub(), [])


def test_flat_shards_are_refused_with_the_alternative():
    (message,) = of_strategy(FSDPStrategy())
    assert "FSDP1" in message
    assert "inner products local" in message
    assert "Use `ModelParallelStrategy`" in message
    assert of_strategy(SingleDeviceStrategy(torch.device("cpu"))) == []


class DeepSpeedStrategy(SingleDeviceStrategy):
    """Says of itself what Lightning's does."""

    @property
    def handles_gradient_accumulation(self):
        return True


def test_an_engine_that_owns_the_gradients_is_refused_with_the_alternative():
    message = (
        'found DeepSpeedStrategy, whose engine owns them. Use `strategy="ddp"`, or `ModelParallelStrategy`'
    )
    refuse(Net(), sides(), GradientSurgery(alpha=1.0), match=message, strategy=DeepSpeedStrategy)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "messages"),
    [
        ("fsdp", ["must not meet sharded parameters, found `net.0.weight`", 'method="finite_difference"']),
        ("tensor", ["must not meet sharded parameters, found `net.0.weight`", 'method="finite_difference"']),
        ("frozen", ["must not meet sharded parameters, found `net.0.weight`", 'method="finite_difference"']),
        (
            "manual",
            ["under manual optimisation must not meet sharded parameters", "a strategy of gradients alone"],
        ),
        ("entrywise", ["must have them whole, found sharded ones", "inner products alone, such as UPGrad"]),
        ("unaveraged", ["found `net.3.weight` as a plain tensor", "Call `fully_shard` on the whole model"]),
    ],
)
def test_refused_on_every_process_before_a_weight_moves(two, what, messages):
    for rank in two:
        said, moved = rank["refused", what]
        assert all(message in said for message in messages), said
        assert not moved
