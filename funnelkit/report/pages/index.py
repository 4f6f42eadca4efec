"""The index page of a batch: every report with state, message, age, figures, link and earlier runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from funnelkit.language import label, language, number, paragraph, percent, say
from funnelkit.report.runs import publish
from funnelkit.report.runs.names import folder_name

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
body { max-width: 78rem; } th.r { min-width: 5.5em; }
#search { font: inherit; padding: 0.3rem 0.5rem; width: 20rem; max-width: 100%; }
.ok, .kept { color: #2f6690; } .failed { color: #b3261e; font-weight: 600; }
.alert { color: #8a5a00; font-weight: 600; }
details ul { margin: 0.2rem 0; } td { vertical-align: top; }
td.why { min-width: 18rem; max-width: 30rem; overflow-wrap: anywhere; }
tr.failed-row td { background: #fdf1f0; } .old { color: #b3261e; } .wide { overflow-x: auto; }
"""
# Report, state, link, made, data up to, won, win rate, open, runs: what stays on one line, and numbers, to the right.
_KINDS = ("", "why", "w", "w", "w", "r", "r", "r", "w")
_ORDER = ("failed", "running", "waiting", "ok", "kept")
WHOLE = ""  # names the message of the batch itself; no report has this name
_OLD_DAYS = 8  # a weekly report that was not made again


def index_page(status: Mapping[str, Any], out: Path, messages: Mapping[str, str] | None = None) -> str:
    """Return the index page of a batch's status, with links relative to `out`, where it will lie.

    `messages` say for failed reports, and for a plan that was refused, what went wrong; those that failed stand first,
    then those that raised an alert.
    """
    messages = messages or {}
    hashed = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hashed}'"
    title = say("report.batch.title")
    words = [*(say(f"report.batch.{name}") for name in ("report", "state", "link", "made", "data_to")),
             label("won"), say("report.batch.win_rate"), label("open"), say("report.batch.earlier")]  # fmt: skip
    kinds = zip(words, ("r" if kind == "r" else "" for kind in _KINDS), strict=True)
    head = "".join(f'<th scope="col"{_class(kind)}>{escape(word)}</th>' for word, kind in kinds)
    entries = sorted(_entries(status), key=lambda one: (_ORDER.index(one["outcome"]), not one.get("alerts")))
    rows = "\n".join(_row(entry, out, messages.get(entry["name"], ""), _moment(status)) for entry in entries)
    kind = "good" if status["outcome"] == "ok" and not status["n_failed"] else "warn"
    search = escape(say("report.batch.search"))
    return (
        f'<!DOCTYPE html>\n<html lang="{"zh-CN" if language() == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_CSS.read_text(encoding='utf-8')}{_STYLE}</style></head>\n"
        f"<body><main><h1>{escape(title)}</h1>{_refused(status, messages)}"
        f'<p class="fk fk-{kind}">{escape(_counts(status))}</p>{_warnings(status)}'
        f'<p><input id="search" type="search" hidden placeholder="{search}" aria-label="{search}"></p>\n'
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(title)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div></main>"
        f"<script>{_SCRIPT}</script></body></html>\n"
    )


