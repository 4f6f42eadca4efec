"""Timing: time in stage, curves of won, lost and open, the promotion cycle, cohorts at equal age."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnelkit.analysis.periods import Calendar
from funnelkit.analysis.stays import EXITS, column, entry_days, find_spells
from funnelkit.language import DataError, number, percent, points
from funnelkit.result import Result, refuse_limits
from funnelkit.stats import LEVEL, aalen_johansen, cause_quantile, interval, quantile

HORIZONS = (30, 60, 90, 120)
_DAY = pd.Timedelta(days=1)
_OUTCOMES = ("won", "lost", "open")


# --- time in stage ---------------------------------------------------------------------------------------------------


def time_in_stage(pipeline, by=None, delayed_entry=None):
    """Return how long deals stay in each stage and how they leave it, running stays included.

    The table has [by], stage, n (stays), n_advanced, n_lost, n_back, n_open (running), median_days with low_days and
    high_days, p25_days, p75_days (when half, a quarter, three quarters have left, by any exit; NaN where the data do
    not reach), median_completed_days (of finished stays only: too short while stays run), and advanced, low, high
    (share that advances, by the end of follow-up). Running stays are censored at as_of; advance, loss and move back
    compete (Kaplan-Meier for leaving, Aalen-Johansen for the exits). Stays that began before closes were recorded
    count from then on, unless `delayed_entry` is False. Raises LimitError where stage times are missing.

    >>> from funnelkit.synth import synthesize
    >>> from funnelkit.reading import read
    >>> made = synthesize(rng=1, n_deals=300)
    >>> found = time_in_stage(read(made.deals, made.events, model=made.model, as_of=made.as_of))
    >>> found.table[["n", "n_advanced", "n_lost", "n_back", "n_open"]].head(2).values.tolist()
    [[304, 226, 75, 0, 3], [218, 136, 66, 8, 8]]
    """
    spells = find_spells(pipeline, "time_in_stage", by)
    if delayed_entry is False:
        spells["entry_days"] = 0.0
    keys = ["stage"] if by is None else [by, "stage"]
    groups = spells.groupby(keys, observed=False, dropna=False, sort=True)
    rows = [{**dict(zip(keys, key, strict=True)), **_stay_row(group)} for key, group in groups]
    table = pd.DataFrame(rows, columns=[*keys, *_stay_row(spells.iloc[:0])])
    table["stage"] = pd.Categorical(table["stage"], categories=pipeline.model.stage_ids, ordered=True)
    return _read_stays(table, pipeline, spells)


def _stay_row(spells):
    code = spells["exit"].cat.codes.to_numpy()
    curves = aalen_johansen(spells["days"], code, len(EXITS) - 1, spells["entry_days"])
    counts = np.bincount(code, minlength=len(EXITS))
    median, low, high = quantile(curves)
    share, error = (curves.left[-1, 0], curves.left_error[-1, 0]) if len(curves.days) else (np.nan, np.nan)
    ends = interval(share, error, len(spells))
    return {
        "n": len(spells), "n_advanced": counts[1], "n_lost": counts[2], "n_back": counts[3], "n_open": counts[0],
        "median_days": median, "low_days": low, "high_days": high,
        "p25_days": quantile(curves, 0.25)[0], "p75_days": quantile(curves, 0.75)[0],
        "median_completed_days": spells.loc[code > 0, "days"].median(),
        "advanced": share, "low": float(ends[0]), "high": float(ends[1]),
    }  # fmt: skip


def _read_stays(table, pipeline, spells):
    known = table[table["median_days"].notna()]
    if not len(known):
        return Result(table, "analysis.time.stays_unknown", {"n": number(len(spells))})
    longest = known.loc[known["median_days"].idxmax()]
    values = {
        "stage": pipeline.model.stage(longest["stage"]).name, "days": number(longest["median_days"], 1),
        "low": number(longest["low_days"], 1), "high": number(longest["high_days"], 1), "n": number(longest["n"]),
    }  # fmt: skip
    notes = [("analysis.time.running", {"n": number(int(table["n_open"].sum())), "n_all": number(len(spells))})]
    return Result(table, "analysis.time.longest_stay", values, (*notes, *_late_notes(pipeline, spells)))


def _late_notes(pipeline, spells):
    late = pipeline.limit("closes_start_late")
    if late is None or not (spells["entry_days"] > 0).any():
        return ()
    return (
        (
            "analysis.time.delayed",
            {"date": late.values["first_close"], "n": number(int((spells["entry_days"] > 0).sum()))},
        ),
    )


# --- won, lost, open -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OutcomeCurves(Result):
    """Step curves as one table; `at(30, 90)` reads them at ages in days."""

    by: str | None = None

    def at(self, *days):
        """Return the rows that hold at these ages; NaN where no deal was watched that long: not yet known."""
        groups = [(None, self.table)] if self.by is None else self.table.groupby(self.by, dropna=False, sort=False)
        parts = [_rows_at(group, np.array(days, dtype=float)) for _, group in groups]
        return pd.concat(parts, ignore_index=True)


def _rows_at(curve, days):
    place = np.searchsorted(curve["days"].to_numpy(), days, side="right") - 1
    rows = curve.iloc[place].reset_index(drop=True)
    beyond = (days > curve["days"].iloc[-1]) & (curve["open"].iloc[-1] > 1e-12)
    shares = [name for name in rows.columns if name.split("_")[0] in _OUTCOMES]
    rows[shares] = rows[shares].mask(np.broadcast_to(beyond[:, None], (len(days), len(shares))))
    return rows.assign(days=days)


def outcome_times(pipeline, delayed_entry=None, analysis="outcome_curves"):
    """Return deal_id, started_at, days, outcome (0 open, 1 won, 2 lost), entry_days: one row a deal with known times.

    Void deals, deals without a start and closed deals without a close date are left out. Raises LimitError where the
    source tells no outcomes, no lost or no open deals.
    """
    refuse_limits(pipeline, analysis, "no_outcome", "no_lost_deals", "no_open_deals")
    deals = pipeline.deals
    known = deals["status"].isin(["won", "lost", "open"]) & (deals["created_at"] <= pipeline.as_of)
    known &= (deals["status"] == "open") | deals["closed_at"].notna()
    deals = deals[known]
    end = deals["closed_at"].where(deals["status"] != "open", pipeline.as_of)
    table = pd.DataFrame({"deal_id": deals["deal_id"], "started_at": deals["created_at"]})
    table["days"] = ((end - deals["created_at"]) / _DAY).clip(lower=0.0)
    table["outcome"] = deals["status"].map({"open": 0, "won": 1, "lost": 2})
    table["entry_days"] = 0.0 if delayed_entry is False else entry_days(pipeline, deals["created_at"])
    return table


def outcome_curves(pipeline, by=None, delayed_entry=None):
    """Return the shares of deals won, lost and still open by age, from creation on, as OutcomeCurves.

    The table has [by], days (age), n (deals behind the curve), n_at_risk, n_won, n_lost (exits at this age), and won,
    lost, open, each with _low and _high: Aalen-Johansen curves with ties, won + lost + open = 1. Open deals are
    censored at as_of. Where closes are recorded only from a date on (limit `closes_start_late`) deals count from that
    date (delayed entry), and the reading gives the figures without it beside; `delayed_entry=False` turns it off.
    Raises LimitError where outcomes, lost or open deals are missing, DataError where no deal has a start.

    >>> from funnelkit.synth import synthesize
    >>> from funnelkit.reading import read
    >>> made = synthesize(rng=1, n_deals=300)
    >>> curves = outcome_curves(read(made.deals, made.events, model=made.model, as_of=made.as_of))
    >>> curves.at(90)[["days", "n_at_risk", "won", "lost", "open"]].round(3).values.tolist()
    [[90.0, 90.0, 0.0, 0.671, 0.329]]
    """
    times = outcome_times(pipeline, delayed_entry)
    if not len(times):
        raise DataError("no_timed_deals")
    if by is not None:
        times[by] = column(pipeline, by)
    groups = [(None, times)] if by is None else times.groupby(by, dropna=False, observed=True, sort=True)
    parts = [_curve(group) if by is None else _curve(group).assign(**{by: value}) for value, group in groups]
    table = pd.concat(parts, ignore_index=True)
    table = table if by is None else table[[by, *table.columns.drop(by)]]
    return OutcomeCurves(table, *_read_curves(pipeline, times), by=by)


def _curve(times):
    curves = aalen_johansen(times["days"], times["outcome"], 2, times["entry_days"])
    emptied = (curves.stay < 1e-12) & (np.arange(len(curves.stay)) < len(curves.stay) - 1)
    if emptied.any():
        raise DataError("risk_set_empties", days=number(curves.days[np.argmax(emptied)], 1))
    n = int((times["entry_days"] <= times["days"]).sum())
    table = pd.DataFrame({"days": curves.days, "n": n, "n_at_risk": curves.n_at_risk})
    table[["n_won", "n_lost"]] = curves.exits.astype("int64")
    for name, share, error in (
        ("won", curves.left[:, 0], curves.left_error[:, 0]),
        ("lost", curves.left[:, 1], curves.left_error[:, 1]),
        ("open", curves.stay, curves.stay_error),
    ):
        table[name] = share
        table[f"{name}_low"], table[f"{name}_high"] = interval(share, error, curves.n_at_risk)
    start = {"days": 0.0, "n": n, "n_at_risk": n, "n_won": 0, "n_lost": 0}
    start |= {f"{name}{end}": float(name == "open") for name in _OUTCOMES for end in ("", "_low", "_high")}
    parts = [table] if len(table) and table["days"].iloc[0] <= 0 else [pd.DataFrame([start]), table]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    if curves.follow_up > table["days"].iloc[-1]:
        last = table.iloc[[-1]].assign(days=curves.follow_up, n_at_risk=1, n_won=0, n_lost=0)
        last["n_at_risk"] = int((times["days"] >= curves.follow_up).sum())
        table = pd.concat([table, last], ignore_index=True)
    return table


def _read_curves(pipeline, times):
    """Return (key, values, notes): the shares at the last of the horizons that the data reach."""
    whole = _curve(times)
    reached = [age for age in HORIZONS if age <= whole["days"].iloc[-1]]
    age = reached[-1] if reached else float(whole["days"].iloc[-1])
    values = {
        "days": number(age),
        "n": number(int(whole["n"].iloc[0])),
        **_share_words(_rows_at(whole, np.array([age]))),
    }
    late, notes = pipeline.limit("closes_start_late"), ()
    if late is not None and (times["entry_days"] > 0).any():
        plain = _rows_at(_curve(times.assign(entry_days=0.0)), np.array([age]))
        notes = (("analysis.time.delayed_curves", {"date": late.values["first_close"], **_share_words(plain)}),)
    left_out = len(pipeline.deals) - len(times)
    if left_out:
        notes += (("analysis.time.left_out", {"n": number(left_out)}),)
    return "analysis.time.curves", values, notes


def _share_words(rows):
    row = rows.iloc[0]
    words = {name: percent(row[name]) for name in _OUTCOMES}
    ends = {f"{name}_{end}": percent(row[f"{name}_{end}"]) for name in _OUTCOMES for end in ("low", "high")}
    return {**words, **{name: text.removesuffix("%") for name, text in ends.items()}}


# --- the cycle -------------------------------------------------------------------------------------------------------


def promotion_cycle(pipeline, by=None, delayed_entry=None):
    """Return how long it takes from creation to the close, of all deals and of those that are won and lost.

    The table has [by], outcome (closed, won, lost), n (deals watched), n_closed (with this outcome so far),
    median_days with low_days and high_days, and median_so_far_days (of those closed so far: too short while slow deals
    are open). `closed`: when half of all deals have closed. `won`, `lost`: when half of those that end so by the end
    of follow-up have done so. Raises as `outcome_curves`.

    >>> from funnelkit.synth import synthesize
    >>> from funnelkit.reading import read
    >>> made = synthesize(rng=1, n_deals=300)
    >>> promotion_cycle(read(made.deals, made.events, model=made.model, as_of=made.as_of)).table["outcome"].tolist()
    ['closed', 'won', 'lost']
    """
    times = outcome_times(pipeline, delayed_entry, "promotion_cycle")
    if by is not None:
        times[by] = column(pipeline, by)
    groups = [(None, times)] if by is None else times.groupby(by, dropna=False, observed=True, sort=True)
    rows = [({} if by is None else {by: value}) | row for value, group in groups for row in _cycle_rows(group)]
    table = pd.DataFrame(rows)
    whole = {row["outcome"]: row for row in _cycle_rows(times)}
    values = {"n": number(len(times)), "n_won": number(whole["won"]["n_closed"])}
    for outcome, row in whole.items():
        values |= {
            f"{outcome}_{name}": number(row[f"{name}_days"], 1) for name in ("median", "low", "high", "median_so_far")
        }
    return Result(table, "analysis.time.cycle", values, _late_notes(pipeline, times))


def _cycle_rows(times):
    curves = aalen_johansen(times["days"], times["outcome"], 2, times["entry_days"])
    for outcome, code in (("closed", None), ("won", 1), ("lost", 2)):
        done = times["outcome"] > 0 if code is None else times["outcome"] == code
        found = quantile(curves) if code is None else cause_quantile(curves, code)
        yield {
            "outcome": outcome, "n": len(times), "n_closed": int(done.sum()),
            **dict(zip(("median_days", "low_days", "high_days"), found, strict=True)),
            "median_so_far_days": times.loc[done, "days"].median(),
        }  # fmt: skip


# --- cohorts ---------------------------------------------------------------------------------------------------------


def compare_cohorts(pipeline, calendar=None, outcome="won", delayed_entry=None):
    """Return each cohort's share won (or lost) at an age it has reached, beside all earlier cohorts at the same age.

    The table has cohort (period of creation, months unless `calendar` says otherwise), n, n_open, raw (won so far over
    all: falls for young cohorts whatever happens), age_days (by which half the cohort has been watched), share, low,
    high (at that age), n_before, share_before, low_before, high_before (earlier cohorts together), change, change_low,
    change_high (Newcombe's combination of the two intervals) and clear (the change is beyond 0 even at a level that
    allows for the number of cohorts). Raises as `outcome_curves`.
    """
    calendar, code = calendar or Calendar("month"), {"won": 1, "lost": 2}[outcome]
    times = outcome_times(pipeline, delayed_entry)
    times["cohort"] = calendar.number(times["started_at"].to_numpy())
    cohorts = np.unique(times["cohort"])
    level = 1 - (1 - LEVEL) / max(1, len(cohorts) - 1)
    rows = [_cohort_row(pipeline, times, cohort, code, level) for cohort in cohorts]
    table = pd.DataFrame(rows).assign(cohort=[calendar.name(cohort) for cohort in cohorts])
    clear = table[table["clear"]]
    raw = percent(table["raw"].iloc[-1])
    values = {"n": number(len(table)), "raw": raw, "first": percent(table["raw"].iloc[0])}
    values |= {"cohorts": clear["cohort"].tolist(), "change": [points(change) for change in clear["change"]]}
    return Result(table, "analysis.time.cohorts_differ" if len(clear) else "analysis.time.cohorts_alike", values)


def _cohort_row(pipeline, times, cohort, code, level):
    mine, before = times[times["cohort"] == cohort], times[times["cohort"] < cohort]
    age = float(((pipeline.as_of - mine["started_at"]) / _DAY).median())
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


def _share_at(times, age, code, level):
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
    return float(share), float(low), float(high), interval(share, error, n, level)


def _hybrid(share, other, ends, other_ends):
    """Combine the intervals of two independent shares into one of their difference (Newcombe 1998, method 10)."""
    change = share - other
    low = change - np.hypot(share - ends[0], other_ends[1] - other)
    return float(low), float(change + np.hypot(ends[1] - share, other - other_ends[0]))
