"""Every explorable as people use it: in a page from the disk and in JupyterLab, by keyboard and by typing."""

import csv
import io
import json
import os
import re
from statistics import median
from xml.dom import minidom

import nbformat
import pytest
from playwright.sync_api import expect

from funnelkit.explore import write_page
from funnelkit.language import LANGUAGES, use_language
from tests.explore.cases import CASES

from .axe import MISSING, axe_file, violations_of
from .lab import NO_WINDOWING, READY, ROOT, RUN_ALL, TOKEN, chromium, jupyterlab, run_notebook

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")]
SHOTS = os.environ.get("FUNNELKIT_SHOTS")  # a folder for screenshots, to be looked at
each = pytest.mark.parametrize("name", CASES)
both = pytest.mark.parametrize("lang", LANGUAGES)
SCREENS = {"wide": (1280, 720), "projector": (1024, 600), "zoomed": (640, 360), "phone": (390, 844)}  # 200 % of wide
CUT_IN = """(card) => {
  const wrong = [];
  const box = (one) => one.getBoundingClientRect(), shown = (one) => getComputedStyle(one).clipPath === 'none'
    && one.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true });
  const beyond = (a, b) => a.width && (a.left < b.left - 3 || a.right > b.right + 3 || a.top < b.top - 3
    || a.bottom > b.bottom + 3);
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 3
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
  const all = (query) => [...card.querySelectorAll(query)], canvas = box(card.querySelector('.canvas'));
  for (const one of all('.canvas svg text')) if (beyond(box(one), canvas)) wrong.push(`cut: ${one.textContent}`);
  const parts = all('label, .box, input[type=range], button, select, summary, .canvas, .challenge')
    .filter((one) => shown(one) && !one.closest('.numbers'));
  for (const one of parts) if (beyond(box(one), box(card))) wrong.push(`outside: ${one.textContent}`);
  parts.forEach((one, at) => parts.slice(at + 1).forEach((other) => {
    const apart = !one.contains(other) && !other.contains(one);
    if (apart && over(box(one), box(other))) wrong.push(`over: ${one.textContent}, ${other.textContent}`);
  }));
  return wrong;
}"""
CUT = f"() => ({CUT_IN})(document.querySelector('#fk').shadowRoot.querySelector('.card'))"
STATE = "() => document.querySelector('#fk').model.get('state')"


