"""Accuracy by class: original, unlearned, references."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from matplotlib.axes import Axes

from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.audit.figures._looks import Look, looks
from lightning_unlearn.rendering import GRID, REFERENCE, Shown, drawing, share

GROUP = "Accuracy by class"
_MOST = 24
_Values = Mapping[str, Sequence[float | None]]


def accuracy_by_class(report: AuditReport) -> list[Shown]:
    """Each class a row, each model a marker, the references a bar from the worst to the best of them."""
    values, classes = report.curves.accuracy_by_class, list(report.curves.classes)
    if not values or not classes:
        return []
    styles = looks(report, values)
    references = [name for name in styles if styles[name].colour == REFERENCE]
    single = [name for name in styles if name not in references]
    forgotten = set(report.request.get("classes") or ())
    rows = sorted(
        _furthest(values, len(classes), [k for k, label in enumerate(classes) if label in forgotten])
    )
    with drawing(4.2, 1.1 + 0.36 * len(rows)) as (figure, axes):
        lanes = len(single) + bool(references)
        for lane, name in enumerate(single):
            points = [(values[name][k], y + _lane(lane, lanes)) for y, k in enumerate(rows)]
            _markers(axes, points, styles[name])
        last = _lane(lanes - 1, lanes)
        for y, k in enumerate(rows):
            found = [value for name in references if (value := values[name][k]) is not None]
            if len(found) > 1:
                axes.plot(
                    [100 * min(found), 100 * max(found)],
                    [y + last, y + last],
                    color=REFERENCE,
                    linewidth=5,
                    alpha=0.35,
                    zorder=1,
                )
        if references:
            means = [(_mean([values[name][k] for name in references]), y + last) for y, k in enumerate(rows)]
            _markers(axes, means, styles[references[0]])
        axes.set_yticks(range(len(rows)), [_label(classes[k], forgotten) for k in rows])
        for tick, k in zip(axes.get_yticklabels(), rows, strict=True):
            tick.set_fontweight("bold" if classes[k] in forgotten else "normal")
        axes.hlines([y + 0.5 for y in range(len(rows) - 1)], -3, 103, color=GRID, linewidth=0.8)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(-3, 103)
        axes.set_xlabel("right answers on unseen samples (%)")
        axes.set_ylabel("class")
    left_out = len(classes) - len(rows)
    return [
        Shown(
            "accuracy-by-class",
            GROUP,
            "Right answers on unseen samples, class by class",
            _alt(values, single, references, classes, forgotten),
            figure,
            ("class", *single, *(["references, mean", "references, range"] if references else [])),
            [
                (
                    _label(label, forgotten),
                    *(share(values[name][k]) for name in single),
                    *(_summary([values[name][k] for name in references]) if references else ()),
                )
                for k, label in enumerate(classes)
            ],
            f"The drawing leaves out {left_out} classes in which the models differ least."
            if left_out
            else "",
        )
    ]


def _lane(lane: int, lanes: int) -> float:
    """How far from the middle of its row a model is drawn, so that equal values can be seen."""
    return 0.17 * (lane - (lanes - 1) / 2) if lanes > 1 else 0.0


def _markers(axes: Axes, points: Iterable[tuple[float | None, float]], look: Look) -> None:
    there = [(100 * value, y) for value, y in points if value is not None]
    axes.plot(
        [x for x, _ in there],
        [y for _, y in there],
        linestyle="",
        marker=look.marker,
        markersize=5.5,
        markerfacecolor=look.colour if look.filled else "none",
        markeredgecolor=look.colour,
        markeredgewidth=1.5,
        label=look.label,
        clip_on=False,
        zorder=3 if look.filled else 2,
    )


def _furthest(values: _Values, count: int, always: Sequence[int]) -> list[int]:
    """The classes that are drawn: those asked for, and those in which the models differ most."""

    def spread(k: int) -> float:
        found = [value for of in values.values() if (value := of[k]) is not None]
        return max(found) - min(found) if found else 0.0

    others = sorted((k for k in range(count) if k not in always), key=spread, reverse=True)
    return [*always, *others][: max(_MOST, len(always))]


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def _summary(values: Sequence[float | None]) -> tuple[str, str]:
    there = [value for value in values if value is not None]
    if not there:
        return share(None), share(None)
    return share(_mean(there)), f"{share(min(there))} to {share(max(there))}"


def _label(label: int, forgotten: Collection[int]) -> str:
    return f"{label} (forgotten)" if label in forgotten else str(label)


def _alt(
    values: _Values,
    single: Sequence[str],
    references: Sequence[str],
    classes: Sequence[int],
    forgotten: Collection[int],
) -> str:
    said = [f"Share of right answers for {len(classes)} classes."]
    for k, label in enumerate(classes):
        if label in forgotten:
            each = [f"{name} {share(values[name][k])}" for name in single]
            each += (
                ["references " + _summary([values[name][k] for name in references])[1]] if references else []
            )
            said.append(f"Class {label}, which had to be forgotten: {', '.join(each)}.")
    return " ".join(said[:4])
