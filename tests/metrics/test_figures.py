"""Every entry of docs/metrics.md has its picture, and the script draws what is committed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

DOCS = Path(__file__).parents[2] / "docs"
IMAGES = DOCS / "images" / "metrics"
ENTRIES = {
    re.match(r"\w+", entry).group(): entry
    for entry in re.split(r"^### ", (DOCS / "metrics.md").read_text(), flags=re.MULTILINE)[1:]
}
DRAWN_AGAIN = ("tow", "KLoM")


def words(svg: Path) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text())


def draw(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, DOCS / "figures.py", *arguments]
    environment = {**os.environ, "MPLBACKEND": "agg"}
    return subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    done = draw(*DRAWN_AGAIN, "--to", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_shows_its_image_and_says_what_is_seen(name):
    ((alt, file),) = re.findall(r"!\[([^]]*)\]\(([^)]*)\)", ENTRIES[name])
    assert file == f"images/metrics/{name}.svg"
    assert len(alt.split()) >= 15
    # what it says of numbers is in the picture
    in_picture = {number for text in words(DOCS / file) for number in re.findall(r"\d+\.\d+", text)}
    assert set(re.findall(r"\d+\.\d+", alt)) <= in_picture


def test_no_image_is_of_something_else():
    assert {path.stem for path in IMAGES.iterdir()} == set(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_images_are_small_and_have_a_background(name):
    text = (IMAGES / f"{name}.svg").read_text()
    assert len(text.encode()) < 60_000
    # the first thing drawn covers all: legible on dark pages
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text).groups()
    background = re.search(r'<path d="([^"]*)"\s+style="fill: #ffffff"', text).group(1)
    assert re.findall(r"[\d.]+", background) == ["0", height, width, height, width, "0", "0", "0"]


@pytest.mark.parametrize("name", DRAWN_AGAIN)
def test_the_script_draws_the_same_words_and_numbers(drawn, name):
    assert words(drawn / f"{name}.svg") == words(IMAGES / f"{name}.svg")


@pytest.mark.parametrize("name", DRAWN_AGAIN)
def test_the_script_draws_the_same_bytes(drawn, name):
    committed = (IMAGES / f"{name}.svg").read_text()
    if f"Matplotlib v{matplotlib.__version__}," not in committed:
        pytest.skip("drawn by another version of Matplotlib, which places things a little differently")
    assert (drawn / f"{name}.svg").read_text() == committed


def test_a_name_that_is_not_a_figure_is_refused_before_anything_is_drawn(tmp_path):
    done = draw("tow", "KLOM", "--to", tmp_path)
    assert done.returncode == 2
    assert "found KLOM" in done.stderr
    assert not list(tmp_path.iterdir())
