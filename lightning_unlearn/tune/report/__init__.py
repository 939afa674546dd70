"""What a search shows: a table, files, figures and a page, made from its trials alone."""

from lightning_unlearn.tune.report._write import write_reports

__all__ = ["write_reports"]
