"""Latency in the browser from a slider's key press to changed pixels: a panel beside `interact` with a new figure.

Run by hand on an idle machine: python benchmarks/widget_latency.py [--moves 50]. Prints one line a way of drawing:
median and p95 in milliseconds. Both ways draw the same cascade in the same page and run; numbers alone are the
panel's reading. Each move presses an arrow key.
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

CELLS = {
    "panel": "from funnelkit.explore import panels\npanel = panels.cascade_panel()\npanel",
    "interact": (
        "import ipywidgets as w\nimport matplotlib.pyplot as plt\n%matplotlib inline\n"
        "from funnelkit import cascade, funnel\nfrom IPython.display import HTML, display\n"
        "names = [stage.name.en for stage in funnel('pharma').stages]\n"
        "def draw(awareness):\n"
        "    table = cascade({'disease-awareness': round(awareness / 100, 6)}).table\n"
        "    left = table['remaining'].iloc[-1]\n"
        "    fig, ax = plt.subplots(figsize=(9.2, 5.1), dpi=110)\n"
        "    ax.barh(names[3:], table['remaining'][3:])\n"
        "    for place, count in enumerate(table['remaining'][3:]):\n"
        "        ax.text(count, place, f'{count:,.0f}')\n"
        "    ax.invert_yaxis()\n    ax.set_title(f'{left:,.0f}')\n    plt.show()\n"
        "_ = w.interact(draw, awareness=w.FloatSlider(value=90, min=0, max=100, step=1))"
    ),
}
# Press, then wait for the watched part to change: numbers by the change of the page's text, pictures until the new one
# is decoded and the next frame has begun. Watching changes costs nothing between them, as polling every frame would.
WATCH = """([index, kind]) => new Promise((resolve, reject) => {
  const cell = document.querySelectorAll('.jp-Notebook .jp-Cell')[index];
  const pictures = () => [...cell.querySelectorAll('img')];
  const read = () => kind === 'text' ? cell.querySelectorAll('.widget-html-content')[2]?.textContent
                                     : pictures().map(img => img.src).join();
  const before = read(), handle = cell.querySelector('.noUi-handle'), start = performance.now();
  const done = () => { observer.disconnect(); clearTimeout(late); resolve(performance.now() - start); };
  const look = () => {
    const now = read();
    if (!now || now === before) return;
    if (kind === 'text') return done();
    Promise.all(pictures().map(img => img.decode())).then(() => requestAnimationFrame(done), () => {});
  };
  const observer = new MutationObserver(look);
  observer.observe(cell, {subtree: true, childList: true, characterData: true, attributes: true});
  const late = setTimeout(() => reject(new Error('no change')), 20000);
  const key = window.fkUp ? 'ArrowRight' : 'ArrowLeft';
  handle.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
})"""


def notebook(folder):
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    made = new_notebook(cells=[new_code_cell(source) for source in CELLS.values()])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, folder / "latency.ipynb")


def measure(page, index, kind, moves):
    """Return the latencies of `moves` key presses, to and fro around the start."""
    times = []
    for move in range(moves + 3):
        page.evaluate("up => { window.fkUp = up }", move % 10 >= 5)
        times.append(page.evaluate(WATCH, [index, kind]))
        page.wait_for_timeout(120)
    return times[3:]


def summary(times):
    return {"median_ms": round(statistics.median(times), 1), "p95_ms": round(sorted(times)[int(0.95 * len(times))], 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=50)
    moves = parser.parse_args().moves
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        notebook(Path(name))
        with jupyterlab(name) as address:
            browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
            page = browser.new_page(viewport={"width": 1280, "height": 1400})
            run_notebook(page, address, "latency.ipynb")
            for index in range(2):
                page.locator(".jp-Notebook .jp-Cell").nth(index).locator("img").wait_for(timeout=60_000)
            found = {"numbers": summary(measure(page, 0, "text", moves))}
            found["panel"] = summary(measure(page, 0, "picture", moves))
            found["interact"] = summary(measure(page, 1, "picture", moves))
            browser.close()
    found["panel_to_interact"] = round(found["panel"]["median_ms"] / found["interact"]["median_ms"], 2)
    found["load"] = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    found["python"] = platform.python_version()
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
