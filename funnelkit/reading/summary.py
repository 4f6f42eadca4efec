"""Check: what reading found, as a dict for JSON and as text for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from funnelkit.language import FunnelkitError, label, number, say
from funnelkit.pipeline import Pipeline

MOST = 10  # lines of a kind that a person is shown
EXIT = {"ok": 0, "warn": 0, "quarantine": 1, "reject": 2}


def check_summary(result: Pipeline | FunnelkitError, files: Iterable[object] = ()) -> dict[str, Any]:
    """Return what `funnelkit check --json` prints.

    Parameters
    ----------
    result : Pipeline or FunnelkitError
        What was read, or the error that ended the reading.
    files : iterable
        The sources, as they are to be named.

    Returns
    -------
    dict
        file, layout, outcome (ok, warn, quarantine, reject), rows_in, rows_good, rows_quarantined, rows_ignored,
        amount_total, findings, limits, sample, columns (what each is taken as, how sure that is, first values).

    Examples
    --------
    >>> from funnelkit.reading import read
    >>> check_summary(read({"stage": ["Lead", "Won"], "count": [10, 4]}))["outcome"]
    'ok'
    """
    file = ", ".join(map(str, files)) or None
    if isinstance(result, FunnelkitError):
        return _rejected(result, file)
    rows = result.rows
    return {
        "file": file, "layout": result.layout, "outcome": outcome(result), "rows_in": rows.rows_in,
        "rows_good": rows.good, "rows_quarantined": rows.quarantined, "rows_ignored": rows.ignored,
        "amount_total": result.amount_total, "findings": [finding.as_dict() for finding in result.findings],
        "limits": [limit.as_dict() for limit in result.limits],
        "sample": [{name: _plain(value) for name, value in row.items()} for row in result.sample],
        "columns": list(result.mapping),
    }  # fmt: skip


def outcome(pipeline: Pipeline) -> str:
    """Return ok, warn or quarantine."""
    if pipeline.rows.quarantined:
        return "quarantine"
    return "warn" if any(finding.severity != "note" for finding in pipeline.findings) else "ok"


def _rejected(error: FunnelkitError, file: str | None) -> dict[str, Any]:
    problems: Any = error.values.get("problems", (error,))
    return {
        "file": file, "layout": None, "outcome": "reject", "rows_in": 0, "rows_good": 0, "rows_quarantined": 0,
        "rows_ignored": 0, "amount_total": None, "findings": [_problem(each) for each in problems], "limits": [],
        "sample": [], "columns": list(error.values.get("proposals", ())),  # type: ignore[call-overload]
    }  # fmt: skip


def _problem(error: FunnelkitError) -> dict[str, Any]:
    """Return an error as a finding."""
    place = {name: error.values.get(name) for name in ("file", "line", "column", "value")}
    place = {
        name: None if value is None else (value if name == "line" else str(value)) for name, value in place.items()
    }
    return {"rule": error.key, "severity": "error", **place, "message": error.say()}


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold; nothing known is None."""
    if value is None or value is pd.NaT:
        return None
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def check_text(result: Mapping[str, Any]) -> str:
    """Return a summary as text for people, in the language in force.

    Parameters
    ----------
    result : Mapping
        What `check_summary` returns.

    Returns
    -------
    str

    Examples
    --------
    >>> from funnelkit.reading import read
    >>> print(check_text(check_summary(read({"stage": ["Lead", "Won"], "count": [10, 4]}), ["c.csv"])).splitlines()[0])
    c.csv: read without faults.
    """
    lines = _head_lines(result)
    for severity in ("error", "warn", "note"):
        found = [finding for finding in result["findings"] if finding["severity"] == severity]
        lines += _block(f"{severity}_title", [f"  - {sentence}" for sentence in _grouped(found)])
    lines += _block("limits_title", [f"  - {limit['message']}" for limit in result["limits"]])
    lines += _block("sample_title", _sample_lines(result["sample"]))
    return "\n".join(lines)


def _head_lines(result: Mapping[str, Any]) -> list[str]:
    """Return the outcome, and what was read where anything was."""
    lines = [say(f"reading.check.{result['outcome']}", file=result["file"] or "-")]
    if result["outcome"] != "reject":
        lines.append(say("reading.check.rows", **{key: result[key] for key in _COUNTS}))
        lines.append(say("reading.check.layout", layout=say(f"reading.check.layout_{result['layout']}")))
        if result["amount_total"] is not None:
            lines.append(say("reading.check.total", total=f"{result['amount_total']:,.2f}"))
    return lines


def _block(title: str, lines: Iterable[str]) -> list[str]:
    """Return lines under their title, behind a blank line; nothing where there are none."""
    lines = list(lines)
    return ["", say(f"reading.check.{title}"), *lines] if lines else []


_COUNTS = ("rows_in", "rows_good", "rows_quarantined", "rows_ignored")


def _grouped(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the findings by rule, column and value: the first with the lines of the others, at most MOST."""
    unlisted = {finding["of"]: finding["n"] for finding in findings if finding["rule"] == "more"}
    rules: dict[str, dict[tuple[Any, ...], list[Mapping[str, Any]]]] = {}
    for finding in (finding for finding in findings if finding["rule"] != "more"):
        place = (finding["file"], finding["column"], finding["value"])
        same = place if finding["line"] is not None else (finding["message"],)
        rules.setdefault(finding["rule"], {}).setdefault(same, []).append(finding)
    for rule, groups in rules.items():
        for alike in list(groups.values())[:MOST]:
            yield _sentence(alike[0]) + _further(alike[1:], rule in unlisted)
        hidden = sum(len(alike) for alike in list(groups.values())[MOST:]) + unlisted.get(rule, 0)
        if hidden:
            yield say("reading.check.hidden", n=number(hidden), rule=rule)


def _further(alike: Sequence[Mapping[str, Any]], at_least: bool) -> str:
    """Return where the same stands again: how often is known only where every finding of the rule is listed."""
    if not alike:
        return ""
    lines = ", ".join(str(finding["line"]) for finding in alike[:MOST]) + (" ..." if len(alike) > MOST else "")
    key = "alike_least" if at_least else "alike" if len(alike) > 1 else "alike_one"
    return say(f"reading.check.{key}", n=number(len(alike)), lines=lines)


def _sentence(finding: Mapping[str, Any]) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in finding["message"])


def _sample_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Return the sample one row a line, only what is known, shortened."""
    for row in rows:
        cells = (f"{label(name)}: {str(value)[:40]}" for name, value in row.items() if value is not None)
        yield "  - " + "; ".join("".join(sign if sign.isprintable() else " " for sign in cell) for cell in cells)
