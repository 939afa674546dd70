"""Grids of samples as figures, for loggers; on the page they are images."""

from __future__ import annotations

import base64
import io

from matplotlib.image import imread

from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.rendering import INK, Shown, drawing

GROUP = "Samples"


def sample_grids(report: AuditReport) -> list[Shown]:
    """One figure for each grid of generated samples."""
    found = []
    for n, title in enumerate(sorted(report.curves.images), start=1):
        image = report.curves.images[title]
        pixels = imread(io.BytesIO(base64.b64decode(image["png"])), format="png")
        height, width = pixels.shape[:2]
        with drawing(4.2, 0.5 + 4.2 * height / width, polished=False) as (figure, axes):
            axes.imshow(pixels, cmap="gray", interpolation="nearest")
            axes.set_axis_off()
            axes.set_title(title, loc="left", fontsize=9, color=INK)
        found.append(Shown(f"samples-{n}", GROUP, title, image["description"], figure, (), ()))
    return found