@pytest.fixture
def opened(browser, tmp_path):
    """Return a function that opens an explorable's page from the disk; nothing may be asked for or complained of."""
    contexts, asked, said = [], [], []

    def open_page(name, lang="en", size="wide", **settings):
        use_language(lang)
        panel = CASES[name].make()
        width, height = SCREENS[size]
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda line: said.append(line.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(write_page(panel, tmp_path / f"{name}-{lang}.html").as_uri())
        page.locator(".card h1").wait_for()
        return page, panel

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def shown(panel):
    """Return the controls with a row, in the card's order; what only a button moves has none."""
    return [control for control in panel.spec["controls"] if control["place"] != "unseen"]


def sliders(panel):
    return [control for control in shown(panel) if "options" not in control]


def unfold(page):
    if page.locator("details.more").count():
        page.locator("details.more > summary").click()


def put(page, panel, name, value):
    """Type a number, or choose an option, as people do."""
    place, control = next((at, one) for at, one in enumerate(panel.spec["controls"]) if one["id"] == name)
    if "options" in control:
        page.locator(f"#c{place}").select_option(value)
    else:
        type_into(page, place, as_typed(control, value))


def type_into(page, place, text):
    box = page.locator(f".row:has(#c{place}) .box")
    box.fill(text)
    box.press("Enter")


def as_typed(control, value):
    return f"{100 * value:.10g}" if control["kind"] == "percent" else f"{value:.12g}"


@each
@both
def test_a_page_on_its_own_at_each_size(name, lang, opened):
    """One page, made wider and narrower: it fits, axe finds nothing, and without a script the table is there."""
    page, panel = opened(name, lang, bypass_csp=True)
    for size, (width, height) in SCREENS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        assert page.locator(".card h1").inner_text() == panel.texts[lang]["title"]
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, "nothing scrolls sideways"
        if size in ("wide", "projector"):
            tall = page.evaluate("() => document.documentElement.scrollHeight")
            assert tall <= height, "controls and picture on one screen"
        assert page.locator("svg[role=img]").get_attribute("aria-label")
        if size == "zoomed":
            page.wait_for_timeout(150)  # the picture is drawn anew at its new size
            assert page.evaluate(CUT) == []
            wide = page.locator(".canvas").bounding_box()["width"]
            assert panel.spec["layout"] != "side" or wide > 400, "the picture has the card's width"
        if size in ("wide", "phone") and axe_file() is not None:
            assert violations_of(page) == []
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/{name}-{lang}-{size}.png", full_page=True)
    shown = page.evaluate("() => document.querySelector('#fk').innerHTML")
    assert "<table" in shown and 'alt="' in shown, "the twin stands inside the host"


@each
@both
def test_a_slider_is_never_squeezed_by_its_label(name, lang, opened):
    page, _ = opened(name, lang, bypass_csp=True)
    for width in (1280, 780, 760, 740, 720, 390):
        page.set_viewport_size({"width": width, "height": 720})
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        sliders_shown = [one for one in page.locator("input[type=range]").all() if one.is_visible()]
        assert all(one.bounding_box()["width"] >= 64 for one in sliders_shown), width


@pytest.mark.skipif(axe_file() is not None, reason="axe has looked at every card")
def test_axe_is_there():
    pytest.skip(MISSING)


@each
def test_by_keyboard_and_by_typing(name, opened):
    """One page: every control by Tab, arrow and typed number, then presets, challenge and reveal."""
    page, panel = opened(name, reduced_motion="reduce")
    unfold(page)
    page.locator("body").click(position={"x": 1, "y": 1})
    reached = set()
    for _ in range(len(panel.spec["controls"]) * 2 + len(panel.spec["presets"]) + 4):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.querySelector('#fk').shadowRoot.activeElement?.id"))
    assert {f"c{place}" for place in range(len(shown(panel)))} <= reached
    for place, control in enumerate(shown(panel)):
        if "options" not in control:
            move_and_type(page, place, control)
    kept, first = page.evaluate(STATE), panel.spec["controls"].index(sliders(panel)[0])
    type_into(page, first, "much")
    assert "much" in page.locator("[role=alert]").inner_text() and page.evaluate(STATE) == kept
    assert page.locator(".box[aria-invalid=true]").count() == 1
    page.get_by_role("button", name="Reset").click()
    assert page.evaluate(STATE) == panel.spec["baseline"]
    assert page.locator("[role=alert]").inner_text() == ""
    presets_challenge_and_reveal(page, panel, CASES[name].solution)


def move_and_type(page, place, control):
    """One slider by an arrow key and by its box: state and picture follow."""
    page.get_by_role("button", name="Reset").click()
    before, picture = page.evaluate(STATE), page.locator(".card").inner_html()
    page.locator(f"#c{place}").press("ArrowRight" if before[control["id"]] < control["max"] else "ArrowLeft")
    after = page.evaluate(STATE)
    assert after[control["id"]] != before[control["id"]] and page.locator(".card").inner_html() != picture
    value = control["min"] + 0.25 * (control["max"] - control["min"])
    value = round(value) if control["whole"] else round(value, 6)
    type_into(page, place, as_typed(control, value))
    assert page.evaluate(STATE)[control["id"]] == pytest.approx(value, rel=1e-9)


def presets_challenge_and_reveal(page, panel, solution):
    for preset in panel.spec["presets"]:
        page.get_by_role("button", name=preset["name"]["en"], exact=True).click()
        assert page.evaluate(STATE) == {**panel.spec["baseline"], **preset["state"]}
    page.get_by_role("button", name="Reset").click()
    if "challenge" in panel.spec:
        assert page.locator(".challenge").get_attribute("data-status") == "start"
        for control in panel.spec["controls"]:
            if control["id"] in solution:
                put(page, panel, control["id"], solution[control["id"]])
        if "try1" in panel.state:
            assert page.locator(".challenge").get_attribute("data-status") == "not_yet"
            page.locator(".action").click()
        assert page.locator(".challenge").get_attribute("data-status") == "done"
    reveal = page.locator(".reveal")
    if reveal.count():
        assert page.locator(".answer").inner_text() == ""
        reveal.click()
        assert page.locator(".answer").inner_text() and reveal.get_attribute("aria-pressed") == "true"


PAINTED = """() => { window.painted = []; addEventListener("keydown", (event) => requestAnimationFrame(() => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => window.painted.push(performance.now() - event.timeStamp);
  port2.postMessage(0);
}), true); }"""
MOVES, SOON_MS = 20, 100  # a wide limit, for busy machines: benchmarks/EXPLORABLES.md has the figures of a quiet one


@pytest.mark.parametrize("name", ["what_if", "signal_or_noise", "small_sample"])  # those with most to draw
def test_a_move_is_laid_out_once_and_soon_on_the_screen(name, opened):
    """Nothing asks for sizes between its changes, so that one move costs one layout; the picture follows at once."""
    page, panel = opened(name)
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable")

    def layouts():
        return next(m["value"] for m in cdp.send("Performance.getMetrics")["metrics"] if m["name"] == "LayoutCount")

    slider = page.locator(f"#c{next(at for at, one in enumerate(shown(panel)) if 'options' not in one)}")
    slider.press("ArrowRight")
    page.wait_for_timeout(700)  # the size of the card and what is said of it have settled
    page.evaluate(PAINTED)
    before = layouts()
    for move in range(MOVES):
        slider.press("ArrowRight" if move % 4 < 2 else "ArrowLeft")
        page.wait_for_timeout(20)
    assert layouts() - before <= 1.5 * MOVES
    assert median(page.evaluate("() => window.painted")) < SOON_MS


NONSENSE = ("1e999", "абв", "-5", "12,5", "1.234,5", "", "∞", "1/2", "9" * 400)
BROKEN = """() => {
  const root = document.querySelector('#fk').shadowRoot, wrong = /NaN|undefined|Infinity|\\[object|\\{\\w+\\}/;
  const all = (query) => [...root.querySelectorAll(query)];
  const texts = all('dd, dt, td, p, span, label, svg text').filter((one) => !one.children.length);
  const shapes = all('svg, svg *').flatMap((one) => [...one.attributes].map(({ value }) => value));
  return [...texts.map((one) => one.textContent), ...shapes].filter((text) => wrong.test(text));
}"""
TELL_PAGE = "(state) => document.querySelector('#fk').model.set('state', state)"


@each
def test_nonsense_is_refused_and_the_ends_of_every_slider_hold(name, opened):
    """What is typed wrongly changes nothing and is answered; at all bounds, alone and together, nothing breaks."""
    page, panel = opened(name, reduced_motion="reduce")
    for fold in page.locator("details > summary").all():
        fold.click()
    if page.locator(".reveal").count():
        page.locator(".reveal").click()
    place, kept = next(at for at, one in enumerate(shown(panel)) if "options" not in one), page.evaluate(STATE)
    for typed in NONSENSE:
        type_into(page, place, typed)
        assert page.evaluate(STATE) == kept and page.locator("[role=alert]").inner_text(), typed
    for end in ("least", "most", "min", "max"):
        ends = {one["id"]: one[end] for one in sliders(panel)}
        for state in (ends, *({name: value} for name, value in ends.items())):
            page.evaluate(TELL_PAGE, {**panel.spec["baseline"], **state})
            assert page.evaluate(BROKEN) == [], (end, state)


TIES = {  # name: (a state in which two share a place, what is read, its words in both languages)
    "positioning_map": (
        lambda panel: {f"ours{at}": float(value) for at, value in enumerate(panel.ratings.iloc[3, 1:])},
        "svg[role=img]", ("'Ours' and 'Rival C' serve these needs equally well", "“Ours”和“Rival C”并列"),
    ),
    "cascade": (
        lambda panel: dict.fromkeys([stage["id"] for stage in panel.spec["stages"][:2]], 0.3),
        ".remark", ("Audience: people who know the signs", "推广工具：就诊指南"),
    ),
    "what_if": (
        lambda panel: dict.fromkeys([stage["id"] for stage in panel.spec["stages"][:2]], 0.1),
        ".answer", ("'", "“"),
    ),
}  # fmt: skip


@both
@pytest.mark.parametrize("name", TIES)
def test_all_who_share_a_place_are_named(name, lang, opened):
    page, panel = opened(name, lang)
    tied, place, words = TIES[name]
    page.evaluate(TELL_PAGE, {**panel.spec["baseline"], **tied(panel)})
    page.evaluate("() => document.querySelector('#fk').model.set('revealed', true)")
    read = page.locator(place)
    said = read.get_attribute("aria-label") if place.startswith("svg") else read.inner_text()
    print(said)
    assert words[lang == "zh"] in said


def test_our_product_is_dragged_along_an_arrow(opened):
    """The rating on one attribute follows the hand, ours comes to lie there, and typing says the same."""
    page, panel = opened("positioning_map", reduced_motion="reduce")
    dot = page.locator("[data-drag=ours]")
    box = dot.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y - 12, steps=6)
    page.mouse.move(x + 60, y - 24, steps=6)
    page.mouse.up()
    state, base = page.evaluate(STATE), panel.spec["baseline"]
    assert [name for name in state if state[name] != base[name]] == ["ours4"] and state["ours4"] > base["ours4"]
    assert page.locator(".challenge").get_attribute("data-status") == "outside", (
        "the customer is asked for, not the product"
    )
    panel.state = state
    assert panel.ratings.set_index("product").at["Ours", "economy"] == state["ours4"]
    unfold(page)
    assert page.locator("details.more .row.moved").count() == 1


