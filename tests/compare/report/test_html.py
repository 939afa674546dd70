"""The page as text: what is on it, what can never be on it."""

import re
from functools import cache
from itertools import pairwise

import pytest

from lightning_unlearn.compare.report._html import to_html
from lightning_unlearn.compare.report._read import cells_of
from lightning_unlearn.compare.report._summarise import summarise
from tests._pages import Reader
from tests.compare.report._cells import ODD, SAMPLES, comparison
from tests.compare.report._oracle import REPORTED, expected

by_sample = pytest.mark.parametrize("name", SAMPLES)


@cache
def page_of(name):
    return to_html(summarise(cells_of(SAMPLES[name]())))


@by_sample
def test_nothing_is_loaded_and_nothing_runs(name):
    page = page_of(name)
    reader = Reader(page)
    assert reader.all("script") == []
    assert reader.all("img") == []
    for tag, attributes in reader.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "data", "action", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith("#") or (tag, value) == ("link", "data:,")
    assert re.findall(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", page) == []
    (policy,) = [m["content"] for m in reader.all("meta") if "http-equiv" in m]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@by_sample
def test_identifiers_are_unique_and_what_points_at_one_finds_it(name):
    page = page_of(name)
    elements = Reader(page).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    pointed = {a[n].removeprefix("#") for _, a in elements for n in ("href", "xlink:href", "aria-labelledby") if a.get(n, "").startswith("#") or (n == "aria-labelledby" and n in a)}  # fmt: skip
    assert pointed | set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


@by_sample
def test_headings_tables_and_figures_can_be_found_by_ear(name):
    page = page_of(name)
    reader = Reader(page)
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert len(reader.all("table")) == len(reader.all("caption"))
    assert {head.get("scope") for head in reader.all("th")} == {"col", "row", "rowgroup"}
    drawings = [a for _, a in reader.elements if a.get("role") == "img"]
    assert len(drawings) == len(reader.all("figure"))
    assert all(len(drawing["aria-label"]) > 40 for drawing in drawings)


def test_every_text_of_the_user_is_text():
    """What means something to HTML stands on the page as it was written, and makes no element."""
    page = page_of("odd_names")
    reader = Reader(page)
    assert ODD in reader.text
    assert "<b>CUDA|out of memory</b>" in reader.text
    assert "alert(1)" not in "".join(re.findall(r"<[^>]*>", re.sub(r'aria-label="[^"]*"', "", page)))
    assert len(reader.all("style")) == 1


def test_every_row_has_its_numbers_beside_one_another():
    cells = comparison()
    section = page_of("comparison").split('<h2 id="request-2"')[1]
    row = re.search(r'<th scope="row">PGU</th>(.*?)</tr>', section, re.DOTALL)[1]
    found = [re.sub(r"<[^>]*>", " ", cell).split() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
    wanted = expected(cells, "the digit 3", "strategy", "PGU")
    assert found[0] == ["4"]
    assert found[1] == [
        f"{wanted['average_gap']['mean']:.2f}",
        "±",
        f"{wanted['average_gap']['deviation']:.2f}",
    ]
    for cell, measure in zip(found[2:7], REPORTED, strict=True):
        assert cell == [
            f"{100 * wanted[measure]['mean']:.1f}",
            "±",
            f"{100 * wanted[measure]['deviation']:.1f}",
        ]
    for cell, pair in zip(found[7:9], ("beside_fine_tuning", "beside_ascent"), strict=True):
        assert cell == [f"−{-wanted[pair]['mean']:.2f}", "±", f"{wanted[pair]['deviation']:.2f}"]
    assert found[9:11] == [["36"], ["36", "6", "of", "6"]]


def test_the_answer_comes_first_and_what_is_missing_is_said():
    text = Reader(page_of("incomplete")).text
    order = ("SFRon comes closest", "What is missing", "UNO has no cell for original 3", "RuntimeError: <b>CUDA", "the digit 3: mean over cells")  # fmt: skip
    at = [text.index(part) for part in order]
    assert at == sorted(at)
    assert "What is missing" not in Reader(page_of("comparison")).text


def test_several_versions_are_said():
    cells = comparison()
    cells[0]["versions"] = {**cells[0]["versions"], "torch": "2.14.0"}
    page = to_html(summarise(cells_of(cells)))
    assert "made by several versions" in page
    assert "2.14.0" in page
    assert "made by several versions" not in page_of("comparison")


def test_classes_arguments_and_settings_are_on_the_page():
    text = Reader(page_of("comparison")).text
    for part in (
        "lightning_unlearn.SFRon: alpha 1.0",
        "Settings A: model.lr 0.003.",
        "Settings B: model.lr 0.01.",
        "2.15.0",
    ):
        assert part in text
