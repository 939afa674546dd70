"""What a comparison shows: tables, figures and files, made from its cells alone."""

from lightning_unlearn.compare.report._read import read_cells
from lightning_unlearn.compare.report._write import write_reports

__all__ = ["read_cells", "write_reports"]
