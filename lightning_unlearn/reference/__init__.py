"""References: models retrained from scratch on the retain set, which an audit compares with."""

from lightning_unlearn.reference._digest import data_digest
from lightning_unlearn.reference._run import retrain_references
from lightning_unlearn.reference._stamp import Stamp, read_stamp

__all__ = ["retrain_references", "data_digest", "Stamp", "read_stamp"]
