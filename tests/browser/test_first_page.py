"""The first page fits: one screen of 1280 x 720, two of a phone, no sideways scrolling, one printed sheet."""

import nbformat
import pytest

from funnelkit import report
from funnelkit.language import speaking
from funnelkit.report.pages.html import page
from tests.report.first_page.test_summary import answers_of

from .lab import chromium

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason="no Chromium on the PATH")]
HEIGHT = "document.querySelector('.fp').getBoundingClientRect().bottom"
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def summary():
    pipeline = report.read_source(as_of="2025-12-31")
    return report.summary(pipeline, *answers_of(pipeline))


@pytest.fixture(scope="module", params=["en", "zh"])
def opened(request, summary, browser, tmp_path_factory):
    new = nbformat.v4
    with speaking(request.param):
        shown = {"text/html": summary._repr_mimebundle_()["text/html"]}
        cells = [new.new_code_cell("x", outputs=[new.new_output("display_data", shown)]), new.new_markdown_cell("## B")]
        html = page(new.new_notebook(cells=cells), str(summary.title))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html, encoding="utf-8")
    found = browser.new_page(viewport={"width": 1280, "height": 720})
    found.goto(path.as_uri())
    yield found
    found.close()


@pytest.mark.parametrize(("width", "most"), [(1280, 720), (900, 1300), (390, 2 * 844), (320, 2400)])
def test_it_fits_the_screen(opened, width, most):
    opened.set_viewport_size({"width": width, "height": 720})
    assert opened.evaluate(HEIGHT) <= most
    assert opened.evaluate(WIDER) <= 0


def test_it_is_one_printed_page_with_its_own_fonts(opened):
    opened.set_viewport_size({"width": 688, "height": 1017})  # A4 within margins of 14 mm
    opened.emulate_media(media="print")
    height, wider = opened.evaluate(HEIGHT), opened.evaluate(WIDER)
    opened.emulate_media(media="screen")
    assert height <= 1017 and wider <= 0
    assert b"FunnelSans" in opened.pdf(prefer_css_page_size=True)


def test_its_title_is_the_documents(opened, summary):
    assert opened.title() == opened.locator("h1").inner_text()
    assert opened.locator("h1").count() == 1
