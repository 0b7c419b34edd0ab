"""Makes the pictures of the web page from the real command on records that were written for this repository.

Needs the extras ``local`` and ``dev``, and Chromium (``apt-get install chromium``); the page takes the serif fonts of
the system, here those of ``fonts-urw-base35``. Run it again when the page changes:
``python docs/make_page_pictures.py``.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs/pictures"
QUESTION = "Is vitrification safer than slow freezing for ovarian tissue?"
REFUSED = "What is the capital of Mongolia?"
MEDQA = (sys.executable, "-c", "from llama_index_medqa.cli.command import main; main()")
MILLISECONDS = 300_000


class Picture(NamedTuple):
    """A picture of the page.

    Attributes:
        name: of its file.
        width: of the window, in pixels.
        height: likewise.
        scheme: ``light`` or ``dark``.
        question: what is asked.
    """

    name: str
    width: int
    height: int
    scheme: str
    question: str = QUESTION


WANTED = (
    Picture("page.png", 1200, 760, "light"),
    Picture("page-dark.png", 1200, 760, "dark"),
    Picture("page-phone.png", 390, 844, "light"),
    Picture("page-phone-dark.png", 390, 844, "dark", REFUSED),
)


@contextmanager
def application(folder: str) -> Iterator[str]:
    """The address of ``medqa app``, which answers without a model, as it does on every machine alike."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    papers = str(ROOT / "examples/papers.jsonl")
    subprocess.run([*MEDQA, "index", papers, "--index", "papers"], cwd=folder, env=environment, check=True)
    command = [*MEDQA, "app", "--index", "papers", "--llm", "extractive", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        said = next((line for line in process.stdout if "listens on" in line), "")
        try:
            yield re.findall(r"http://[\d.:]+", said)[0]
        finally:
            process.send_signal(signal.SIGINT)


def photograph(browser: Browser, address: str, picture: Picture) -> None:
    """Asks the page, and saves what the window shows of the answer."""
    window = {"width": picture.width, "height": picture.height}
    page = browser.new_page(viewport=window, color_scheme=picture.scheme)
    page.goto(address)
    page.get_by_role("textbox", name="question").fill(picture.question)
    page.keyboard.press("Enter")
    page.locator(".more:not([hidden])").wait_for(timeout=MILLISECONDS)
    page.wait_for_load_state("networkidle")
    if page.locator("a.sentence").count():
        page.locator("a.sentence").last.click()
        page.locator("mark.now").first.wait_for()
        page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    page.screenshot(path=PICTURES / picture.name)
    page.close()


def main() -> None:
    """Makes the pictures."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise SystemExit("make_page_pictures needs Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, application(folder) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for picture in WANTED:
            photograph(browser, address, picture)
        browser.close()


if __name__ == "__main__":
    main()
