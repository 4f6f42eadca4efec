"""Cohorts: does a younger one do worse, or is it only younger? Each beside the earlier ones at the same age."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from funnelkit.analysis.periods import Calendar
from funnelkit.analysis.shared import DAY, insight, size_of
from funnelkit.analysis.time import outcome_times
from funnelkit.language import DataError, number, percent, points, settings
from funnelkit.pipeline import Pipeline
from funnelkit.result import Insight, Result
from funnelkit.stats import aalen_johansen, change_interval, change_p_value, holm_levels, wilson

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
        high_before (earlier cohorts), change, change_low, change_high (at `level`), level, p_value, clear.

    Raises
    ------
    LimitError, DataError
        As `outcome_curves`; for an unknown outcome.

    Notes
    -----
    Shares are Aalen-Johansen estimates, each as sure as that of so many trials. The interval of the change is
    Newcombe's (1998); cohorts are one family that errs with 5 % (Holm's levels).

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
    rows = [_cohort_row(pipeline, times, cohort, _CODES[outcome]) for cohort in np.unique(times["cohort"])]
    table = _judge(pd.DataFrame(rows))
    table["cohort"] = [calendar.name(cohort) for cohort in table["cohort"]]
    clear = table[table["clear"]]
    raw = percent(table["raw"].iloc[-1])
    values: dict[str, Any] = {"n": number(len(table)), "raw": raw, "first": percent(table["raw"].iloc[0])}
    values |= {"cohorts": clear["cohort"].tolist(), "change": [points(change) for change in clear["change"]]}
    key = "analysis.time.cohorts_differ" if len(clear) else "analysis.time.cohorts_alike"
    found = tuple(_insight(row, pipeline) for row in clear.to_dict("records"))
    return Result(table, key, values, model=pipeline.model, picture="cohort_chart", shown=_for_people, findings=found)


def _judge(table: pd.DataFrame) -> pd.DataFrame:
    """Add intervals and changes; all cohorts are one family of tests."""
    rates = table["share"].to_numpy(), table["share_before"].to_numpy()
    worth = table.pop("worth").to_numpy(), table.pop("worth_before").to_numpy()
    for side, rate, n in zip(("", "_before"), rates, worth, strict=True):
        trials = np.nan_to_num(n)
        table[f"low{side}"], table[f"high{side}"] = wilson(np.nan_to_num(rate) * trials, trials)
    p_value = change_p_value(rates, worth)
    level, clear = holm_levels(p_value)
    change, low, high = change_interval(rates, worth, level)
    table = table.assign(change=change, change_low=low, change_high=high, level=level, p_value=p_value, clear=clear)
    return table[list(_COLUMNS)]


_COLUMNS = (
    "cohort", "n", "n_open", "raw", "age_days", "share", "low", "high", "n_before", "share_before", "low_before",
    "high_before", "change", "change_low", "change_high", "level", "p_value", "clear",
)  # fmt: skip


def _for_people(table: pd.DataFrame) -> pd.DataFrame:
    told = pd.DataFrame({"cohort": table["cohort"], "n_open": table["n_open"]})
    told["raw"] = [percent(share) for share in table["raw"]]
    told = told.assign(days=table["age_days"].round(), share_then=table["share"], share_earlier=table["share_before"])
    told = told.join(table[["change", "change_low", "change_high"]])
    return told.assign(level=[percent(level) for level in table["level"]], clear=table["clear"])


def _insight(row: dict[str, Any], pipeline: Pipeline) -> Insight:
    values = {"cohort": row["cohort"], "share": percent(row["share"]), "before": percent(row["share_before"])}
    values |= {name: points(row[name]) for name in ("change", "change_low", "change_high")}
    values |= {"days": number(row["age_days"]), "level": percent(row["level"])}
    kind = "cohort_better" if row["change"] > 0 else "cohort_worse"
    size = size_of(pipeline, abs(row["change"]) * row["n"])
    size |= {"found": row["share"], "usual": row["share_before"], "evidence": float(row["p_value"])}
    return insight(kind, row["cohort"], "analysis.time.cohort_moved", values, **size)


def _cohort_row(pipeline: Pipeline, times: pd.DataFrame, cohort: int, code: int) -> dict[str, Any]:
    mine, before = times[times["cohort"] == cohort], times[times["cohort"] < cohort]
    age = float(((pipeline.as_of - mine["started_at"]) / DAY).median())
    (share, worth), (other, other_worth) = (_share_at(part, age, code) for part in (mine, before))
    return {
        "cohort": cohort, "n": len(mine), "n_open": int((mine["outcome"] == 0).sum()),
        "raw": float((mine["outcome"] == code).mean()), "age_days": age, "share": share, "worth": worth,
        "n_before": len(before), "share_before": other, "worth_before": other_worth,
    }  # fmt: skip


def _share_at(times: pd.DataFrame, age: float, code: int) -> tuple[float, float]:
    """Return the share by this age, and the number of trials that it is as sure as."""
    if not len(times):
        return np.nan, np.nan
    curves = aalen_johansen(times["days"], times["outcome"], 2, times["entry_days"])
    row = int(curves.at(age))
    if age > curves.follow_up and (row < 0 or curves.stay[-1] > 1e-12):
        return np.nan, np.nan
    if row < 0:
        return 0.0, float((times["days"] >= age).sum())
    share, error = float(curves.left[row, code - 1]), float(curves.left_error[row, code - 1])
    inside = 1e-12 < share < 1 - 1e-12 and error > 0
    return share, share * (1 - share) / error**2 if inside else float(curves.n_at_risk[row])
