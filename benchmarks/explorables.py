"""Latency in the browser from a key press to the painted picture: explorables beside `interact` with a new figure.

Run by hand on an idle machine: python benchmarks/explorables.py [--moves 50] [--out benchmarks/EXPLORABLES.md]. In one
run: every explorable in a page of its own and in JupyterLab, revealed where there is something to reveal, one with a
busy kernel, and `interact` in JupyterLab. The load of the machine is written before and after.
Keys are pressed, not dispatched. "script" is from the slider's own handler's first line to the changed document,
"painted" from the event to when a message posted from the next frame is handled.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.lab import FLAGS, chromium, jupyterlab, run_notebook  # noqa: E402
from tests.explore.cases import CASES  # noqa: E402

MEDIAN_MS, P95_MS = 16, 33  # the aim, from the event to the painted frame
SETUP = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests.explore.cases import CASES"
INTERACT_CELL = (
    "import ipywidgets as w\nimport matplotlib.pyplot as plt\n%matplotlib inline\nimport funnelkit as fk\n"
    "model = fk.funnel('industrial-8')\nnames = [stage.name.en for stage in model.stages]\n"
    "def draw(rate):\n"
    "    table = fk.what_if(model, {'project-initiation': rate / 100}, 1000, 50_000).table\n"
    "    fig, ax = plt.subplots(figsize=(8.4, 5.2), dpi=110)\n    ax.barh(names, table['n'])\n"
    "    ax.invert_yaxis()\n    ax.set_title(f\"{table['n'].iloc[-1]:,.1f}\")\n    plt.show()\n"
    "_ = w.interact(draw, rate=w.FloatSlider(value=75, min=0, max=100, step=1))"
)
# Both ends of the handler are noted by listeners around the slider's own; then the frame, then what follows its paint.
PROBE = """(host) => {
  window.times = [];
  window.scripts = [];
  const root = host.shadowRoot;
  let start = 0, begin = 0;
  root.addEventListener("keydown", (event) => { start = event.timeStamp; }, true);
  root.addEventListener("input", () => { begin = performance.now(); }, true);
  root.addEventListener("input", () => {
    window.scripts.push(performance.now() - begin);
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => window.times.push(performance.now() - start);
      channel.port2.postMessage(0);
    });
  });
}"""
ASK = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const reply = await kernel.requestExecute({code: "", user_expressions: {found: code}}).done;
  return reply.content.user_expressions.found.data["text/plain"];
}"""
BUSY = """() => { window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
  .requestExecute({code: "import time; time.sleep(60)"}); }"""
INTERACT = """(cell) => new Promise((resolve, reject) => {
  const picture = () => [...cell.querySelectorAll("img")].map((img) => img.src).join();
  const before = picture();
  window.addEventListener("keydown", (event) => {
    const observer = new MutationObserver(() => {
      const now = picture();
      if (!now || now === before) return;
      observer.disconnect();
      Promise.all([...cell.querySelectorAll("img")].map((img) => img.decode())).then(() => requestAnimationFrame(() =>
        resolve(performance.now() - event.timeStamp)), () => {});
    });
    observer.observe(cell, {subtree: true, childList: true, attributes: true});
  }, {capture: true, once: true});
  setTimeout(() => reject(new Error("no change")), 20000);
})"""


def quantiles(times):
    return round(statistics.median(times), 1), round(sorted(times)[int(0.95 * len(times))], 1)


def explorable(page, host, moves, place):
    """Return the latencies of `moves` key presses on a slider, to and fro: painted, and the script's own."""
    host.evaluate(PROBE)
    slider = host.locator(f"#c{place}")
    for move in range(moves + 5):
        slider.press("ArrowRight" if move % 10 < 5 else "ArrowLeft")
        page.wait_for_timeout(60)
    return [page.evaluate(f"() => window.{name}")[5:] for name in ("times", "scripts")]


def interact(page, cell, moves):
    times, handle = [], cell.locator(".noUi-handle").first
    for move in range(moves + 3):
        waiting = page.evaluate_handle("(cell) => ({found: (" + INTERACT + ")(cell)})", cell.element_handle())
        handle.press("ArrowRight" if move % 10 < 5 else "ArrowLeft")
        times.append(page.evaluate("(one) => one.found", waiting))
        page.wait_for_timeout(120)
    return times[3:]