@each
def test_what_goes_out(name, opened):
    """Python runs and finds the same; CSV, SVG and PNG are what they say; the address brings the state back."""
    page, panel = opened(name, "zh", reduced_motion="reduce", permissions=["clipboard-read", "clipboard-write"])
    unfold(page)
    control = sliders(panel)[-1]
    share = 0.4 if panel.state[control["id"]] != control["min"] + 0.4 * (control["max"] - control["min"]) else 0.6
    value = control["min"] + share * (control["max"] - control["min"])
    value = round(value) if control["whole"] else round(value, 6)
    put(page, panel, control["id"], value)
    panel.state = page.evaluate(STATE)
    page.get_by_role("button", name=panel.texts["zh"]["copy"]).click()
    page.wait_for_timeout(50)
    code, space = page.evaluate("() => navigator.clipboard.readText()"), CASES[name].space()
    setup, call = code.strip().rsplit("\n", 1)
    exec(setup, space)
    assert eval(call, space).table.equals(panel.table)
    for end in ("CSV", "SVG", "PNG"):
        with page.expect_download() as saved:
            page.get_by_role("button", name=end, exact=True).click()
        data = saved.value.path().read_bytes()
        assert saved.value.suggested_filename == f"{name}.{end.lower()}"
        if end == "CSV":
            rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
            assert len(rows) > 1 and len({len(row) for row in rows}) == 1
        elif end == "SVG":
            assert minidom.parseString(data).documentElement.tagName == "svg"
        else:
            assert data.startswith(b"\x89PNG") and len(data) > 2000
    page.wait_for_function("() => location.hash.length > 1")
    page.reload()
    assert page.evaluate(STATE) == panel.state
    page.locator(".header > button").click()
    assert page.locator(".card h1").inner_text() == panel.texts["en"]["title"]


