"""The page in a real browser: Debian's Chromium, without a network."""

import io
import os
import shutil

import pytest
from rich.console import Console

from lightning_unlearn.compare.report import write_reports
from tests.compare.report._cells import SAMPLES

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
CHROMIUM = os.environ.get("UNLEARN_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium: apt-get install chromium, or name it in UNLEARN_CHROMIUM"
    ),
]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
SHOWN = ("comparison", "incomplete", "odd_names", "without_reference")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparisons")
    return {
        name: write_reports(SAMPLES[name](), folder / name, Console(file=io.StringIO()))["report.html"]
        for name in SHOWN
    }


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


def opened(browser, path, width, scheme="light"):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, reduced_motion="reduce"
    )
    page = context.new_page()
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(path.as_uri(), wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    return page


@pytest.mark.parametrize("sample", SHOWN)
@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_is_asked_for_said_or_wider_than_the_screen(browser, pages, sample, width):
    page = opened(browser, pages[sample], width)
    assert page.asked == [pages[sample].as_uri()]
    assert page.said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


@pytest.mark.parametrize("sample", SHOWN)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 400)])
def test_axe_finds_nothing(browser, pages, sample, scheme, width):
    page = opened(browser, pages[sample], width, scheme)
    found = axe.Axe().run(page).response["violations"]
    assert [(v["id"], [node["html"][:120] for node in v["nodes"]][:3]) for v in found] == []
    page.context.close()


def test_on_a_desk_the_whole_table_is_seen(browser, pages):
    page = opened(browser, pages["comparison"], 1400)
    for table in page.locator(".scroll:has(.compared)").all():
        assert table.evaluate("e => e.scrollWidth <= e.clientWidth")
    page.context.close()


def test_names_in_a_figure_do_not_cover_one_another_in_the_font_of_the_browser(browser, pages):
    page = opened(browser, pages["comparison"], 1400)
    covered = page.evaluate("""() => [...document.querySelectorAll('.drawing')].map(drawing => {
        const boxes = [...drawing.querySelectorAll('text')].map(t => t.getBoundingClientRect())
        let found = 0
        boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {
            const w = Math.min(a.right, b.right) - Math.max(a.left, b.left)
            const h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)
            if (w > 1 && h > 3) found += 1
        }))
        return [boxes.length, found]
    })""")
    assert len(covered) == 6
    assert all(count > 5 and found == 0 for count, found in covered), covered
    page.context.close()


def test_in_print_it_is_light_and_fits_the_paper(browser, pages):
    page = opened(browser, pages["comparison"], 700, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.documentElement.scrollWidth") == 700
    page.context.close()
