"""The names of the two sides, as keys of a batch."""

from typing import Literal, TypeAlias

SideName: TypeAlias = Literal["forget", "retain"]
SIDES: tuple[SideName, ...] = ("forget", "retain")
