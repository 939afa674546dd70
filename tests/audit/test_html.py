"""The page as text: what is on it, what can never be on it."""

import re
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from lightning_unlearn.audit._html import to_html
from lightning_unlearn.audit._markdown import to_markdown
from lightning_unlearn.audit._report import AttackRecord, Curves, ModelRecord
from lightning_unlearn.audit._rows import MEANINGS
from lightning_unlearn.rendering import number
from tests._pages import Reader
from tests.audit._samples import SAMPLES, classification, generator, without_reference

by_sample = pytest.mark.parametrize("name", SAMPLES)


@cache
def page_of(name):
    return to_html(SAMPLES[name]())


@by_sample
def test_nothing_is_loaded_and_nothing_runs(name):
    page = page_of(name)
    reader = Reader(page)
    assert reader.all("script") == []
    for tag, attributes in reader.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "data", "action", "srcset"):
            value = attributes.get(name)
            assert (
                value is None
                or value.startswith(("#", "data:image/png;base64,"))
                or (tag, value) == ("link", "data:,")
            )
    assert re.findall(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", page) == []
    (policy,) = [m["content"] for m in reader.all("meta") if "http-equiv" in m]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@by_sample
def test_identifiers_are_unique_and_what_points_at_one_finds_it(name):
    page = page_of(name)
    elements = Reader(page).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    pointed = {attributes[name].removeprefix("#") for _, attributes in elements for name in ("href", "xlink:href", "aria-labelledby") if attributes.get(name, "").startswith("#") or (name == "aria-labelledby" and name in attributes)}  # fmt: skip
    assert pointed | set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


@by_sample
def test_headings_go_down_one_by_one_from_one_first(name):
    page = page_of(name)
    levels = [int(tag[1]) for tag, _ in Reader(page).elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


@by_sample
def test_every_table_has_a_caption_and_every_head_a_scope(name):
    page = page_of(name)
    reader = Reader(page)
    assert len(reader.all("table")) == len(reader.all("caption")) > 5
    assert {head.get("scope") for head in reader.all("th")} == {"col", "row", "rowgroup"}


def test_every_figure_has_a_label_and_its_numbers():
    reader = Reader(page_of("classification"))
    drawings = [a for _, a in reader.elements if a.get("role") == "img"]
    assert len(drawings) == len(reader.all("figure")) == 10
    assert all(len(drawing["aria-label"]) > 40 for drawing in drawings)
    for figure in re.findall(r"<figure.*?</figure>", page_of("classification"), re.DOTALL):
        assert re.search(r"<details.*?<table.*?<td", figure, re.DOTALL)
    for image in Reader(page_of("generator")).all("img"):
        assert image["alt"].endswith(".")


@pytest.mark.parametrize("name", MEANINGS)
def test_every_verdict_has_a_page_that_says_it_in_words(name):
    report = generator()
    page = to_html(replace(report, verdict=replace(report.verdict, name=name)))
    assert f"</span>{name.capitalize()}</h1>" in page
    assert f"{name} (this audit)" in page


def test_the_verdict_comes_first_with_its_reasons_and_limits():
    text = Reader(page_of("classification")).text
    verdict = classification().verdict
    order = [
        verdict.sentence,
        *verdict.reasons,
        *verdict.cannot_know,
        "Tests of the unlearned",
        "Every metric",
    ]
    at = [text.index(part) for part in order]
    assert at == sorted(at)


def test_every_number_of_every_metric_is_on_the_page_and_in_the_markdown():
    report = classification()
    pages = Reader(page_of("classification")).text, to_markdown(report)
    for record in report.metrics:
        values = [*(estimate.value for name, estimate in record.values.items() if "reference" not in name)]
        for value in [*values, record.references.mean, record.references.gap, *record.gaps.values()]:
            assert all(number(value) in page for page in pages), (record.name, value)


def test_digests_configuration_and_environment_are_on_both():
    report = classification()
    for page in (Reader(page_of("classification")).text, to_markdown(report).replace("\\", "")):
        for record in (*report.models, *report.sides):
            assert record.sha256 in page
        for part in ("relearn.learning_rate", "0.001", "packages.torch", "2.15.0", "2026-03-14T09:26:53Z"):
            assert part in page


@pytest.mark.parametrize("write", [to_html, to_markdown])
def test_without_a_reference_nothing_is_passed(write):
    page, control = (write(replace(of(), curves=Curves())) for of in (without_reference, classification))
    assert "needs a reference" in page
    assert "needs a reference" not in control
    assert not re.search(r"\b(passed|pass|success|safe)\b", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL), re.IGNORECASE)  # fmt: skip


def test_every_test_stands_beside_its_control():
    def row(question):
        (found,) = re.findall(rf'<th scope="row">{question}.*?</tr>', page_of("classification"), re.DOTALL)
        return re.findall(r"(?:no )?difference found", found)

    assert row("Do forget samples") == ["no difference found", "difference found"]
    assert row("Do the features") == ["difference found", "difference found"]
    assert row("Has the retain set") == ["no difference found", "no difference found"]
    alone = to_markdown(replace(classification(), control=()))
    assert alone.count("| not run |") == len(classification().tests)


# ---- what users write -------------------------------------------------------------------------------------------
EVIL = '<script>alert("1")</script>\'"><img src=x onerror=alert(1)>&amp;`|*_]('


def poisoned():
    """Every string of a report that a user could have chosen."""
    report = classification()

    def curves(of):
        return {EVIL if name == "unlearned" else name: value for name, value in of.items()}

    drawn = report.curves
    return replace(
        report,
        verdict=replace(report.verdict, sentence=EVIL, reasons=(EVIL,), cannot_know=(EVIL,)),
        request={"kind": EVIL, "classes": [EVIL]},
        models=tuple(replace(m, name=EVIL, source=EVIL) if m.name == "unlearned" else m for m in report.models),
        sides=tuple(replace(s, name=EVIL) if s.name == "test" else s for s in report.sides),
        metrics=tuple(replace(m, name=EVIL, side=EVIL, measures=EVIL, citation=EVIL, values=curves(m.values)) for m in report.metrics),
        tests=tuple(replace(t, name=EVIL, question=EVIL, null=EVIL, finding=EVIL) for t in report.tests),
        attacks=(AttackRecord(EVIL, EVIL, False, EVIL),),
        curves=Curves(
            drawn.classes,
            curves(drawn.accuracy_by_class),
            drawn.loss_edges,
            {EVIL if side == "test" else side: curves(of) for side, of in drawn.loss_counts.items()},
            {EVIL: curves(drawn.roc["entropy"])},
            {EVIL: drawn.scatter["forget"]},
            {EVIL: {"png": generator().curves.images["samples of the original"]["png"], "description": EVIL}},
        ),
        configuration={EVIL: EVIL},
        environment={EVIL: {EVIL: EVIL}},
        made={"at": EVIL, "seconds": 1},
    )  # fmt: skip


def test_what_users_write_stays_text_on_the_page():
    page = to_html(poisoned())
    reader = Reader(page)
    assert reader.all("script") == []
    assert {image["src"][:15] for image in reader.all("img")} == {"data:image/png;"}
    assert not [a for _, a in reader.elements if any(name.startswith("on") for name in a)]
    assert reader.text.count(EVIL) > 30
    usual = {tag for name in SAMPLES for tag, _ in Reader(page_of(name)).elements}
    assert {tag for tag, _ in reader.elements} <= usual


def test_what_users_write_stays_text_in_the_markdown():
    text = to_markdown(poisoned())
    assert "<" not in text
    control = to_markdown(classification())
    heads = [[line for line in of.splitlines() if line.startswith("#")] for of in (text, control)]
    assert heads[0][:5] == heads[1][:5]
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if lines[0].startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_sides_whose_names_look_alike_have_figures_of_their_own():
    report = classification()
    drawn = report.curves.loss_counts["forget"]
    curves = Curves(loss_edges=report.curves.loss_edges, loss_counts={"a b": drawn, "a-b": drawn, "": drawn})
    ids = re.findall(r' id="([^"]*)"', to_html(replace(report, curves=curves)))
    assert len([i for i in ids if i.endswith("-caption") and i.startswith("loss-")]) == 3
    assert len(ids) == len(set(ids))


def test_line_breaks_do_not_break_a_table():
    report = classification()
    model = ModelRecord("unlearned", "unlearned", "a\n| b |\nc", "0" * 64, 1)
    text = to_markdown(replace(report, models=(report.models[0], model)))
    assert "a \\| b \\| c" in text


@pytest.mark.parametrize(
    "empty",
    [{"tests": (), "control": ()}, {"metrics": ()}, {"attacks": ()}, {"curves": Curves()}, {"configuration": {}}, {"sides": ()}],
)  # fmt: skip
def test_what_is_empty_is_left_out_or_said(empty):
    report = replace(generator(), **empty)
    Reader(to_html(report))
    assert to_markdown(report)
