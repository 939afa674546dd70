"""Jobs that say who has done them."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lightning_unlearn import UnlearningError


class Place(NamedTuple):
    done: float
    said: str


@dataclass(frozen=True)
class Writes:
    """Leaves the number of its process in a file of its name."""

    name: str
    folder: Path

    @property
    def log(self):
        return self.folder / f"{self.name}.log"

    @property
    def written(self):
        return self.folder / f"{self.name}.pid"

    def run(self, report):
        report(Place(0.5, "half"))
        print("written by", self.name, flush=True)
        self.written.write_text(str(os.getpid()))

    def clean_fragments(self):
        self.log.unlink(missing_ok=True)


class Killed(Writes):
    def run(self, report):
        print("the last words", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


class KilledOnce(Writes):
    def run(self, report):
        before = self.folder / "before"
        if not before.exists():
            before.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        super().run(report)


class Raises(Writes):
    def run(self, report):
        raise RuntimeError("of the user")


class Refuses(Writes):
    def run(self, report):
        raise UnlearningError("It cannot be done.")


class Unreadable(Writes):
    def __reduce__(self):
        return int, ("nothing",)


class Waits(Writes):
    """Begins to write, and never ends."""

    @property
    def fragment(self):
        return self.folder / f".{self.name}.tmp"

    def run(self, report):
        self.fragment.touch()
        report(Place(0.5, "half"))
        time.sleep(600)

    def clean_fragments(self):
        self.fragment.unlink(missing_ok=True)
        super().clean_fragments()
