"""Timing: time in stage, curves of won, lost and open, the promotion cycle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.analysis.shared import By, keys_of, with_ends
from funnelkit.analysis.stays import EXITS, late_notes, spells_of, timed_outcomes
from funnelkit.language import DataError, label, number, percent
from funnelkit.pipeline import Pipeline
from funnelkit.result import WIN_LIMITS, Result, refuse_limits
from funnelkit.stats import aalen_johansen, cause_quantile, interval, leaders, quantile

FEWEST_STAYS = 20  # of a stage that is said to take the longest
HORIZONS = (30, 60, 90, 120)
_OUTCOMES = ("won", "lost", "open")
_MEDIAN = ("low_days", "high_days")
Notes = tuple[tuple[str, dict[str, Any]], ...]


# --- time in stage ---------------------------------------------------------------------------------------------------


def time_in_stage(pipeline: Pipeline, by: By = None, delayed_entry: bool | None = None) -> Result:
    """Say how long deals stay in each stage and how they leave it, running stays included.

    Parameters
    ----------
    pipeline : Pipeline
    by : str or list of str, optional
        Columns of the deals to split by.
    delayed_entry : bool, optional
        False counts stays that began before closes were recorded from their beginning on, not from the first close.

    Returns
    -------
    Result
        Table: [by], stage, n (stays), n_advanced, n_lost, n_back, n_open (running), median_days with low_days and
        high_days, p25_days, p75_days (when half, a quarter, three quarters have left; NaN where the data do not
        reach), median_completed_days (of finished stays only: too short), advanced, low, high (share that advances).

    Raises
    ------
    LimitError
        Where stage times are missing.

    Notes
    -----
    Running stays are censored at as_of; advance, loss and move back compete (Kaplan-Meier, Aalen-Johansen).

    Examples
    --------
    >>> from funnelkit import read, synthesize
    >>> made = synthesize(rng=1, n_deals=300)
    >>> found = time_in_stage(read(made.deals, made.events, model=made.model, as_of=made.as_of))
    >>> found.table[["n", "n_advanced", "n_lost", "n_back", "n_open"]].head(2).values.tolist()
    [[304, 226, 75, 0, 3], [218, 136, 66, 8, 8]]
    """
    return _stays(pipeline, by, delayed_entry)


def _stays(pipeline: Pipeline, by: By, delayed_entry: bool | None) -> Result:
    spells = spells_of(pipeline, "time_in_stage", by)
    if delayed_entry is False:
        spells["entry_days"] = 0.0
    keys = [*keys_of(by, pipeline.deals), "stage"]
    groups = spells.groupby(keys, observed=False, dropna=False, sort=True)
    rows = [{**dict(zip(keys, key, strict=True)), **_stay_row(group)} for key, group in groups]
    table = pd.DataFrame(rows, columns=[*keys, *_stay_row(spells.iloc[:0])])
    table["stage"] = pd.Categorical(table["stage"], categories=pipeline.model.stage_ids, ordered=True)
    picture = "stay_chart" if len(keys) == 1 and (table["n"] > 0).any() else ""
    reading, shown = _read_stays(table, pipeline, spells), partial(_stays_for_people, keys)
    return Result(table, *reading, model=pipeline.model, picture=picture, shown=shown)


def _stays_for_people(keys: list[str], table: pd.DataFrame) -> pd.DataFrame:
    table = table[table["n"] > 0]
    medians = [with_ends(row, "median_days", _MEDIAN) for row in table.to_dict("records")]
    return table[keys].assign(n_stays=table["n"], n_open=table["n_open"], median_with_interval=medians)


def _stay_row(spells: pd.DataFrame) -> dict[str, Any]:
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


def _read_stays(table: pd.DataFrame, pipeline: Pipeline, spells: pd.DataFrame) -> tuple[str, dict[str, Any], Notes]:
    known = table[table["median_days"].notna()]
    if not len(known):
        return "analysis.time.stays_unknown", {"n": number(len(spells))}, ()
    often = known[known["n"] >= FEWEST_STAYS]  # a handful of stays in a side stage does not lead
    known = often if len(often) else known
    places = leaders(known["median_days"].to_numpy())
    longest = known.iloc[places[0]]
    running = {"n": number(int(table["n_open"].sum())), "n_all": number(len(spells))}
    notes = (("analysis.time.running", running), *late_notes(pipeline, spells))
    if len(places) > 1:
        stages = [pipeline.model.stage(stage).name for stage in known["stage"].iloc[places]]
        return "analysis.time.longest_stay_tied", {"stages": stages, "days": number(longest["median_days"], 1)}, notes
    values = {
        "stage": pipeline.model.stage(longest["stage"]).name, "days": number(longest["median_days"], 1),
        "low": number(longest["low_days"], 1), "high": number(longest["high_days"], 1), "n": number(longest["n"]),
    }  # fmt: skip
    return "analysis.time.longest_stay", values, notes


# --- won, lost, open -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class OutcomeCurves(Result):
    """Step curves as one table; `at(30, 90)` reads them at ages in days. `by` are the columns that split them."""

    by: tuple[str, ...] = ()

    def at(self, *days: float) -> pd.DataFrame:
        """Return the rows that hold at these ages; NaN where no deal was watched that long: not yet known."""
        return _groups_at(self.table, list(self.by), np.array(days, dtype=float))


def _groups_at(table: pd.DataFrame, keys: list[str], days: NDArray[np.float64]) -> pd.DataFrame:
    groups = [group for _, group in table.groupby(keys, dropna=False, sort=False)] if keys else [table]
    return pd.concat([_rows_at(group, days) for group in groups], ignore_index=True)


def _rows_at(curve: pd.DataFrame, days: NDArray[np.float64]) -> pd.DataFrame:
    place = np.searchsorted(curve["days"].to_numpy(), days, side="right") - 1
    rows = curve.iloc[place].reset_index(drop=True)
    beyond = (days > curve["days"].iloc[-1]) & (curve["open"].iloc[-1] > 1e-12)
    shares = [name for name in rows.columns if name.split("_")[0] in _OUTCOMES]
    rows[shares] = rows[shares].mask(np.broadcast_to(beyond[:, None], (len(days), len(shares))))
    return rows.assign(days=days)


def outcome_times(
    pipeline: Pipeline, delayed_entry: bool | None = None, analysis: str = "outcome_curves"
) -> pd.DataFrame:
    """Return `timed_outcomes`; raise LimitError where the source tells no outcomes, lost or open deals, closes."""
    refuse_limits(pipeline, analysis, *WIN_LIMITS, "no_open_deals")
    if not pipeline.deals["closed_at"].notna().any():
        refuse_limits(pipeline, analysis, "untimed_closes")
    times = timed_outcomes(pipeline, delayed_entry)
    events = pipeline.events
    begun = events.loc[(events["source"] == "backfilled") & (events["stage"].cat.codes == 0), "deal_id"]
    return times[~times["deal_id"].isin(begun)]  # they were created when they closed


def outcome_curves(pipeline: Pipeline, by: By = None, delayed_entry: bool | None = None) -> OutcomeCurves:
    """Give the shares of deals won, lost and still open by age, from creation on.

    Parameters
    ----------
    pipeline : Pipeline
    by : str or list of str, optional
        Columns of the deals to split by.
    delayed_entry : bool, optional
        Where closes are recorded only from a date on (limit `closes_start_late`) deals count from that date, and the
        reading gives the figures without it beside; False turns it off.

    Returns
    -------
    OutcomeCurves
        Table: [by], days (age), n (deals behind the curve), n_at_risk, n_won, n_lost (exits at this age), and won,
        lost, open, each with _low and _high; won + lost + open = 1. `at(30, 90)` reads it at ages.

    Raises
    ------
    LimitError, DataError
        Where outcomes, lost or open deals are missing; where no deal has a start, or there is no column `by`.

    Notes
    -----
    Aalen-Johansen curves with ties; open deals are censored at as_of.

    Examples
    --------
    >>> from funnelkit import read, synthesize
    >>> made = synthesize(rng=1, n_deals=300)
    >>> curves = outcome_curves(read(made.deals, made.events, model=made.model, as_of=made.as_of))
    >>> curves.at(90)[["days", "n_at_risk", "won", "lost", "open"]].round(3).values.tolist()
    [[90.0, 90.0, 0.0, 0.671, 0.329]]
    """
    return _curves(pipeline, by, delayed_entry)


def _curves(pipeline: Pipeline, by: By, delayed_entry: bool | None) -> OutcomeCurves:
    times = outcome_times(pipeline, delayed_entry)
    if not len(times):
        raise DataError("no_timed_deals")
    keys, groups = _grouped(pipeline, times, by)
    table = pd.concat([_curve(group).assign(**named) for named, group in groups], ignore_index=True)
    table = table[[*keys, *table.columns.drop(keys)]]
    reading, shown = _read_curves(pipeline, times), partial(_curves_for_people, keys)
    picture = "" if keys else "curve_chart"
    return OutcomeCurves(table, *reading, model=pipeline.model, picture=picture, shown=shown, by=tuple(keys))


def _curves_for_people(keys: list[str], table: pd.DataFrame) -> pd.DataFrame:
    """Return the curves at the horizons that the data reach, each share with its interval."""
    end = float(table["days"].max())
    ages = np.array([float(age) for age in HORIZONS if age <= end] or [end], dtype=float)
    rows = _groups_at(table, keys, ages)
    shares = {name: [_share_text(row, name) for row in rows.to_dict("records")] for name in _OUTCOMES}
    return rows[[*keys, "days", "n_at_risk"]].assign(**shares)


def _share_text(row: dict[str, Any], name: str) -> str:
    low, high = (percent(row[f"{name}_{end}"]).removesuffix("%") for end in ("low", "high"))
    return f"{percent(row[name])} [{low}, {high}]"


def _grouped(
    pipeline: Pipeline, times: pd.DataFrame, by: By
) -> tuple[list[str], list[tuple[dict[str, Any], pd.DataFrame]]]:
    """Return the columns to split by, and ({column: value}, its rows) of each group; one group without columns."""
    keys = keys_of(by, pipeline.deals)
    if not keys:
        return keys, [({}, times)]
    times = times.assign(**{key: pipeline.deals[key] for key in keys})
    groups = times.groupby(keys, dropna=False, observed=True, sort=True)
    return keys, [(dict(zip(keys, key, strict=True)), group) for key, group in groups]


def _curve(times: pd.DataFrame) -> pd.DataFrame:
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


def _read_curves(pipeline: Pipeline, times: pd.DataFrame) -> tuple[str, dict[str, Any], Notes]:
    """Return (key, values, notes): the shares at the last of the horizons that the data reach."""
    whole = _curve(times)
    reached = [age for age in HORIZONS if age <= whole["days"].iloc[-1]]
    age = reached[-1] if reached else float(whole["days"].iloc[-1])
    values = {
        "days": number(age),
        "n": number(int(whole["n"].iloc[0])),
        **_share_words(_rows_at(whole, np.array([age]))),
    }
    late = pipeline.limit("closes_start_late")
    notes: Notes = ()
    if late is not None and (times["entry_days"] > 0).any():
        plain = _rows_at(_curve(times.assign(entry_days=0.0)), np.array([age]))
        notes = (("analysis.time.delayed_curves", {"date": late.values["first_close"], **_share_words(plain)}),)
    left_out = len(pipeline.deals) - len(times)
    if left_out:
        notes += (("analysis.time.left_out", {"n": number(left_out)}),)
    return "analysis.time.curves", values, notes


def _share_words(rows: pd.DataFrame) -> dict[str, str]:
    row = rows.iloc[0]
    words = {name: percent(row[name]) for name in _OUTCOMES}
    ends = {f"{name}_{end}": percent(row[f"{name}_{end}"]) for name in _OUTCOMES for end in ("low", "high")}
    return {**words, **{name: text.removesuffix("%") for name, text in ends.items()}}


# --- the cycle -------------------------------------------------------------------------------------------------------


def promotion_cycle(pipeline: Pipeline, by: By = None, delayed_entry: bool | None = None) -> Result:
    """Say how long it takes from creation to the close, of all deals and of those that are won and lost.

    Parameters
    ----------
    pipeline : Pipeline
    by : str or list of str, optional
        Columns of the deals to split by.
    delayed_entry : bool, optional
        As in `outcome_curves`.

    Returns
    -------
    Result
        Table: [by], outcome (closed, won, lost), n (deals watched), n_closed (with this outcome so far), median_days
        with low_days and high_days, median_so_far_days (of those closed so far: too short while slow deals are open).

    Raises
    ------
    LimitError, DataError
        As `outcome_curves`.

    Notes
    -----
    `closed`: when half of all deals have closed. `won`, `lost`: when half of those that end so by the end of follow-up
    have done so, from the Aalen-Johansen curve of that outcome.

    Examples
    --------
    >>> from funnelkit import read, synthesize
    >>> made = synthesize(rng=1, n_deals=300)
    >>> promotion_cycle(read(made.deals, made.events, model=made.model, as_of=made.as_of)).table["outcome"].tolist()
    ['closed', 'won', 'lost']
    """
    return _cycle(pipeline, by, delayed_entry)


def _cycle(pipeline: Pipeline, by: By, delayed_entry: bool | None) -> Result:
    times = outcome_times(pipeline, delayed_entry, "promotion_cycle")
    keys, groups = _grouped(pipeline, times, by)
    table = pd.DataFrame([named | row for named, group in groups for row in _cycle_rows(group)])
    whole = {row["outcome"]: row for row in _cycle_rows(times)}
    values = {"n": number(len(times)), "n_won": number(whole["won"]["n_closed"])}
    for outcome, row in whole.items():
        values |= {
            f"{outcome}_{name}": number(row[f"{name}_days"], 1) for name in ("median", "low", "high", "median_so_far")
        }
    shown = partial(_cycle_for_people, keys)
    won = whole["won"]
    slow_ones_missing = won["median_so_far_days"] < won["median_days"]  # not where early records miss the quick ones
    key = "analysis.time.cycle" if slow_ones_missing else "analysis.time.cycle_alone"
    return Result(table, key, values, late_notes(pipeline, times), model=pipeline.model, shown=shown)


def _cycle_for_people(keys: list[str], table: pd.DataFrame) -> pd.DataFrame:
    medians = [with_ends(row, "median_days", _MEDIAN) for row in table.to_dict("records")]
    outcomes = [label(name) for name in table["outcome"]]
    return table[keys].assign(outcome=outcomes, n_closed=table["n_closed"], median_with_interval=medians)


def _cycle_rows(times: pd.DataFrame) -> Iterator[dict[str, Any]]:
    curves = aalen_johansen(times["days"], times["outcome"], 2, times["entry_days"])
    for outcome, code in (("closed", None), ("won", 1), ("lost", 2)):
        done = times["outcome"] > 0 if code is None else times["outcome"] == code
        found = quantile(curves) if code is None else cause_quantile(curves, code)
        yield {
            "outcome": outcome, "n": len(times), "n_closed": int(done.sum()),
            **dict(zip(("median_days", "low_days", "high_days"), found, strict=True)),
            "median_so_far_days": times.loc[done, "days"].median(),
        }  # fmt: skip
