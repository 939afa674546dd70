"""A function that waits in its middle: turns, errors, ends."""

import threading

import pytest
import torch

from lightning_unlearn.passes.manual._coroutine import ENDED, Coroutine

CPU = torch.device("cpu")


def made(body):
    """A coroutine whose body is given itself."""
    box = []
    box.append(Coroutine(lambda: body(box[0]), CPU))
    return box[0]


def test_it_takes_turns_with_its_caller():
    said = []

    def body(own):
        said.append("a")
        said.append(own.ask("first"))
        said.append(own.ask("second"))

    coroutine = made(body)
    assert said == []
    assert coroutine.resume() == "first"
    assert said == ["a"]
    assert coroutine.resume("b") == "second"
    assert coroutine.resume("c") is ENDED
    assert said == ["a", "b", "c"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit()])
def test_what_it_raises_is_raised_where_it_was_resumed(error):
    def body(own):
        own.ask(None)
        raise error

    coroutine = made(body)
    coroutine.resume()
    with pytest.raises(type(error)) as caught:
        coroutine.resume()
    assert caught.value is error


def test_a_context_that_it_waits_in_does_not_reach_its_caller():
    def body(own):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            own.ask(None)

    coroutine = made(body)
    coroutine.resume()
    assert torch.is_grad_enabled()
    assert not torch.is_autocast_enabled("cpu")
    coroutine.close()


def test_it_can_be_ended_where_it_waits():
    undone = []

    def body(own):
        try:
            own.ask(None)
        finally:
            undone.append(True)

    before = threading.active_count()
    coroutine = made(body)
    coroutine.resume()
    assert threading.active_count() == before + 1
    coroutine.close()
    coroutine.close()
    assert undone == [True]
    assert threading.active_count() == before


def test_one_that_never_began_ends_without_having_run():
    ran = []
    coroutine = made(lambda own: ran.append(True))
    coroutine.close()
    assert ran == []
