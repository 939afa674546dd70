"""Where `atomically` used to be."""

from lightning_unlearn._files import atomically

__all__ = ["atomically"]
