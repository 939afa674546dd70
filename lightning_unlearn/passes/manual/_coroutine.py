"""A function that waits in its middle, while its caller goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from queue import SimpleQueue
from typing import Any

import torch

ENDED = object()
_CLOSE = object()


class _Closed(BaseException):
    """Unwinds a body that is not to go on."""


class Coroutine:
    """Runs `body` in turns with its caller, never beside it.

    A thread of its own, because `body` waits in the depth of somebody else's code; autocast and gradient modes are
    kept by thread, so that a context that `body` waits in does not reach its caller.

    Args:
        body: the function; it may call :meth:`ask` at any depth.
        device: where the body computes.
    """

    def __init__(self, body: Callable[[], object], device: torch.device) -> None:
        self._body = body
        self._device = device
        self._answers: SimpleQueue[Any] = SimpleQueue()
        self._questions: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True, name="lightning-unlearn")
        self._over = False
        default = torch.get_default_device()  # kept by thread, too
        self._default: AbstractContextManager[Any] = nullcontext() if default.type == "cpu" else default

    def resume(self, answer: Any = None) -> Any:
        """Let the body go on until it asks: the question, or `ENDED`; what it raises is raised here."""
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._answers.put(answer)
        try:
            raised, question = self._questions.get()
        except BaseException:  # an interrupt: the body must not go on beside whoever handles it
            self.close()
            raise
        if raised:
            raise question
        return question

    def ask(self, question: Any) -> Any:
        """To be called by the body: hand `question` to the caller, and wait for the answer."""
        self._questions.put((False, question))
        answer = self._answers.get()
        if answer is _CLOSE:
            raise _Closed
        return answer

    def close(self) -> None:
        """End the body where it waits."""
        if self._thread.ident is not None and not self._over:
            self._answers.put(_CLOSE)
            self._thread.join()

    def _run(self) -> None:
        try:
            if self._device.type != "cpu":
                torch.get_device_module(self._device).set_device(self._device)
            with self._default:
                self._body()
        except _Closed:
            pass
        except BaseException as error:
            self._over = True
            self._questions.put((True, error))
        else:
            self._over = True
            self._questions.put((False, ENDED))
