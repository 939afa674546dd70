"""How one side of the data is run through the Trainer: windows, passes, isolation, precision, ranks."""

from lightning_unlearn.passes._session import Session
from lightning_unlearn.passes._side import Side
from lightning_unlearn.passes._source import Source

__all__ = ["Session", "Side", "Source"]