def _entries(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the reports that have ended, those that were not asked for, and those that run or wait."""
    others = [{"name": name, "outcome": state} for state in ("running", "waiting") for name in status.get(state, ())]
    return [*status["reports"], *status.get("others", ()), *others]


def _counts(status: Mapping[str, Any]) -> str:
    good = status["n_done"] - status["n_failed"]
    alerts = sum(bool(entry.get("alerts")) for entry in _entries(status))
    said = [say("report.batch.counts", n=status["n"], good=good, failed=status["n_failed"],
                open=status["n"] - status["n_done"], at=_time(status["started_at"]))]  # fmt: skip
    others = len(status.get("others", ()))
    said += [say("report.batch.not_asked", asked=status["n"] - others, n=others)] if others else []
    said += [say("report.batch.alerts", n=alerts)] if alerts else []
    said += [say("report.batch.in_progress", at=_time(status["at"]))] if status["outcome"] == "running" else []
    return paragraph(said)


def _refused(status: Mapping[str, Any], messages: Mapping[str, str]) -> str:
    if status["outcome"] != "refused":
        return ""
    said = say("report.batch.refused", at=_time(status["at"]), code=status["exit_code"])
    return f'<p class="fk fk-warn">{escape(paragraph([said, messages.get(WHOLE, "")]))}</p>'


def _moment(status: Mapping[str, Any]) -> datetime | None:
    return _parsed(status.get("at", ""))


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _time(text: str) -> str:
    """Return a time as people read it, in the zone of this machine; what is no time stays as it is."""
    moment = _parsed(text)
    return text if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _warnings(status: Mapping[str, Any]) -> str:
    names = [result["name"] for result in status["reports"] if result["unchanged_since"]]
    if not names:
        return ""
    said = say("report.batch.unchanged_all", n=len(names), names=", ".join(names))
    return f'<p class="fk fk-warn">{escape(said)}</p>'


def _row(entry: Mapping[str, Any], out: Path, message: str, now: datetime | None) -> str:
    folder = out / (entry.get("folder") or folder_name(entry["name"]))
    latest = publish.latest(folder)
    record = publish.load_json(latest / "run.json") if latest is not None else {}
    files = [name for name in ("report.html", "report.pdf") if latest is not None and (latest / name).is_file()]
    link = " ".join(_link(f"{folder.name}/runs/{latest.name}/{name}", name) for name in files) if latest else "–"
    cells = [
        escape(entry["name"]), _state(entry, message), link, _made(record, now, entry["outcome"] == "failed"),
        *(f'<span class="n">{escape(text)}</span>' for text in _figures(record)), _history(folder),
    ]  # fmt: skip
    row = "failed-row" if entry["outcome"] == "failed" else ""
    kinds = [kind if message or kind != "why" else "" for kind in _KINDS]
    shown = (f"<td{_class(kind)}>{cell}</td>" for kind, cell in zip(kinds, cells, strict=True))
    return f"<tr{_class(row)}>{''.join(shown)}</tr>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _state(entry: Mapping[str, Any], message: str) -> str:
    """Return how a report stands: its state, where it failed the reason and message, and what is to be noticed."""
    state = say(f"report.batch.state_{entry['outcome']}")
    if entry["outcome"] == "failed":
        state = say("report.batch.failed_why", state=state, reason=entry["reason"], code=entry["exit_code"])
    parts = [f'<span class="{entry["outcome"]}">{escape(state)}</span>']
    parts += [escape(message)] if message else []
    if entry.get("unchanged_since"):
        parts.append(escape(say("report.batch.unchanged", since=_time(entry["unchanged_since"]))))
    if entry.get("alerts"):
        words = [say(f"report.batch.alert_{kind}") for kind in entry["alerts"]]
        parts.append(f'<span class="alert">{escape(say("report.batch.alerted", kinds=words))}</span>')
    return "<br>".join(parts)


def _made(record: Mapping[str, Any], now: datetime | None, failed: bool) -> str:
    """Return when the published report was made and how many days ago; an old one stands out."""
    moment = _parsed(record.get("started_at", ""))
    if moment is None:
        return "–"
    days = 0 if now is None else (now - moment).days
    text = escape(_time(record["started_at"]))
    if days < 1:  # below 0 the clock has been put back since
        return text
    old = failed or days > _OLD_DAYS
    ago = escape(say("report.batch.days_ago", n=number(days)))
    return f'{text}<br><span class="{"old" if old else "age"}">{ago}</span>'


def _figures(record: Mapping[str, Any]) -> list[str]:
    """Return the day the data reach to, deals won, win rate, open deals of the published report."""
    figures = record.get("figures", {})
    rate = figures.get("win_rate")
    rate = rate if isinstance(rate, Mapping) else {}
    share = rate.get("rate")
    counts = [figures.get(name) for name in ("n_won", "n_open")]
    won, still = (number(count) if isinstance(count, int) else "–" for count in counts)
    return [
        str(figures.get("as_of") or "–"),
        won,
        "–" if share is None else _rate(share, rate.get("months", 12)),
        still,
    ]


def _rate(share: float, months: int) -> str:
    return percent(share) if months == 12 else say("report.batch.win_rate_of", rate=percent(share), months=months)


def _link(path: str, word: str) -> str:
    return f'<a href="{escape(quote(path))}">{escape(word)}</a>'


def _history(folder: Path) -> str:
    """Return the runs that are kept, the newest first, the good ones with a link."""
    folders = [*(folder / "runs").glob("*"), *(folder / "failed").glob("*")]
    entries = []
    for run in sorted(folders, key=lambda path: path.name, reverse=True):
        record = publish.load_json(run / "run.json")
        if not record:
            continue
        when = _time(record.get("started_at", run.name))
        if record.get("outcome") == "ok":
            entries.append(_link(f"{folder.name}/runs/{run.name}/report.html", when))
        else:
            reason = f"{record.get('reason')} ({record.get('exit_code')})"
            entries.append(f'{escape(when)} <span class="failed">{escape(reason)}</span>')
    items = "".join(f"<li>{entry}</li>" for entry in entries)
    words = escape(say("report.batch.runs", n=len(entries)))
    return f"<details><summary>{words}</summary><ul>{items}</ul></details>"
