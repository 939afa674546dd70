"""The law of exactness can fail: gradients that are taken too early are found out."""

import pytest

from tests.manual._modules import Gan
from tests.manual.test_exact import plays
from tests.strategies._cases import named


def test_control_forget_gradients_at_the_weights_of_the_beginning_are_not_the_same():
    """What a run of the forget batch ahead of the retain batch would give: off by the earlier optimiser's update."""
    with pytest.raises(AssertionError, match="off the loop by hand"):
        plays(named("surgery-paper"), Gan(), ["critic", "generator"], stale=True)


def test_control_another_order_of_steps_is_not_the_same():
    with pytest.raises(AssertionError, match="off the loop by hand"):
        plays(named("surgery-paper"), Gan(), ["generator", "critic"])


def test_control_what_is_clipped_is_not_each_side_by_itself():
    with pytest.raises(AssertionError, match="off the loop by hand"):
        plays(named("surgery-paper"), Gan(clip=0.01), ["critic", "generator"])
