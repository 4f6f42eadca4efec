"""The body of a mail that says what a report found: as text, and as HTML with its styles within and no request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from funnelkit.language import language, number, percent, say

_UNJUDGED = "unjudged"  # the kind of the first page's one sentence where there is no usual level
_COLOURS = {"act": "#b3261e", "watch": "#8a5a00", "steady": "#3c4a57"}
_FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans CJK SC',sans-serif"
_BOX = f"{_FONT};font-size:16px;line-height:1.5;color:#1f2933;max-width:640px;margin:0 auto;padding:16px"


def mail_text(alert: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """Return the mail as plain text: what to look at, what else the report found, the figures, where it is."""
    lines = [alert["title"], ""]
    lines += [f"* {one}" for one in _told(alert, summary)]
    others = _others(alert, summary)
    if others:
        lines += ["", say("report.alert.also"), *(f"- {sentence}" for sentence in others)]
    lines += ["", *(f"{name}: {value}{_behind(note)}" for name, value, note in _figures(summary))]
    return "\n".join([*lines, "", _closing(alert)]) + "\n"


def mail_html(alert: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """Return the mail as HTML with its styles in the elements, as mail programs want them."""
    colour = _COLOURS.get(alert["severity"], _COLOURS["steady"]) if alert["alerts"] else _COLOURS["steady"]
    parts = [f'<h1 style="font-size:20px;line-height:1.3;margin:0 0 12px">{escape(alert["title"])}</h1>']
    style = f"margin:0 0 10px;padding:8px 12px;border-left:4px solid {colour};background:#f5f7f9"
    parts += [f'<p style="{style}">{escape(one)}</p>' for one in _told(alert, summary)]
    others = _others(alert, summary)
    if others:
        items = "".join(f'<li style="margin:0 0 6px">{escape(sentence)}</li>' for sentence in others)
        parts.append(f'<p style="margin:16px 0 4px">{escape(say("report.alert.also"))}</p>')
        parts.append(f'<ul style="margin:0;padding-left:20px">{items}</ul>')
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:400;padding:2px 16px 6px 0">{escape(name)}'
        f'<div style="color:#52606d;font-size:14px">{escape(note)}</div></th>'
        f'<td style="text-align:right;vertical-align:top;font-weight:600">{escape(value)}</td></tr>'
        for name, value, note in _figures(summary)
    )
    if rows:
        parts.append(f'<table role="presentation" style="margin:16px 0;border-collapse:collapse">{rows}</table>')
    parts.append(f'<p style="margin:16px 0 0;color:#52606d;font-size:14px">{escape(_closing(alert))}</p>')
    lang = "zh-CN" if language() == "zh" else "en"
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}"><head><meta charset="utf-8"><title>{escape(alert["subject"])}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"></head>\n'
        f'<body style="margin:0;background:#ffffff"><div style="{_BOX}">\n{"".join(parts)}\n</div></body></html>\n'
    )


def unjudged(summary: Mapping[str, Any]) -> str:
    """Return the sentence with which the first page says that it could judge nothing; empty where it could."""
    return next((str(one["sentence"]) for one in summary.get("findings", []) if one.get("kind") == _UNJUDGED), "")


def calm(summary: Mapping[str, Any]) -> str:
    """Return the sentence for no alert where the first page is not all quiet; empty where nothing stands out."""
    loud = any(one.get("severity") in ("act", "watch") for one in summary.get("findings", []))
    return unjudged(summary) or (say("report.alert.none_asked") if loud else "")


def _told(alert: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    """Return the sentences of the alerts, each once; what the last report told as well says so."""
    told = [
        one["sentence"] if one["new"] else say("report.alert.known", sentence=one["sentence"])
        for one in alert["alerts"]
    ]
    return list(dict.fromkeys(told)) or [calm(summary) or say("report.alert.nothing")]


def _others(alert: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    """Return what the first page found besides, but for what the alerts say already."""
    said = {one.get("rank") for one in alert["alerts"]}
    found = summary.get("findings", [])
    told = [one for one in found if alert["alerts"] or one.get("kind") != _UNJUDGED]
    return [one["sentence"] for one in told if one.get("sentence") and one.get("rank") not in said]


def _behind(note: str) -> str:
    return say("report.alert.note", note=note) if note else ""


def _figures(summary: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield name, value and note of the first page's figures; of a template without one, the counts that there are."""
    for tile in summary.get("headline", ()):
        yield tile["label"], tile["figure"], tile["changes"]
    if summary.get("headline"):
        return
    figures = summary.get("figures", {})
    for status in ("won", "lost", "open"):
        if isinstance(figures.get(f"n_{status}"), int):
            yield say(f"labels.{status}"), number(figures[f"n_{status}"]), ""
    rate = figures.get("win_rate", {})
    if isinstance(rate, Mapping) and rate.get("rate") is not None:
        yield say("report.first_page.tile_rate", months=rate.get("months", 12)), percent(rate["rate"]), ""


def _closing(alert: Mapping[str, Any]) -> str:
    return say("report.alert.closing", as_of=alert["as_of"] or "–")
