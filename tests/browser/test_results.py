"""What a cell shows: sentences, a picture with its alt text in the page, a table; in JupyterLab and by nbconvert."""

import os
from pathlib import Path

import nbformat
import pytest

from .lab import chromium, jupyterlab, run_notebook, squeeze

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason="no Chromium is installed")]

CELLS = {
    "pipeline": "pipeline",
    "model": 'fk.funnel("industrial-8")',
    "compare": "fk.compare_periods(pipeline)",
    "stuck": "fk.stuck_deals(pipeline)",
    "forecast": "fk.forecast_open(pipeline)",
    "count": "fk.count_stages(pipeline)",
}
PICTURED = ("compare", "stuck", "forecast", "count")
WORDS = {"en": ("Solution demo", "1,981"), "zh": ("业绩展示", "1,981")}
SHOTS = os.environ.get("FUNNELKIT_SHOTS")  # a folder for screenshots, to be looked at


def notebook(lang):
    start = f'import funnelkit as fk\n\nfk.use("{lang}")\npipeline = fk.sample()'
    cells = [nbformat.v4.new_code_cell(source) for source in (start, *CELLS.values())]
    for cell, name in zip(cells, ("start", *CELLS), strict=True):
        cell.id = name
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("results")
    for lang in WORDS:
        nbformat.write(notebook(lang), path / f"{lang}.ipynb")
    return path


@pytest.fixture(scope="module")
def address(folder):
    with jupyterlab(folder) as found:
        yield found


def check(outputs, lang):
    """Hold the outputs of all cells, {cell: (text, alt texts)}, against what must be seen."""
    text = squeeze(" ".join(words for words, _ in outputs.values()))
    for word in WORDS[lang]:
        assert squeeze(word) in text
    for name in PICTURED:
        words, alts = outputs[name]
        assert len(words) > 80, f"{name} says nothing"
        assert [len(alt) > 40 for alt in alts] == [True], f"{name} shows {len(alts)} pictures with words"


@pytest.mark.parametrize("lang", WORDS)
def test_results_in_jupyterlab(browser, address, folder, lang):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    run_notebook(page, address, f"{lang}.ipynb")
    cells = page.locator(".jp-CodeCell")
    outputs = {}
    for place, name in enumerate(("start", *CELLS)):
        area = cells.nth(place).locator(".jp-Cell-outputArea")
        area.scroll_into_view_if_needed()
        alts = [image.get_attribute("alt") or "" for image in area.locator("img").all()]
        outputs[name] = (area.inner_text(), alts)
        if SHOTS and name != "start":
            area.screenshot(path=str(Path(SHOTS) / f"{lang}-{name}.png"))
        assert area.locator("table").count() >= (name in PICTURED), f"{name} shows no table"
    page.close()
    check(outputs, lang)
    assert errors == []


@pytest.mark.parametrize("lang", WORDS)
def test_results_by_nbconvert(browser, folder, lang):
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    made = notebook(lang)
    NotebookClient(made, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    body, _ = HTMLExporter().from_notebook_node(made)
    (folder / f"{lang}.html").write_text(body, encoding="utf-8")
    page = browser.new_page()
    page.goto((folder / f"{lang}.html").as_uri())
    cells = page.locator(".jp-CodeCell")
    outputs = {}
    for place, name in enumerate(("start", *CELLS)):
        area = cells.nth(place).locator(".jp-Cell-outputWrapper")
        alts = [image.get_attribute("alt") or "" for image in area.locator("img").all()]
        outputs[name] = (area.inner_text() if area.count() else "", alts)
    page.close()
    check(outputs, lang)
