"""The figures of a report in TensorBoard and in Weights & Biases."""

from __future__ import annotations

from collections.abc import Iterable

from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger

from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.audit.figures import figures, sample_grids


def log_figures(report: AuditReport, loggers: Iterable[Logger]) -> list[str]:
    """Send the figures of the page, and its grids of samples, to the loggers that take pictures; no number is logged.

    TensorBoard gets each by `add_figure` at step 0, Weights & Biases as an image with a caption. Others get nothing.

    Args:
        report: What an audit has found.
        loggers: Those of a Trainer: `trainer.loggers`.

    Returns:
        The tags, `audit/<figure>`; none if no logger takes pictures.

    Example:
        >>> from lightning.pytorch.loggers import CSVLogger
        >>> log_figures(None, [CSVLogger(".")])
        []
    """
    able = [logger for logger in loggers if isinstance(logger, TensorBoardLogger | WandbLogger)]
    if not able:
        return []
    shown = {f"audit/{one.name}": one for one in (*figures(report), *sample_grids(report))}
    for logger in able:
        for tag, one in shown.items():
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_figure(tag, one.figure, global_step=0, close=False)
            else:
                logger.log_image(tag, [one.figure], caption=[f"{one.title}. {one.alt}"])
    return list(shown)
