"""Make the pictures of the README anew: `.venv/bin/python benchmarks/pictures.py`, with an installed Chromium.

A first page (`funnelkit report`), an explorable on one's own funnel (`funnelkit new --page`) and a lesson (`funnelkit
lessons site`), each in both languages, as those commands make them.
"""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from funnelkit.language import sample_files, speaking
from funnelkit.report.pages.pdf import chromium

PICTURES = Path(__file__).parents[1] / "notebooks" / "pictures"
WIDTH, HEIGHT = 1280, 720
LESSON = "09_why_did_it_change"


def funnelkit(*words: str) -> None:
    """Run a command of the kit as its user does."""
    subprocess.run([sys.executable, "-m", "funnelkit", *words], check=True, stdout=subprocess.DEVNULL)


def make_pages(folder: Path, lang: str) -> dict[str, Path]:
    """Write the pages to show; return the file of each."""
    report, page, site = folder / "report", folder / "page.html", folder / "site"
    with speaking(lang):
        deals = str(sample_files()[0])
    funnelkit("report", "--out", str(report), "--lang", lang)
    funnelkit("new", deals, "--stages", "industrial-8", "--page", "--out", str(page), "--lang", lang)
    funnelkit("lessons", "site", "--out", str(site), "--lang", lang)
    return {
        "first-page": report / "latest" / "report.html",
        "explorable": page,
        "lesson": site / lang / f"{LESSON}.html",
    }


def take(page: Page, name: str, lang: str, shown: Path) -> None:
    """Write one picture, with 256 colours: of the card a preset, of the lesson its first chart."""
    page.goto(shown.as_uri())
    if name == "explorable":
        page.locator(".chips button").nth(1).click()
    elif name == "lesson":
        page.locator("main img").first.evaluate(
            "image => scrollTo(0, image.closest('.result').getBoundingClientRect().top - 80)"
        )
    page.wait_for_timeout(800)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(PICTURES / f"{name}_{lang}.png", optimize=True)


def main() -> None:
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        for lang in ("en", "zh"):
            for name, shown in make_pages(Path(folder) / lang, lang).items():
                take(page, name, lang, shown)
        browser.close()


if __name__ == "__main__":
    main()
