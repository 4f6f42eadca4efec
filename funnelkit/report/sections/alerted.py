"""What of an answer is worth a mail: signals beyond chance, deals held up, a target probably missed."""

from __future__ import annotations

from typing import Any

import numpy as np

from funnelkit.language import number, percent, say
from funnelkit.pipeline import Pipeline
from funnelkit.result import Insight, Result

MOST_Q = 0.001  # of a deal named by itself: 52 weekly reports then name one wrongly in about 5 % of the years
_HELD_UP = "slower"


def alerts_of(section: str, found: Result | None) -> list[dict[str, Any]]:
    """Return the alerts of a section's answer: of `signal` each change, of `stuck` stages and deals, of `health`."""
    if found is None or section not in _READERS:
        return []
    alerts: list[dict[str, Any]] = _READERS[section](found)
    return alerts


def _row(alert: str, found: Insight) -> dict[str, Any]:
    sizes = {name: getattr(found, name) for name in ("n_deals", "amount", "usual", "found", "evidence")}
    plain = {name: None if value is None or np.isnan(value) else value for name, value in sizes.items()}
    return {"alert": alert, "kind": found.kind, "subject": found.subject, "sentence": str(found.sentence), **plain}


def _signals(found: Result) -> list[dict[str, Any]]:
    return [_row("signal", one) for one in found.findings]


def _held_up(found: Result) -> list[dict[str, Any]]:
    stages = [_row("stuck", one) for one in found.findings if one.kind == _HELD_UP]
    table = found.table
    sure = set(table.loc[table["q_value"] <= MOST_Q, "deal_id"].astype(str)) if "q_value" in table else set()
    deals = [_row("stuck", one) for one in found.findings if one.kind != _HELD_UP and one.subject in sure]
    return stages + deals


def _target(found: Result) -> list[dict[str, Any]]:
    rows = found.table[(found.table["condition"] == "coverage") & (found.table["verdict"] == "short")]
    return [
        {
            "alert": "target", "kind": "short", "subject": "target", "n_deals": int(row["n"]), "amount": None,
            "usual": None, "found": float(row["p_reached"]), "evidence": None,
            "sentence": say("report.alert.target", chance=percent(row["p_reached"]), n=number(row["n"])),
        }
        for row in rows.to_dict("records")
    ]  # fmt: skip


_READERS = {"signal": _signals, "stuck": _held_up, "health": _target}


def newest_day(pipeline: Pipeline) -> str | None:
    """Return the day of the newest time in the export, also where a filter keeps a part of it; None without times."""
    whole = [finding.values["newest"] for finding in pipeline.findings if "newest" in finding.values]
    if whole:
        return str(whole[0]) if whole[0] else None
    times = [pipeline.events["entered_at"].max(), pipeline.deals["closed_at"].max(), pipeline.deals["created_at"].max()]
    known = [time for time in times if time == time]
    return f"{max(known):%Y-%m-%d}" if known else None
