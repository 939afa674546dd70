"""The page in a real browser: Debian's Chromium, without a network."""

import os
import shutil
from pathlib import Path

import pytest

from lightning_unlearn.audit._write import write
from tests.audit._samples import SAMPLES, long_names

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
PHONE, DESK = {"width": 375, "height": 812}, {"width": 1280, "height": 900}

by_sample = pytest.mark.parametrize("sample", SAMPLES)
FOCUSABLE = "a[href], summary, [tabindex='0'], button, input, select"
SEEN = f"""() => [...document.querySelectorAll("{FOCUSABLE}")]
    .filter(e => e.checkVisibility({{contentVisibilityAuto: true}})).map(e => e.outerHTML.slice(0, 80))"""
NOW = """() => {
    const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e)
    return {html: e.outerHTML.slice(0, 80), ring: style.outlineStyle != "none" && parseFloat(style.outlineWidth) >= 2,
            seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth}
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audits")
    samples = {**SAMPLES, "long_names": long_names}
    return {name: write(sample(), folder / name)["report.html"] for name, sample in samples.items()}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, pages):
    """Open a page; what it says on the console and what it asks for is written down."""
    contexts = []

    def open_(sample: str, viewport: dict = DESK, scheme: str = "light"):
        context = browser.new_context(
            viewport=viewport, color_scheme=scheme, offline=True, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(Path(pages[sample]).as_uri(), wait_until="load")
        return page

    yield open_
    for context in contexts:
        context.close()


def unfolded(page):
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    return page


def violations(page):
    found = axe.Axe().run(page).response["violations"]
    return [(v["id"], [node["html"][:120] for node in v["nodes"]][:3]) for v in found]


@pytest.mark.parametrize("sample", [*SAMPLES, "long_names"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_is_asked_for_said_or_wider_than_the_screen(opened, pages, sample, viewport):
    page = unfolded(opened(sample, viewport))
    assert page.asked == [pages[sample].as_uri()]
    assert page.said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")


@by_sample
@pytest.mark.parametrize(("scheme", "viewport"), [("light", DESK), ("dark", PHONE)], ids=["light", "dark"])
def test_axe_finds_nothing(opened, sample, scheme, viewport):
    assert violations(unfolded(opened(sample, viewport, scheme))) == []


def test_axe_finds_nothing_on_a_folded_page(opened):
    assert violations(opened("generator")) == []


def test_axe_would_find_something(opened):
    page = opened("generator")
    page.evaluate("document.querySelector('img').removeAttribute('alt'); document.body.style.color = '#ccc'")
    assert {"image-alt", "color-contrast"} <= {rule for rule, _ in violations(page)}


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_everything_that_can_have_the_focus_gets_it_by_tab_in_order_and_shows_it(opened, viewport):
    page = unfolded(opened("classification", viewport))
    wanted = page.evaluate(SEEN)
    got = []
    for _ in wanted:
        page.keyboard.press("Tab")
        now = page.evaluate(NOW)
        assert now["ring"], now
        assert now["seen"], now
        got.append(now["html"])
    assert got == wanted
    assert len(wanted) == page.locator("a, summary, .scroll").count()


def test_the_first_tab_is_a_link_to_the_content_and_details_open_by_keyboard(opened):
    page = opened("classification")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")


def test_a_table_scrolls_by_keyboard_on_a_phone(opened):
    page = opened("classification", PHONE)
    table = page.locator(".scroll:has(.metrics)")
    table.focus()
    assert table.evaluate("e => e.scrollWidth > e.clientWidth && e.scrollLeft == 0")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("e => e.scrollLeft > 0", arg=table.element_handle())


def test_light_and_dark_differ_and_so_do_the_lines_in_them(opened):
    def colours(scheme):
        page = opened("classification", DESK, scheme)
        of = "s => getComputedStyle(document.querySelector(s))"
        line = page.evaluate("""getComputedStyle([...document.querySelectorAll('.drawing path')]
            .find(p => p.getAttribute('style')?.includes('--unlearned'))).stroke""")
        return page.evaluate(f"({of})('body').backgroundColor"), line

    light, dark = colours("light"), colours("dark")
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    assert light[1] == "rgb(0, 114, 179)"


def test_in_print_it_is_light_and_everything_is_unfolded(opened):
    page = opened("classification", DESK, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(31, 41, 51)"
    hidden = page.evaluate("[...document.querySelectorAll('details td')].filter(e => e.getBoundingClientRect().height == 0).length")  # fmt: skip
    assert hidden == 0
    page.set_viewport_size({"width": 700, "height": 1000})  # A4 with margins
    assert page.evaluate("document.documentElement.scrollWidth") == 700
