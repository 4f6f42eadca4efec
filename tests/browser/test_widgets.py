"""Each lesson with a slider in a real JupyterLab: run all cells, move each slider by keyboard, read the number.

What must appear is what the same panel says without a browser: its headless twin, built from the lesson's own code.
"""

import re
import shutil
from html import unescape
from pathlib import Path

import pytest

from funnelkit.course import lessons

from .lab import ROOT, chromium, jupyterlab, run_notebook, squeeze

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine (apt-get install chromium)"),
]
LIMIT_MS = 60_000
SHOTS = ROOT / "out" / "browser"
# Chromium says these of JupyterLab itself, with or without a notebook of ours.
NOT_OURS = re.compile(r"favicon|\.map\b|ResizeObserver|status of 404|WebGL")


def with_widgets():
    for name in lessons.names():
        for lang in lessons.LANGUAGES:
            cells = lessons.read_lesson(name, lang).cells
            if any("widget" in cell.metadata.get("tags", []) for cell in cells):
                yield pytest.param(lang, name, id=f"{lang}/{name}")


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    for lang in lessons.LANGUAGES:
        shutil.copytree(lessons.FOLDER / lang, folder / lang)
    with jupyterlab(folder) as found:
        yield found


@pytest.fixture
def page(browser):
    made = browser.new_page(viewport={"width": 1280, "height": 1400})
    made.errors = []
    made.on("pageerror", lambda error: made.errors.append(f"{error}\n{error.stack}"))
    made.on("console", lambda line: made.errors.append(line.text) if line.type == "error" else None)
    yield made
    made.close()


def twins(lang, name):
    """Return [(cell number, panel)]: the lesson's panels, built by its own code outside the browser."""
    import os

    cells, space, found = lessons.read_lesson(name, lang).cells, {}, []
    before = Path.cwd()
    os.chdir(lessons.FOLDER / lang)
    try:
        for place, cell in enumerate(cells):
            if cell.cell_type != "code" or {"exercise", "check", "solution"} & set(cell.metadata.get("tags", [])):
                continue
            exec(compile(cell.source, cell.id, "exec"), space)
            if "widget" in cell.metadata.get("tags", []):
                found.append((place, eval(cell.source.splitlines()[-1], space)))
    finally:
        os.chdir(before)
    return found


def words(html):
    return squeeze(unescape(re.sub(r"<[^>]+>", " ", html)))


def seen(cell):
    return squeeze(" ".join(cell.locator(".widget-html-content").all_inner_texts()))


def wait_for(cell, expected):
    """Wait until the panel's words hold the expected ones; the last words seen tell what went wrong."""
    handle = cell.page
    for _ in range(LIMIT_MS // 50):
        if expected in seen(cell):
            return
        handle.wait_for_timeout(50)
    raise AssertionError(f"expected {expected[:300]} in {seen(cell)[:600]}")


def move_each_slider(cell, panel):
    """Press an arrow key on every slider, compare with the twin, and press the other to go back."""
    from playwright.sync_api import expect

    handles = cell.locator(".noUi-handle")
    assert handles.count() == len(panel.controls)
    for place, control in enumerate(panel.controls):
        slider, start = panel.sliders[control.name], panel.sliders[control.name].value
        up = start + slider.step <= slider.max
        handles.nth(place).focus()
        handles.nth(place).press("ArrowRight" if up else "ArrowLeft")
        slider.value = start + (slider.step if up else -slider.step)
        wait_for(cell, words(panel.reading.value))
        box = cell.locator("input[type=text]").nth(place)  # its number comes a moment after the reading
        expect(box).to_have_value(panel.boxes[control.name].value, timeout=LIMIT_MS)
        handles.nth(place).press("ArrowLeft" if up else "ArrowRight")
        slider.value = start
        wait_for(cell, words(panel.reading.value))


@pytest.mark.parametrize(("lang", "name"), list(with_widgets()))
def test_sliders_say_what_their_twins_say(lang, name, page, address):
    run_notebook(page, address, f"{lang}/{name}.ipynb")
    SHOTS.mkdir(parents=True, exist_ok=True)
    for number, (place, panel) in enumerate(twins(lang, name)):
        cell = page.locator(".jp-Notebook .jp-Cell").nth(place)
        cell.scroll_into_view_if_needed()
        cell.locator(".noUi-handle").first.wait_for(timeout=LIMIT_MS)
        wait_for(cell, words(panel.reading.value))
        assert cell.locator("img").evaluate_all("all => all.map(img => img.naturalWidth > 300)") == [True]
        before = cell.locator("img").get_attribute("src")
        move_each_slider(cell, panel)
        assert cell.locator("img").get_attribute("src") != before, "the picture follows"
        box = cell.locator("input[type=text]").first
        box.fill("much")
        box.press("Enter")
        cell.locator("[role=alert]").wait_for(timeout=LIMIT_MS)
        cell.screenshot(path=SHOTS / f"{lang}_{name}_{number}.png")
    errors = [error for error in page.errors if not NOT_OURS.search(error)]
    assert not errors, errors


def test_a_narrow_screen_keeps_everything_within_reach(page, address):
    lang, name = "zh", "00_start_here"
    page.set_viewport_size({"width": 420, "height": 900})
    run_notebook(page, address, f"{lang}/{name}.ipynb")
    ((place, _),) = twins(lang, name)
    cell = page.locator(".jp-Notebook .jp-Cell").nth(place)
    cell.locator(".noUi-handle").first.wait_for(timeout=LIMIT_MS)
    SHOTS.mkdir(parents=True, exist_ok=True)
    cell.screenshot(path=SHOTS / "narrow.png")
    right = page.evaluate("() => document.documentElement.clientWidth")
    for part in (".noUi-handle", "input[type=text]", "button.jupyter-button"):
        for found in cell.locator(part).all():
            box = found.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= right + 1, part


def test_code_is_copied_and_files_are_offered(page, address):
    lang, name = "en", "00_start_here"
    run_notebook(page, address, f"{lang}/{name}.ipynb")
    ((place, panel),) = twins(lang, name)
    cell = page.locator(".jp-Notebook .jp-Cell").nth(place)
    buttons = cell.locator("button.jupyter-button")
    buttons.nth(1).click()
    cell.locator("pre").filter(has_text="sample_rate").wait_for(timeout=LIMIT_MS)
    assert cell.locator("pre").filter(has_text="sample_rate").inner_text().strip() == panel.code(panel.values)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    cell.get_by_text("Copy", exact=True).click()
    assert page.evaluate("() => navigator.clipboard.readText()") == panel.code(panel.values)
    buttons.nth(2).click()
    with page.expect_download() as saved:
        cell.get_by_text("Save CSV").click()
    assert saved.value.suggested_filename == "funnelkit.csv"
