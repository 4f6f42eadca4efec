"""The index page of a batch: every report with its state, its link and its earlier runs, and a field to search in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from funnelkit.language import language, say
from funnelkit.report.runs import publish

_CSS = Path(__file__).with_name("html.css")
# The only script; the page's policy names its hash, so that no other can run. Without it the whole list is shown.
_SCRIPT = """
const field = document.getElementById("search"), rows = [...document.querySelectorAll("tbody tr")];
const words = rows.map(row => row.textContent.toLowerCase());
field.hidden = false;
field.addEventListener("input", () => {
  const wanted = field.value.toLowerCase().split(/\\s+/);
  rows.forEach((row, i) => { row.hidden = !wanted.every(word => words[i].includes(word)); });
});
"""
_STYLE = """
#search { font: inherit; padding: 0.3rem 0.5rem; width: 20rem; max-width: 100%; }
.ok, .kept { color: #2f6690; } .failed { color: #b3261e; font-weight: 600; } details ul { margin: 0.2rem 0; }
"""


def index_page(status: Mapping[str, Any], out: Path) -> str:
    """Return the index page of a batch's status, with links relative to `out`, where it will lie."""
    hashed = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hashed}'"
    title = say("report.batch.title")
    good = status["n_done"] - status["n_failed"]
    counts = say("report.batch.counts", n=status["n"], good=good, failed=status["n_failed"],
                 open=status["n"] - status["n_done"], at=status["started_at"])  # fmt: skip
    head = "".join(f"<th>{escape(say(f'report.batch.{name}'))}</th>" for name in ("report", "state", "link", "earlier"))
    rows = "\n".join(_row(result, out) for result in status["reports"])
    kind = "warn" if status["outcome"] != "ok" else "good"
    return (
        f'<!DOCTYPE html>\n<html lang="{"zh-CN" if language() == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_CSS.read_text(encoding='utf-8')}{_STYLE}</style></head>\n"
        f'<body><main><h1>{escape(title)}</h1><p class="fk fk-{kind}">{escape(counts)}</p>{_warnings(status)}'
        f'<p><input id="search" type="search" hidden placeholder="{escape(say("report.batch.search"))}" '
        f'aria-label="{escape(say("report.batch.search"))}"></p>\n'
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></main>"
        f"<script>{_SCRIPT}</script></body></html>\n"
    )


def _warnings(status: Mapping[str, Any]) -> str:
    names = [result["name"] for result in status["reports"] if result["unchanged_since"]]
    if not names:
        return ""
    return (
        f'<p class="fk fk-warn">{escape(say("report.batch.unchanged_all", n=len(names), names=", ".join(names)))}</p>'
    )


def _row(result: Mapping[str, Any], out: Path) -> str:
    state = say(f"report.batch.state_{result['outcome']}")
    if result["outcome"] == "failed":
        state = say("report.batch.failed_why", state=state, reason=result["reason"], code=result["exit_code"])
    if result["unchanged_since"]:
        state += " · " + say("report.batch.unchanged", since=result["unchanged_since"])
    latest = publish.latest(out / result["name"])
    link = "–"
    if latest is not None:
        files = [name for name in ("report.html", "report.pdf") if (latest / name).is_file()]
        link = " ".join(_link(f"{result['name']}/runs/{latest.name}/{name}", name) for name in files)
    cells = [escape(result["name"]), f'<span class="{result["outcome"]}">{escape(state)}</span>', link]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in [*cells, _history(out, result["name"])]) + "</tr>"


def _link(path: str, word: str) -> str:
    return f'<a href="{escape(quote(path))}">{escape(word)}</a>'


def _history(out: Path, name: str) -> str:
    """Return the runs that are kept, the newest first, the good ones with a link."""
    folders = [*(out / name / "runs").glob("*"), *(out / name / "failed").glob("*")]
    entries = []
    for folder in sorted(folders, key=lambda path: path.name, reverse=True):
        record = publish.load_json(folder / "run.json")
        if not record:
            continue
        when = record.get("started_at", folder.name)
        if record.get("outcome") == "ok":
            entries.append(_link(f"{name}/runs/{folder.name}/report.html", when))
        else:
            reason = f"{record.get('reason')} ({record.get('exit_code')})"
            entries.append(f'{escape(when)} <span class="failed">{escape(reason)}</span>')
    items = "".join(f"<li>{entry}</li>" for entry in entries)
    words = escape(say("report.batch.runs", n=len(entries)))
    return f"<details><summary>{words}</summary><ul>{items}</ul></details>"
