"""Figures hold the numbers of the report, and can be told apart without colour."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from lightning_unlearn.audit._report import Curves
from lightning_unlearn.audit.figures import figures, svg
from lightning_unlearn.rendering._style import COLOURS
from tests.audit._samples import classification, without_reference
from tests.audit._simulated import REFERENCES


def of(curves, report=None):
    return figures(replace(report or classification(), curves=curves))


@pytest.fixture(scope="module")
def drawn():
    return {shown.name: shown for shown in figures(classification())}


def lines(shown):
    return {line.get_label(): line for line in shown.figure.axes[0].lines}


def test_every_curve_of_the_report_has_a_figure(drawn):
    sides = [f"loss-{side}" for side in ("forget", "retain", "test", "unseen")]
    scatters = [f"scatter-{side}" for side in ("forget", "retain", "unseen")]
    assert list(drawn) == ["accuracy-by-class", *sides, "roc-entropy", "roc-log-likelihood", *scatters]
    assert figures(replace(classification(), curves=Curves())) == []


def test_accuracy_by_class(drawn):
    shown = drawn["accuracy-by-class"]
    values = classification().curves.accuracy_by_class
    for name in ("original", "unlearned"):
        assert lines(shown)[name].get_xdata() == pytest.approx(100 * np.array(values[name]))
    means = np.mean([values[name] for name in REFERENCES], axis=0)
    assert lines(shown)["3 references"].get_xdata() == pytest.approx(100 * means)
    assert [label.get_text() for label in shown.figure.axes[0].get_yticklabels()][3] == "3 (forgotten)"
    assert shown.rows[3][:3] == ("3 (forgotten)", "98.6\xa0%", "0\xa0%")


def test_of_many_classes_those_are_drawn_that_were_asked_for_and_that_differ_most():
    after = [0.9] * 100
    after[3], after[71] = 0.0, 0.2
    values = {"original": (0.9,) * 100, "unlearned": tuple(after)}
    (shown,) = of(Curves(classes=tuple(range(100)), accuracy_by_class=values), without_reference())
    labels = [label.get_text() for label in shown.figure.axes[0].get_yticklabels()]
    assert len(labels) == 24
    assert {"3", "71"} <= set(labels)
    assert len(shown.rows) == 100
    assert "76 classes" in shown.note


def test_a_class_without_samples_is_a_dash():
    values = {"original": (0.5, None), "unlearned": (None, None)}
    (shown,) = of(Curves(classes=(0, 1), accuracy_by_class=values), without_reference())
    assert shown.rows == [("0", "50\xa0%", "–"), ("1", "–", "–")]
    assert len(lines(shown)["original"].get_xdata()) == 1


def test_loss_histograms_are_shares(drawn):
    shown = drawn["loss-forget"]
    counts = classification().curves.loss_counts["forget"]
    stairs = {patch.get_label(): patch.get_data() for patch in shown.figure.axes[0].patches}
    for name in ("original", "unlearned"):
        assert stairs[name].values == pytest.approx(100 * np.array(counts[name]) / sum(counts[name]))
    assert np.isfinite(stairs["original"].edges).all()
    assert shown.rows[-1][0] == "30 to ∞"
    assert len(shown.rows) == len(counts["original"])


@pytest.mark.parametrize(
    ("edges", "scale"),
    [
        ((0.0, 1.0, 2.0, 3.0), "linear"),
        ((0.0, 0.001, 0.1, 10.0), "symlog"),
        ((-1.0, 0.0, 1.0, math.inf), "linear"),
    ],
)
def test_bins_that_grow_have_a_log_axis(edges, scale):
    (shown,) = of(Curves(loss_edges=edges, loss_counts={"forget": {"original": (1, 2, 3)}}))
    assert shown.figure.axes[0].get_xscale() == scale
    assert svg(shown.figure, "a")


def test_a_side_without_samples_is_drawn_empty():
    (shown,) = of(Curves(loss_edges=(0.0, 1.0), loss_counts={"forget": {"original": (0,)}}))
    assert shown.rows == [("0 to 1", "0\xa0%")]
    assert "original no samples" in shown.alt


def test_roc_on_log_axes_with_the_rates_that_count(drawn):
    axes = drawn["roc-entropy"].figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    points = ((0.0, 0.0), (0.0, 0.02), (0.01, 0.2), (0.5, 0.8), (1.0, 1.0))
    (shown,) = of(Curves(roc={"entropy": {"unlearned": points}}))
    area = 0.5 * 0.01 * (0.02 + 0.2) + 0.5 * 0.49 * (0.2 + 0.8) + 0.5 * 0.5 * 1.8
    assert shown.rows == [("unlearned", f"{area:.3f}", "2\xa0%", "20\xa0%", "20\xa0%", "80\xa0%")]
    assert "unlearned 20\xa0%; guessing finds 1 %" in shown.alt


def test_scatter_of_the_losses(drawn):
    points = -np.array(classification().curves.scatter["forget"])
    line = lines(drawn["scatter-forget"])["one sample"]
    assert line.get_xydata() == pytest.approx(points)
    medians = np.quantile(points, 0.5, axis=0)
    assert drawn["scatter-forget"].rows[2][0] == "50\xa0%"
    assert float(drawn["scatter-forget"].rows[2][2]) == pytest.approx(medians[1], abs=5e-4)
    inf = math.inf
    (shown,) = of(Curves(scatter={"forget": ((-1.0, -2.0), (0.0, -inf), (-3.0, -1.0), (-0.0, -0.0))}))
    assert "Not drawn: 1 samples" in shown.note
    assert "33.3\xa0%" in shown.alt


def test_nothing_is_told_by_colour_alone(drawn):
    """Whatever differs in colour differs in its marker or its line too."""
    for shown in drawn.values():
        handles = shown.figure.legends[0].legend_handles
        looks = [(str(h.get_linestyle()), str(getattr(h, "get_marker", str)()), str(getattr(h, "_dash_pattern", ""))) for h in handles]  # fmt: skip
        assert len(set(looks)) == len(handles) > 1, shown.name


def test_many_variants_have_a_look_each_as_long_as_there_are_three():
    report = classification()
    (variant,) = [model for model in report.models if model.role == "variant"]
    names = ("8 bits", "4 bits", "fine-tuned", "one more")
    models = (*report.models[:2], *(replace(variant, name=name) for name in names))
    accuracy = dict.fromkeys(("original", "unlearned", *names), (0.5,))
    (shown,) = of(Curves(classes=(0,), accuracy_by_class=accuracy), replace(report, models=models))
    markers = {name: line.get_marker() for name, line in lines(shown).items()}
    assert len({markers[name] for name in ("original", "unlearned", *names[:3])}) == 5
    assert markers["one more"] == markers["8 bits"]


def contrast(one, other):
    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", list(COLOURS)[:7])
def test_lines_are_seen_on_white(colour):
    assert contrast(colour, "#ffffff") >= 3.0  # WCAG 2.2, 1.4.11


def test_an_svg_has_variables_for_colours_and_no_address(drawn):
    text = svg(drawn["roc-entropy"].figure, "roc-entropy")
    assert {"var(--original)", "var(--unlearned)", "var(--reference)", "var(--ink)"} <= set(
        re.findall(r"var\(--\w+\)", text)
    )
    assert "http" not in text
    assert svg(drawn["roc-entropy"].figure, "roc-entropy") == text
    assert svg(drawn["roc-entropy"].figure, "other") != text