# --- JupyterLab ------------------------------------------------------------------------------------------------------

SETUP = """import sys
sys.path.insert(0, {root!r})
import funnelkit as fk
fk.use({lang!r})
from tests.explore.cases import CASES"""
ASK = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const reply = await kernel.requestExecute({code: "", user_expressions: {found: code}}).done;
  const found = reply.content.user_expressions.found;
  return found.data ? found.data["text/plain"] : JSON.stringify(found);
}"""
TELL = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  await kernel.requestExecute({code}).done;
}"""


BUSY = """() => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  window.busy = 'still';
  kernel.requestExecute({code: "import time; time.sleep(4)"}).done.then(() => { window.busy = 'done'; });
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explorables")
    for lang in reversed(LANGUAGES):
        cells = [nbformat.v4.new_code_cell(SETUP.format(root=str(ROOT), lang=lang))]
        cells += [nbformat.v4.new_code_cell(f"{name} = CASES[{name!r}].make()\n{name}") for name in CASES]
        made = nbformat.v4.new_notebook(cells=cells)
        made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(made, folder / f"{lang}.ipynb")
        made.cells[1:] = [made.cells[1], nbformat.v4.new_code_cell(next(iter(CASES)))]
        nbformat.write(made, folder / "twice.ipynb")
    with jupyterlab(folder) as address:
        yield address


@both
def test_every_card_in_jupyterlab(lang, lab, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.set_default_timeout(120_000)
    errors, asked = [], []
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    run_notebook(page, lab, f"{lang}.ipynb")
    for place, (name, case) in enumerate(CASES.items(), 1):
        use_language(lang)
        panel, cell = case.make(), page.locator(".jp-Notebook .jp-Cell").nth(place)
        card = cell.locator(".card")
        card.wait_for(timeout=60_000)
        card.scroll_into_view_if_needed()
        assert card.locator("h3").first.inner_text() == panel.texts[lang]["title"]
        assert all(card.locator("summary").all_inner_texts())
        number, control = next((at, one) for at, one in enumerate(panel.spec["controls"]) if "options" not in one)
        page.keyboard.press("Escape")  # command mode: JupyterLab would take the arrow keys
        slider = card.locator(f"#c{number}")
        slider.press("ArrowRight" if panel.state[control["id"]] < control["max"] else "ArrowLeft")
        page.wait_for_timeout(400)
        state = eval(page.evaluate(ASK, f"{name}.state"))
        assert state[control["id"]] != panel.state[control["id"]], "what is moved reaches the kernel"
        panel.state = state
        assert eval(page.evaluate(ASK, f"{name}.to_python()")) == panel.to_python()
        first = {**panel.spec["baseline"], **panel.spec["presets"][1]["state"]}
        page.evaluate(TELL, f"{name}.state = {json.dumps(first)}")
        for at, one in enumerate(shown(panel)):  # what Python sets moves the card
            row = card.locator(f".row:has(#c{at})")
            moved = first[one["id"]] != panel.spec["baseline"][one["id"]]
            pattern = re.compile(r"\bmoved\b" if moved else r"^(?!.*\bmoved\b)")
            expect(row).to_have_class(pattern, timeout=10_000)
        if SHOTS:
            card.screenshot(path=f"{SHOTS}/{name}-{lang}-lab.png")
    host = lab.split("//")[1]
    assert [url for url in asked if host not in url and not url.startswith(("data:", "blob:"))] == []
    not_ours = ("favicon", ".map", "ResizeObserver", "status of 404", "WebGL")
    assert [error for error in errors if not any(word in error for word in not_ours)] == []
    page.close()


KEEP = """async () => { await window.jupyterapp.commands.execute('docmanager:save');
  await window.jupyterapp.shell.currentWidget.sessionContext.shutdown(); }"""


def test_a_notebook_opened_again_shows_its_cards_as_they_were_saved(lab, browser):
    """With the widgets' state saved and no cell run: every card, as it was moved, whole at 100 and at 200 %."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.set_default_timeout(120_000)
    run_notebook(page, lab, "en.ipynb")
    page.locator(".jp-Notebook .card").nth(len(CASES) - 1).wait_for()
    slider = page.locator(".jp-Notebook .jp-Cell").nth(1).get_by_role("slider", name="Negotiation")
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "86%, was 85%")
    page.evaluate(KEEP)
    page.close()
    for width, height, ratio in ((1280, 720, 1), (640, 360, 2)):
        context = browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=ratio)
        page, errors = context.new_page(), []
        page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
        page.goto(f"{lab}/doc/tree/en.ipynb?token={TOKEN}")
        page.wait_for_function(READY, timeout=120_000)
        page.evaluate(NO_WINDOWING)
        expect(page.locator(".jp-Notebook .card svg[role=img]")).to_have_count(len(CASES), timeout=60_000)
        for place, name in enumerate(CASES, 1):
            card = page.locator(".jp-Notebook .jp-Cell").nth(place).locator(".card")
            card.scroll_into_view_if_needed()
            assert card.locator(".row").count() and card.locator(".gone").is_visible(), name
            page.wait_for_timeout(100)
            assert card.evaluate(f"(card) => ({CUT_IN})(card)") == [], (name, width)
        slider = page.locator(".jp-Notebook .jp-Cell").nth(1).get_by_role("slider", name="Negotiation")
        expect(slider).to_have_attribute("aria-valuetext", "86%, was 85%")
        assert errors == []
        page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        context.close()


