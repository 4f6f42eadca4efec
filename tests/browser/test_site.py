"""The whole course as pages, opened from a folder: every page, both languages, wide and narrow, on paper."""

import json
import os
import re
from pathlib import Path

import nbformat
import pytest

from funnelkit.course import lessons, print_handout, print_slides, write_site
from funnelkit.language import speaking

from .axe import axe_file, violations_of
from .lab import chromium

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason="no Chromium is installed")]
LANGUAGES = ("en", "zh")
SIZES = {"wide": (1280, 720), "projector": (1024, 600), "phone": (390, 844)}
SHOTS = os.environ.get("FUNNELKIT_SHOTS")  # a folder for screenshots, to be looked at
LESSON = "05_industrial_eight_step"
AIM_MB = 25


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    list(write_site(out))
    return out


@pytest.fixture
def page(browser):
    """A page that remembers what it asked for outside of its folder, and what its console said."""
    opened = browser.new_page(viewport=dict(zip(("width", "height"), SIZES["wide"], strict=True)))
    opened.asked, opened.said = [], []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.on("console", lambda message: opened.said.append(message.text[:200]))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    yield opened
    opened.close()


def outside(page):
    return [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_opens_without_a_request(site, page, lang):
    files = sorted((site / lang).glob("*.html"))
    assert len(files) == 2 * len(lessons.names()) + 4
    for file in [site / "index.html", *files]:
        page.goto(file.as_uri())
        broken = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
        assert broken == [], file.name
        for name, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            seen, there = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert seen <= there, f"{file.name} scrolls sideways: {name}, {seen} of {there} px"
            if SHOTS:
                page.screenshot(path=str(Path(SHOTS) / f"{lang}-{file.stem}-{name}.png"))
        page.set_viewport_size(dict(zip(("width", "height"), SIZES["wide"], strict=True)))
    assert outside(page) == [] and page.said == []
    size = sum(path.stat().st_size for path in (site / lang).rglob("*") if path.is_file()) / 1e6
    print(f"{lang}: {len(files)} pages, {size:.1f} MB")
    assert size < AIM_MB


@pytest.mark.skipif(axe_file() is None, reason="no axe-core, see tests/browser/axe.py")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_axe_finds_nothing_on_any_page(site, page, lang):
    found = []
    for file in sorted((site / lang).glob("*.html")):
        for name in ("wide", "phone"):
            page.set_viewport_size(dict(zip(("width", "height"), SIZES[name], strict=True)))
            page.goto(file.as_uri())
            found += [f"{file.name}, {name}: {line}" for line in violations_of(page)]
    assert found == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_search_finds_each_term(site, page, lang):
    page.goto((site / lang / "index.html").as_uri())
    page.locator("#find").fill("funnel")
    page.locator("#find").press("Enter")
    page.wait_for_url("**/search.html#funnel")
    assert page.locator("#found li").count() > 3
    index = json.loads(page.locator("#index").text_content())
    terms = [entry for entry in index if entry["u"].startswith("glossary.html#")]
    assert len(terms) > 60
    for entry in terms:
        page.locator("#find").fill(entry["t"].split(" · ")[0])
        hits = page.locator("#found a").evaluate_all("all => all.slice(0, 6).map(a => a.getAttribute('href'))")
        assert entry["u"] in hits, entry["t"]
    page.locator("#find").fill("qqqq")
    assert page.locator("#found li").count() == 0 and page.locator("#said").inner_text()
    assert outside(page) == [] and page.said == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_presenter_view_is_moved_by_keys(site, page, lang):
    page.goto((site / lang / f"{LESSON}.talk.html").as_uri() + "#3")
    n = page.locator(".screen").count()

    def now():
        shown = page.locator(".screen").evaluate_all("all => all.map(s => getComputedStyle(s).display)")
        places = [place for place, display in enumerate(shown, 1) if display != "none"]
        assert len(places) == 1
        return places[0]

    assert now() == 3
    for key, place in (("ArrowRight", 4), ("PageDown", 5), ("ArrowLeft", 4), ("Home", 1), ("ArrowLeft", 1), ("End", n)):
        page.keyboard.press(key)
        assert now() == place and page.url.endswith(f"#{place}")
    page.keyboard.press("Home")
    page.keyboard.press("n")
    assert page.locator("#s1 .notes").is_visible()
    starts = [int(re.search(r"\d+", text)[0]) for text in page.locator(".notes > p:first-child").all_text_contents()]
    assert starts[0] == 0 and starts == sorted(starts) and len(set(starts)) > 3, "when each screen begins"
    page.keyboard.press("PageDown")
    long = page.locator("#s2 .notes")
    assert long.evaluate("notes => notes.scrollHeight > notes.clientHeight")
    page.keyboard.press("ArrowDown")
    assert long.evaluate("notes => notes.scrollTop") > 0 and now() == 2
    page.keyboard.press("Home")
    page.keyboard.press("n")
    assert not page.locator("#s1 .notes").is_visible()
    page.keyboard.press("Escape")
    page.wait_for_url(f"**/{LESSON}.html")
    assert outside(page) == [] and page.said == []


@pytest.mark.parametrize("size", [(390, 844), (844, 390)])
def test_the_presenter_view_is_moved_by_touch(site, browser, size):
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto((site / "zh" / f"{LESSON}.talk.html").as_uri())
    for button in ("#next", "#next", "#back", "#notes"):
        page.tap(button)
    assert page.url.endswith("#2") and page.locator("#s2 .notes").is_visible()
    bar, shown = page.locator(".keys").bounding_box(), page.locator("#s2").bounding_box()
    assert bar["height"] < 60 and bar["y"] + bar["height"] == height, "the buttons stand at the foot"
    assert shown["y"] > -1 and shown["y"] + shown["height"] <= bar["y"] + 1, "they cover nothing of the screen"
    if width < height:
        assert page.locator("#s2 .notes").evaluate("notes => parseFloat(getComputedStyle(notes).fontSize)") >= 14
    context.close()


# Turns to each screen in the page itself, which is much faster than real keys: those are tried above.
OVER = """() => {
  const press = key => document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
  return [...document.querySelectorAll(".screen")].map((screen, place) => {
    press(place ? "ArrowRight" : "Home");
    if (!screen.classList.contains("now")) throw new Error(`screen ${place + 1} is not shown`);
    const stage = screen.querySelector(".stage");
    return [stage.scrollHeight - stage.clientHeight, stage.scrollWidth - stage.clientWidth];
  });
}"""


@pytest.mark.parametrize("name", lessons.names())
@pytest.mark.parametrize("size", ["wide", "projector"])
def test_every_screen_fits(site, page, name, size):
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
    for lang in LANGUAGES:
        page.goto((site / lang / f"{name}.talk.html").as_uri())
        page.wait_for_load_state("load")
        for notes in (False, True):
            if notes:
                page.keyboard.press("n")
            for place, over in enumerate(page.evaluate(OVER), 1):
                assert max(over) <= 1, f"{lang}/{name}, screen {place}, {size}, notes {notes}: {over}"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_on_paper_a_picture_stands_in_for_an_explorable(site, page, lang):
    page.goto((site / lang / f"{LESSON}.talk.html").as_uri())
    page.emulate_media(media="print")
    screen = page.locator(".screen", has=page.locator(".paper"))
    assert screen.locator(".paper img").is_visible() and not screen.locator(".fk-explorable").is_visible()
    assert not screen.locator(".how").is_visible()
    assert screen.locator(".stage").evaluate("stage => stage.scrollHeight - stage.clientHeight") <= 1
    page.goto((site / lang / f"{LESSON}.html").as_uri())
    assert page.locator(".paper img").is_visible() and not page.locator(".fk-explorable").is_visible()
    assert page.locator(".check").count() and not page.locator(".check .result").first.is_visible()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_code_switch_language_and_solutions(site, page, lang):
    page.goto((site / lang / f"{LESSON}.html").as_uri() + "#exercise-1")
    code = page.locator(".code").first
    page.locator("#code").click()
    assert page.locator("#code").get_attribute("aria-pressed") == "false" and not code.is_visible()
    page.locator("#code").click()
    assert page.locator("#code").get_attribute("aria-pressed") == "true"
    solution = page.locator("details.solution").first
    assert not solution.locator(".code").first.is_visible()
    solution.locator("summary").click()
    assert solution.locator(".code").first.is_visible()
    page.locator(".language").click()
    other = "zh" if lang == "en" else "en"
    page.wait_for_url(f"**/{other}/{LESSON}.html#exercise-1")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_explorables_work_in_the_lesson_and_on_the_wall(page, tmp_path, lang):
    from funnelkit.explore import WhatIf
    from funnelkit.models import funnel

    notebook = lessons.read_lesson(LESSON, lang)
    with speaking(lang):
        card = WhatIf(funnel("industrial-8"), 1000, 50000)
    data = {**card.twin(), lessons.EXPLORABLE: card.bundle()}
    for cell in notebook.cells:
        if cell.id == "effort-explore":
            cell.outputs = [nbformat.v4.new_output("display_data", data)]
    lessons.write_lesson(notebook, tmp_path / "in" / lang / f"{LESSON}.ipynb")
    list(write_site(tmp_path / "out", [lang], folder=tmp_path / "in"))
    for name in (f"{LESSON}.html#effort-explore", f"{LESSON}.talk.html#8"):
        page.goto((tmp_path / "out" / lang / name.partition("#")[0]).as_uri() + "#" + name.partition("#")[2])
        slider = page.locator("#effort-explore-card input[type=range]").nth(3)
        before = page.locator("#effort-explore-card .figures").inner_text()
        slider.focus()
        slider.press("ArrowRight")  # moves the slider, not the screen
        assert page.locator("#effort-explore-card .figures").inner_text() != before, name
        assert page.url.endswith(name.partition("#")[2])
        if axe_file():
            assert violations_of(page) == []
    assert outside(page) == [] and page.said == []


def test_a_changed_script_does_not_run(site, page, tmp_path):
    text = (site / "en" / "search.html").read_text(encoding="utf-8")
    (tmp_path / "search.html").write_text(text.replace("const read = id", "const  read = id"), encoding="utf-8")
    page.goto((tmp_path / "search.html").as_uri() + "#funnel")
    assert page.locator("#found li").count() == 0
    assert any("Content Security Policy" in line for line in page.said)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_slides_and_handout(tmp_path, lang):
    from funnelkit.course.site.lesson import open_lesson, screens

    n = len(screens(open_lesson(LESSON, lang)))
    paths = [make(LESSON, tmp_path, lang) for make in (print_slides, print_handout)]
    counted = [len(re.findall(rb"/Type\s*/Page\b", path.read_bytes())) for path in paths]
    assert counted[0] == n and 4 <= counted[1] <= 40
    print(f"{lang}: {counted[0]} slides, {counted[1]} pages of handout")
    again = print_slides(LESSON, tmp_path / "again", lang)
    assert again.read_bytes() == paths[0].read_bytes()
