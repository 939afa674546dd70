"""How much each weight matters to one side of the data: the diagonal of its Fisher information."""

from lightning_unlearn.importance._fisher import Fisher, diagonal_fisher

__all__ = ["Fisher", "diagonal_fisher"]