def test_two_views_move_together_and_a_busy_kernel_holds_nothing_up(lab, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.set_default_timeout(120_000)
    said = []
    run_notebook(page, lab, "twice.ipynb")
    cards = page.locator(".jp-Notebook .card")
    expect(cards).to_have_count(2, timeout=60_000)
    page.evaluate(BUSY)
    slider, other = (cards.nth(place).get_by_role("slider", name="Negotiation") for place in (0, 1))
    slider.press("ArrowRight")
    for one in (slider, other):
        expect(one).to_have_attribute("aria-valuetext", "86%, was 85%", timeout=1000)
    assert page.evaluate("() => window.busy === 'still'"), "drawn while the kernel is busy"
    page.wait_for_function("() => window.busy === 'done'")
    page.wait_for_timeout(300)
    assert page.evaluate(ASK, "what_if.state['negotiation']") == "0.86"
    gone = cards.nth(0).locator(".gone")
    expect(gone).to_be_hidden()
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "87%, was 85%", timeout=1000)
    expect(gone).to_be_visible()
    page.wait_for_function(READY)
    page.evaluate(RUN_ALL)
    expect(slider).to_have_attribute("aria-valuetext", "85%", timeout=60_000)
    slider.press("ArrowLeft")
    page.wait_for_timeout(300)
    assert page.evaluate(ASK, "what_if.state['negotiation']") == "0.84", "a card of the new kernel"
    expect(gone).to_be_hidden()
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    expect(gone).to_contain_text("No kernel")
    slider.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "83%, was 85%", timeout=1000)
    page.wait_for_timeout(300)
    assert [line for line in said if "widget" in line] == [], "nothing is sent to a kernel that is gone"
    page.close()
