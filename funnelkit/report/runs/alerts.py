"""Alerts: what of a report somebody asked to be told of, for a scheduler that sends a mail only when there is some."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from funnelkit.language import number, paragraph, percent, say, speaking
from funnelkit.report.runs import publish

ALERTS = ("signal", "target", "stuck", "data")
ALERTED = 3  # what a command ends with where there is something to say
STALE_DAYS = 7
_HELD_UP = {"slower": "held_up"}  # what the first page calls a slower stage that holds more deals than usual
FILE = "alert.json"
_SIZES = {"n_deals": "deals", "amount": "money", "found": "found", "usual": "usual"}  # of an alert, of a finding


def write_alerts(staging: Path, asked: Sequence[str], record: Mapping[str, Any], before: Path | None) -> bool:
    """Write alert.json and the mail into the folder of a run that is about to be published; tell whether to mail.

    `record` is what run.json will say, `before` the folder of the run published until now: what stood there is no
    news, and inputs that are the same as then are a fault of the export.
    """
    from funnelkit.report.pages.mail import calm, mail_html, mail_text

    summary = publish.load_json(staging / "summary.json")
    figures = summary.get("figures", {})
    with speaking(record["language"]):
        found = [alert for name, part in figures.items() if name.startswith("alerts_") for alert in part]
        found += _of_data(figures, record, publish.load_json(before / "run.json") if before else {})
        found = [_as_on_the_page(alert, summary.get("findings", [])) for alert in found]
        known = {_key(alert) for alert in publish.load_json(before / FILE).get("alerts", [])} if before else set()
        found.sort(key=lambda alert: alert.get("rank") or math.inf)  # what the page leads with leads the mail
        alerts = [{**alert, "new": _key(alert) not in known} for alert in _once(found) if alert["alert"] in asked]
        page = summary  # what the first page says of itself
        title = str(page.get("title") or summary.get("title") or "")
        content = {
            "alert": bool(alerts), "exit_code": ALERTED if alerts else 0, "asked": list(asked),
            "subject": _subject(title, alerts, calm(summary)), "title": title,
            "severity": summary.get("severity") or ("act" if alerts else "steady"),
            "as_of": figures.get("as_of"), "report": "report.html", "alerts": alerts,
        }  # fmt: skip
        publish.write_json(staging / FILE, content)
        texts = {"mail.txt": mail_text(content, summary), "mail.html": mail_html(content, summary)}
    for name, text in texts.items():
        (staging / name).write_text(text, encoding="utf-8")
    return bool(alerts)


def _key(alert: Mapping[str, Any]) -> tuple[Any, ...]:
    return alert.get("alert"), alert.get("kind"), alert.get("subject")


def _as_on_the_page(alert: dict[str, Any], findings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return an alert in the words of the first page, where that has a finding on the same stage or the target.

    Its sizes are then those that these words speak of.
    """
    for one in findings:
        same = one.get("stage") == alert["subject"] and one.get("kind") in (alert["kind"], _HELD_UP.get(alert["kind"]))
        if same or one.get("kind") == alert["alert"] == "target":
            words = paragraph([one["sentence"], *([one["action"]] if one.get("action") else [])])
            sizes = {name: one[told] for name, told in _SIZES.items() if told in one}
            return {**alert, **sizes, "sentence": words, "rank": one.get("rank")}
    return alert


def _once(alerts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({_key(alert): alert for alert in alerts}.values())


def _subject(title: str, alerts: Sequence[Mapping[str, Any]], quiet: str) -> str:
    """Return one line for a mail: the title, the first alert, how many more there are."""
    if not alerts:
        return say(f"report.alert.{'subject' if quiet else 'quiet'}", title=title, first=quiet)
    told = list(dict.fromkeys(alert["sentence"] for alert in alerts))
    key = "subject_more" if len(told) > 1 else "subject"
    return say(f"report.alert.{key}", title=title, first=told[0], n=number(len(told) - 1))


def _of_data(figures: Mapping[str, Any], record: Mapping[str, Any], before: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the alerts of the data: quarantined rows, the same input as the last time, an export that ends early."""
    found = []
    rows = figures.get("rows", {})
    if rows.get("quarantined"):
        share = percent(rows["quarantined"] / max(rows["rows_in"], 1))
        said = say("report.alert.quarantined", n=number(rows["quarantined"]), share=share)
        found.append(_data("quarantined", said, rows["quarantined"]))
    hashes = [item["sha256"] for item in record.get("inputs", [])]
    if hashes and hashes == [item["sha256"] for item in before.get("inputs", [])]:
        found.append(_data("unchanged", say("report.alert.unchanged", since=before.get("started_at", "")[:10])))
    newest, as_of = figures.get("newest"), figures.get("as_of")
    if newest and as_of and as_of != "-":
        days = (date.fromisoformat(as_of[:10]) - date.fromisoformat(newest)).days
        if days > STALE_DAYS:
            found.append(_data("stale", say("report.alert.stale", newest=newest, days=number(days), as_of=as_of)))
    return found


def _data(kind: str, sentence: str, n: int | None = None) -> dict[str, Any]:
    return {"alert": "data", "kind": kind, "subject": "data", "sentence": sentence, "n_rows": n}
