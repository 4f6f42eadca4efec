"""Cohorts: does a younger one do worse, or is it only younger? Each beside the earlier ones at the same age."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from funnelkit.analysis.periods import Calendar
from funnelkit.analysis.shared import DAY, insight
from funnelkit.analysis.time import outcome_times
from funnelkit.language import DataError, number, percent, points, settings
from funnelkit.pipeline import Pipeline
from funnelkit.result import Insight, Result
from funnelkit.stats import LEVEL, aalen_johansen, interval

Interval = tuple[float, float]
_CODES = {"won": 1, "lost": 2}


def compare_cohorts(
    pipeline: Pipeline,
    calendar: Calendar | None = None,
    outcome: Literal["won", "lost"] = "won",
    delayed_entry: bool | None = None,
) -> Result:
    """Compare each cohort's share won (or lost) at an age it has reached with all earlier cohorts at the same age.

    Parameters
    ----------
    pipeline : Pipeline
    calendar : Calendar of the cohorts, months unless it says otherwise
    outcome, delayed_entry : {"won", "lost"}, and as in `outcome_curves`

    Returns
    -------
    Result
        Table: cohort, n, n_open, raw (won so far over all: falls for young cohorts whatever happens), age_days (by
        which half the cohort has been watched), share, low, high (at that age), n_before, share_before, low_before,
        high_before (earlier cohorts), change, change_low, change_high, clear.

    Raises
    ------
    LimitError, DataError
        As `outcome_curves`; for an unknown outcome.

    Notes
    -----
    Shares are Aalen-Johansen estimates. The interval of the change combines both (Newcombe 1998, method 10); `clear`
    is beyond 0 at a level that allows for the number of cohorts (Bonferroni).

    Examples
    --------
    >>> from funnelkit import read, synthesize
    >>> made = synthesize(rng=1, n_deals=300)
    >>> pipeline = read(made.deals, made.events, model=made.model, as_of=made.as_of)
    >>> compare_cohorts(pipeline, Calendar("year")).table[["cohort", "n"]].values.tolist()
    [['2024', 152], ['2025', 144]]
    """
    return _compare(pipeline, calendar or settings.calendar or Calendar("month"), outcome, delayed_entry)


def _compare(pipeline: Pipeline, calendar: Calendar, outcome: str, delayed_entry: bool | None) -> Result:
    if outcome not in _CODES:
        raise DataError("bad_outcome", found=repr(outcome), known=", ".join(_CODES))
    times = outcome_times(pipeline, delayed_entry)
    if not len(times):
        raise DataError("no_timed_deals")
    times["cohort"] = calendar.number(times["started_at"].to_numpy())
    cohorts = np.unique(times["cohort"])
    level = 1 - (1 - LEVEL) / max(1, len(cohorts) - 1)
    rows = [_cohort_row(pipeline, times, cohort, _CODES[outcome], level) for cohort in cohorts]
    table = pd.DataFrame(rows).assign(cohort=[calendar.name(cohort) for cohort in cohorts])
    clear = table[table["clear"]]
    raw = percent(table["raw"].iloc[-1])
    values: dict[str, Any] = {"n": number(len(table)), "raw": raw, "first": percent(table["raw"].iloc[0])}
    values |= {"cohorts": clear["cohort"].tolist(), "change": [points(change) for change in clear["change"]]}
    key = "analysis.time.cohorts_differ" if len(clear) else "analysis.time.cohorts_alike"
    found = tuple(_insight(row) for row in clear.to_dict("records"))
    return Result(table, key, values, model=pipeline.model, picture="cohort_chart", shown=_for_people, findings=found)


def _for_people(table: pd.DataFrame) -> pd.DataFrame:
    told = pd.DataFrame({"cohort": table["cohort"], "n_open": table["n_open"]})
    told["raw"] = [percent(share) for share in table["raw"]]
    told = told.assign(days=table["age_days"].round(), share=table["share"], share_earlier=table["share_before"])
    return told.join(table[["change", "change_low", "change_high", "clear"]])


def _insight(row: dict[str, Any]) -> Insight:
    values = {"cohort": row["cohort"], "share": percent(row["share"]), "before": percent(row["share_before"])}
    values |= {name: points(row[name]) for name in ("change", "change_low", "change_high")}
    kind = "cohort_better" if row["change"] > 0 else "cohort_worse"
    return insight(
        kind, row["cohort"], "analysis.time.cohort_moved", values | {"days": number(row["age_days"])}, n_deals=row["n"]
    )


def _cohort_row(pipeline: Pipeline, times: pd.DataFrame, cohort: int, code: int, level: float) -> dict[str, Any]:
    mine, before = times[times["cohort"] == cohort], times[times["cohort"] < cohort]
    age = float(((pipeline.as_of - mine["started_at"]) / DAY).median())
    share, low, high, wide = _share_at(mine, age, code, level)
    other, other_low, other_high, other_wide = _share_at(before, age, code, level)
    low_end, high_end = _hybrid(share, other, (low, high), (other_low, other_high))
    wide_low, wide_high = _hybrid(share, other, wide, other_wide)
    return {
        "cohort": cohort, "n": len(mine), "n_open": int((mine["outcome"] == 0).sum()),
        "raw": float((mine["outcome"] == code).mean()), "age_days": age, "share": share, "low": low, "high": high,
        "n_before": len(before), "share_before": other, "low_before": other_low, "high_before": other_high,
        "change": share - other, "change_low": low_end, "change_high": high_end,
        "clear": bool(wide_low > 0 or wide_high < 0),
    }  # fmt: skip


def _share_at(times: pd.DataFrame, age: float, code: int, level: float) -> tuple[float, float, float, Interval]:
    """Return (share, low, high, interval at the stricter level) by this age."""
    if not len(times):
        return np.nan, np.nan, np.nan, (np.nan, np.nan)
    curves = aalen_johansen(times["days"], times["outcome"], 2, times["entry_days"])
    row = int(curves.at(age))
    if row < 0 or (age > curves.follow_up and curves.stay[-1] > 1e-12):
        share, error, n = (0.0, 0.0, int((times["days"] >= age).sum())) if row < 0 else (np.nan, np.nan, 0)
    else:
        share, error, n = curves.left[row, code - 1], curves.left_error[row, code - 1], curves.n_at_risk[row]
    low, high = interval(share, error, n)
    wide_low, wide_high = interval(share, error, n, level)
    return float(share), float(low), float(high), (float(wide_low), float(wide_high))


def _hybrid(share: float, other: float, ends: Interval, other_ends: Interval) -> Interval:
    """Combine the intervals of two independent shares into one of their difference (Newcombe 1998, method 10)."""
    change = share - other
    low = change - np.hypot(share - ends[0], other_ends[1] - other)
    return float(low), float(change + np.hypot(ends[1] - share, other - other_ends[0]))
