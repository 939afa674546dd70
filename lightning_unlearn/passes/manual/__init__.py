"""Modules that step their optimisers themselves: both sides of a batch, side by side from step to step."""

from lightning_unlearn.passes.manual._manual_pass import ManualPass

__all__ = ["ManualPass"]
