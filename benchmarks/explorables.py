"""Latency in the browser from a key press to the painted picture: explorables beside `interact` with a new figure.

Run by hand on an idle machine: python benchmarks/explorables.py [--moves 50]. Prints median and p95 in milliseconds, of
the same run: every explorable in a page of its own, revealed where there is something to reveal, one in JupyterLab, the
same with a busy kernel, and `interact` in JupyterLab. The load of the machine is printed before and after.
Keys are pressed, not dispatched; "painted" is when a message posted from the next frame is handled.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.lab import FLAGS, chromium, jupyterlab, run_notebook  # noqa: E402
from tests.explore.cases import CASES  # noqa: E402

CELLS = (
    "import funnelkit as fk\nfk.explore.WhatIf(fk.funnel('industrial-8'), 1000, 50_000)",
    "import ipywidgets as w\nimport matplotlib.pyplot as plt\n%matplotlib inline\nimport funnelkit as fk\n"
    "model = fk.funnel('industrial-8')\nnames = [stage.name.en for stage in model.stages]\n"
    "def draw(rate):\n"
    "    table = fk.what_if(model, {'project-initiation': rate / 100}, 1000, 50_000).table\n"
    "    fig, ax = plt.subplots(figsize=(8.4, 5.2), dpi=110)\n    ax.barh(names, table['n'])\n"
    "    ax.invert_yaxis()\n    ax.set_title(f\"{table['n'].iloc[-1]:,.1f}\")\n    plt.show()\n"
    "_ = w.interact(draw, rate=w.FloatSlider(value=75, min=0, max=100, step=1))",
)
# The change is noted by a listener that runs after the slider's own; then the frame, then the message after its paint.
PROBE = """(host) => {
  window.times = [];
  const root = host.shadowRoot;
  let start = 0;
  root.addEventListener("keydown", (event) => { start = event.timeStamp; }, true);
  root.addEventListener("input", () => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => window.times.push(performance.now() - start);
    channel.port2.postMessage(0);
  }));
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


def summary(times):
    return {"median_ms": round(statistics.median(times), 1), "p95_ms": round(sorted(times)[int(0.95 * len(times))], 1)}


def explorable(page, host, moves, place=2):
    """Return the latencies of `moves` key presses on a slider, the third where no other is named, to and fro."""
    host.evaluate(PROBE)
    slider = host.locator(f"#c{place}")
    for move in range(moves + 5):
        slider.press("ArrowRight" if move % 10 < 5 else "ArrowLeft")
        page.wait_for_timeout(60)
    return page.evaluate("() => window.times")[5:]


def interact(page, cell, moves):
    times, handle = [], cell.locator(".noUi-handle").first
    for move in range(moves + 3):
        waiting = page.evaluate_handle("(cell) => ({found: (" + INTERACT + ")(cell)})", cell.element_handle())
        handle.press("ArrowRight" if move % 10 < 5 else "ArrowLeft")
        times.append(page.evaluate("(one) => one.found", waiting))
        page.wait_for_timeout(120)
    return times[3:]


def notebook(folder):
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    made = new_notebook(cells=[new_code_cell(source) for source in CELLS])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, folder / "latency.ipynb")


def measured(browser, folder, moves):
    """Yield (where, latencies) and what was said or asked for outside."""
    import funnelkit as fk

    page = browser.new_page(viewport={"width": 1280, "height": 720})
    said, asked = [], []
    page.on("console", lambda line: said.append(line.text) if line.type in ("error", "warning") else None)
    page.on("request", lambda request: asked.append(request.url))
    for name, case in CASES.items():
        panel = case.make()
        page.goto(fk.explore.write_page(panel, folder / f"{name}.html").as_uri())
        if page.locator(".reveal").count():
            page.locator(".reveal").click()
        place = next(at for at, control in enumerate(panel.spec["controls"]) if "options" not in control)
        yield f"page {name}", explorable(page, page.locator("#fk"), moves, place)
    yield "page_said", said[:]
    yield "page_requests", len([url for url in asked if not url.startswith("data:")])
    notebook(folder)
    with jupyterlab(folder) as address:
        asked.clear()
        run_notebook(page, address, "latency.ipynb")
        cells = page.locator(".jp-Notebook .jp-Cell")
        cells.nth(0).locator(".card").wait_for(timeout=60_000)
        cells.nth(1).locator("img").wait_for(timeout=60_000)
        host = cells.nth(0).locator("[data-lm-suppress-shortcuts]")
        yield "lab", explorable(page, host, moves)
        yield "interact", interact(page, cells.nth(1), moves)
        page.evaluate(BUSY)
        yield "lab_busy", explorable(page, host, moves)
        yield (
            "lab_outside",
            len([url for url in asked if address not in url and not url.startswith(("data:", "blob:", "ws"))]),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=50)
    moves = parser.parse_args().moves
    from playwright.sync_api import sync_playwright

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        found = {}
        for where, value in measured(browser, Path(name), moves):
            found[where] = (
                summary(value) if isinstance(value, list) and value and not isinstance(value[0], str) else value
            )
        browser.close()
    found["load"] = None if load is None else [round(load, 1), round(os.getloadavg()[0], 1)]
    found["python"] = platform.python_version()
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
