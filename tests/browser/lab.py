"""A real JupyterLab and a real Chromium for the browser tests and the latency benchmark."""

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOKEN = "browser-test"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update")  # fmt: skip


def chromium():
    """Return the path of a Chromium, or None."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def jupyterlab(folder):
    """Serve `folder` with JupyterLab on loopback and yield its address; the port is polled, no fixed wait."""
    port = free_port()
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip", "127.0.0.1", "--port", str(port),
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", "--expose-app-in-browser",
        f"--ServerApp.root_dir={folder}", "--allow-root", "--LabApp.news_url=None",
    ]  # fmt: skip
    log = (Path(folder) / "lab.log").open("wb")
    server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((Path(folder) / "lab.log").read_text()[-2000:]) from None
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)
        log.close()


READY = "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
NO_WINDOWING = """() => { const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.notebookConfig = {...notebook.notebookConfig, windowingMode: 'none'}; }"""
ALL_RUN = """() => { const panel = window.jupyterapp.shell.currentWidget;
  const code = [...panel.content.model.cells].filter(cell => cell.type === 'code');
  return panel.sessionContext.session.kernel.status === 'idle' && code.every(cell => cell.executionCount > 0); }"""
CLEAR = "() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"


def run_notebook(page, address, path, limit_s=300):
    """Open a notebook, run all its cells, and wait until every one has run."""
    page.goto(f"{address}/doc/tree/{path}?token={TOKEN}")
    page.wait_for_function(READY, timeout=limit_s * 1000)
    page.evaluate(NO_WINDOWING)
    page.evaluate(CLEAR)
    page.evaluate(RUN_ALL)
    page.wait_for_function(ALL_RUN, timeout=limit_s * 1000)


def squeeze(text):
    """Return a text without blanks and list marks, as pages and terminals differ in them."""
    return re.sub(r"\s+", "", text)