def slider_of(panel):
    return next(at for at, control in enumerate(panel.spec["controls"]) if "options" not in control)


def reveal(host):
    if host.locator(".reveal").count():
        host.locator(".reveal").click()


def in_pages(page, folder, moves):
    import funnelkit as fk

    for name, case in CASES.items():
        panel = case.make()
        page.goto(fk.explore.write_page(panel, folder / f"{name}.html").as_uri())
        reveal(page)
        yield "page", name, explorable(page, page.locator("#fk"), moves, slider_of(panel))


def notebook(folder):
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    cells = [SETUP, INTERACT_CELL, *(f"{name} = CASES[{name!r}].make()\n{name}" for name in CASES)]
    made = new_notebook(cells=[new_code_cell(source) for source in cells])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, folder / "latency.ipynb")


def in_jupyterlab(page, address, moves):
    run_notebook(page, address, "latency.ipynb")
    cells = page.locator(".jp-Notebook .jp-Cell")
    cells.nth(1).locator("img").wait_for(timeout=60_000)
    yield "JupyterLab", "interact, a new figure", [interact(page, cells.nth(1), moves), []]
    for place, (name, case) in enumerate(CASES.items(), 2):
        cells.nth(place).locator(".card").wait_for(timeout=60_000)
        cells.nth(place).scroll_into_view_if_needed()
        host = cells.nth(place).locator("[data-lm-suppress-shortcuts]")
        reveal(host)
        panel = case.make()
        yield "JupyterLab", name, explorable(page, host, moves, slider_of(panel))
        page.wait_for_timeout(200)
        control = panel.spec["controls"][slider_of(panel)]["id"]
        moved = eval(page.evaluate(ASK, f"{name}.state[{control!r}]"))
        assert moved != panel.spec["baseline"][control], "what was moved has reached the kernel"
    host = cells.nth(2).locator("[data-lm-suppress-shortcuts]")
    page.evaluate(BUSY)
    yield "JupyterLab, kernel busy", next(iter(CASES)), explorable(page, host, moves, 2)


def measured(browser, folder, moves):
    """Return the rows (where, card, painted, script), what the consoles said, and what was asked for outside."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    said, asked = [], []
    page.on("console", lambda line: said.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    rows = list(in_pages(page, folder, moves))
    own = len(said)
    notebook(folder)
    with jupyterlab(folder) as address:
        rows += in_jupyterlab(page, address, moves)
    outside = [url for url in asked if not url.startswith((address, "file:", "data:", "blob:"))]
    return rows, {"pages_said": own, "requests_outside": len(outside)}


def report(rows, facts):
    """Return the figures as Markdown."""
    lines = [
        "| where | card | painted, median | p95 | script, median | p95 |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for where, name, (painted, script) in rows:
        cells = [*quantiles(painted), *(quantiles(script) if script else ("", ""))]
        lines.append(f"| {where} | {name} | {' | '.join(map(str, cells))} |")
    cards = [quantiles(painted) for _, name, (painted, script) in rows if script]
    within = sum(median <= MEDIAN_MS and p95 <= P95_MS for median, p95 in cards)
    place = f"{platform.machine()}, {os.cpu_count()} cores, headless Chromium {facts['chromium']}"
    return f"""# Explorables: from a key press to the painted frame

Made by `benchmarks/explorables.py` on {date.today():%Y-%m-%d}: {facts["moves"]} key presses each, in milliseconds.
{place} without a graphics card; load {" before, ".join(map(str, facts["load"]))} after.
Script is the card's own time for a move; the rest is the wait for the next frame, and the paint.

{chr(10).join(lines)}

Within a median of {MEDIAN_MS} ms and a 95th percentile of {P95_MS} ms: {within} of {len(cards)} rows of explorables.
Errors and warnings in the consoles of the pages: {facts["pages_said"]}. Requests outside: {facts["requests_outside"]}.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=50)
    parser.add_argument("--out", type=Path, help="write the figures to this file as well")
    asked = parser.parse_args()
    from playwright.sync_api import sync_playwright

    load = [round(os.getloadavg()[0], 1)]
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        rows, facts = measured(browser, Path(name), asked.moves)
        facts |= {"moves": asked.moves, "chromium": browser.version, "load": [*load, round(os.getloadavg()[0], 1)]}
        browser.close()
    text = report(rows, facts)
    print(text)
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
