"""The picture in docs/audit.md: `python -m tests.audit._screenshot docs/images/audit.png` (needs Chromium)."""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from lightning_unlearn.audit._write import write
from tests.audit._samples import classification


def main(path: str) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page_path = write(classification(), folder)["report.html"]
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 1130}, color_scheme="light")
        page.goto(page_path.as_uri())
        page.screenshot(path=path)
        browser.close()
    print(path, Path(path).stat().st_size, "bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
