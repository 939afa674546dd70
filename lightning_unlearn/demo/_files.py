"""The old place of :mod:`lightning_unlearn._files`."""

from lightning_unlearn._files import atomically, prepare_folder

__all__ = ["atomically", "prepare_folder"]
