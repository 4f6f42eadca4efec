"""Rates of windows: for each stage and segment what entered, left and stayed, and the rate that it amounts to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.analysis.periods import Calendar
from funnelkit.analysis.windows import Window, Windows, find_windows, recorded_since, starts_in_time
from funnelkit.language import DataError
from funnelkit.models import Funnel
from funnelkit.pipeline import Pipeline
from funnelkit.stats import OPEN, PeriodRates, Spells, days, period_rates, rate_columns, stage_spells, wilson

BASES = ("period", "decided", "entered")
OVERALL = "overall"


def window_rates(pipeline: Pipeline, windows: Sequence[Window], keys: list[str], basis: str) -> list[pd.DataFrame]:
    """Give the rates of windows: overall, then of each stage.

    Parameters
    ----------
    pipeline : Pipeline
    windows : sequence of Window
    keys : list of str
        Columns of the deals to split by.
    basis : {"period", "decided", "entered"}
        As of `compare_periods`.

    Returns
    -------
    list of DataFrame
        One a window, all of the same rows: [keys], stage, counts, rate columns, worth (the number of trials that the
        rate is as sure as), win (chance of a win once advanced). Without times of stages there are no rows of them.

    Examples
    --------
    >>> from funnelkit import sample
    >>> span = Window(0, pd.Timestamp("2025-01-01"), pd.Timestamp("2025-07-01"), 181)
    >>> int(window_rates(sample(), [span], [], "period")[0]["k"].iloc[0])
    45
    """
    spells, staged = timed_spells(pipeline)
    groups, names = _groups(pipeline, keys)
    spans = [window.span for window in windows]
    parts: list[list[pd.DataFrame]] = [[] for _ in windows]
    for group, name in enumerate(names):
        mine = spells.take(groups[spells.deal] == group)
        whole = _deal_counts(pipeline.deals[groups == group], spans, basis)
        rated = period_rates(mine, spans) if basis == "period" else [None] * len(spans)
        for part, span, overall, rates in zip(parts, spans, whole, rated, strict=True):
            rows = pd.DataFrame([overall, *(_stage_counts(mine, span, basis) if staged else ())])
            rows.insert(0, "stage", [OVERALL, *pipeline.model.stage_ids[: len(rows) - 1]])
            rows = rows.assign(**(_decided(rows, basis) if rates is None else _lived(rows, rates)))
            part.append(rows.assign(**dict(zip(keys, name, strict=True))))
    timed = [OVERALL, *(pipeline.model.stage_ids[stage] for stage in np.unique(spells.stage))] if staged else [OVERALL]
    return [_ordered(pd.concat(part, ignore_index=True), keys, pipeline.model, timed) for part in parts]


def pair_rates(
    pipeline: Pipeline, calendar: Calendar, asked: tuple[Any, str], keys: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the overall rows of the earlier and the current window that `compare_periods` compares.

    `asked` is a day in the period, and which earlier one. `size` is how many the rate is of: those who entered, or were
    decided where only these are timed. Raises DataError where the two cannot be compared.
    """
    windows, earlier = pair_windows(pipeline, calendar, asked)
    pair, basis = (earlier, windows.current), usable_basis(pipeline, "period")
    parts = [part[part["stage"] == OVERALL] for part in window_rates(pipeline, pair, keys, basis)]
    for window, part in zip(pair, parts, strict=True):
        if not part["n"].sum():
            raise DataError("period_without_closes", period=windows.name(window))
        if not keys and part["rate"].isna().any():
            raise DataError("period_of_few", period=windows.name(window), n=int(part["n"].sum()))
    before, now = (part.assign(size=part["n_entered" if basis == "period" else "n"]) for part in parts)
    return before, now


def pair_windows(pipeline: Pipeline, calendar: Calendar, asked: tuple[Any, str]) -> tuple[Windows, Window]:
    """Return the windows, and the earlier one asked for; raises DataError where the data do not hold all of it."""
    windows = find_windows(pipeline, calendar, asked[0])
    against = "quarter_before" if asked[1] == "previous" and "quarter_before" in windows.earlier else asked[1]
    earlier = windows.earlier.get(against)
    if earlier is None or not starts_in_time(earlier, recorded_since(pipeline)):
        raise DataError("no_earlier_period", period=windows.name(windows.current))
    return windows, earlier


def usable_basis(pipeline: Pipeline, basis: str) -> str:
    """Choose the basis of rates: that asked for, or "decided" where the source lacks what rates by age need.

    Parameters
    ----------
    pipeline : Pipeline
    basis : str
        As of `compare_periods`.

    Returns
    -------
    str

    Examples
    --------
    >>> from funnelkit import sample
    >>> usable_basis(sample(), "period")
    'period'
    """
    timeless = pipeline.limit("no_open_deals") is not None or not pipeline.deals["created_at"].notna().any()
    return "decided" if basis == "period" and timeless else basis


def timed_spells(pipeline: Pipeline) -> tuple[Spells, bool]:
    """Return the stays of all but void deals, by stage where the source times them (True), else from start to close."""
    staged = pipeline.limit("no_history") is None or pipeline.limit("one_date_per_stage") is not None
    if staged and pipeline.limit("stage_of_loss_unknown") is None:
        spells = stage_spells(pipeline)
        return spells.take((pipeline.deals["status"] != "void").to_numpy()[spells.deal]), True
    deals, as_of = pipeline.deals, float(days([pipeline.as_of])[0])
    status, start, closed = deals["status"].to_numpy(), days(deals["created_at"]), days(deals["closed_at"])
    kept = ((status == "open") | (np.isin(status, ("won", "lost")) & ~np.isnan(closed))) & (start <= as_of)
    late = pipeline.limit("closes_start_late")
    seen = start if late is None else np.maximum(start, days([pd.Timestamp(late.values["first_close"])])[0])
    to = np.select([status == "won", status == "lost"], [1, 2], OPEN)
    end = np.where(status == "open", as_of, np.maximum(closed, start))
    place = np.flatnonzero(kept & (end >= seen))
    first = np.zeros(len(place), dtype=int)
    return Spells(place, first, start[place], seen[place], end[place], to[place], start[place], 1, as_of), False


def _groups(pipeline: Pipeline, keys: list[str]) -> tuple[Any, list[tuple[Any, ...]]]:
    """Return the number of each deal's segment, and the values that name each segment."""
    if not keys:
        return np.zeros(len(pipeline.deals), dtype=int), [()]
    grouped = pipeline.deals.groupby(keys, dropna=False, observed=True, sort=True)
    names = [key if isinstance(key, tuple) else (key,) for key in grouped.size().index]
    return grouped.ngroup().to_numpy(), names or [(None,) * len(keys)]


def _deal_counts(deals: pd.DataFrame, spans: Sequence[tuple[float, float]], basis: str) -> list[dict[str, int]]:
    """Count the deals created and decided in each window."""
    deals = deals[deals["status"].isin(["won", "lost", "open"])]
    open_ones, won = (deals["status"] == "open").to_numpy(), (deals["status"] == "won").to_numpy()
    start, end = days(deals["created_at"]), np.where(open_ones, np.nan, days(deals["closed_at"]))
    return [_tally(start, end, won, span, basis) for span in spans]


def _stage_counts(spells: Spells, span: tuple[float, float], basis: str) -> list[dict[str, int]]:
    """Count the entries and exits of each stage in a window."""
    end, up = np.where(spells.to == OPEN, np.nan, spells.end), spells.to <= spells.won
    at = [spells.stage == stage for stage in range(spells.won)]
    return [_tally(spells.start[here], end[here], up[here], span, basis) for here in at]


def _tally(start: Any, end: Any, success: Any, span: tuple[float, float], basis: str) -> dict[str, int]:
    """Count the entries of a window and what became of them, or what was decided in it; `end` is NaN while open."""
    entered = (start >= span[0]) & (start < span[1])
    decided = end < span[1]
    known = decided & (entered if basis == "entered" else end >= span[0])
    waiting = (entered if basis == "entered" else start < span[1]) & ~decided
    return {
        "n_entered": int(entered.sum()), "k": int((known & success).sum()), "n": int(known.sum()),
        "n_open": 0 if basis == "decided" else int(waiting.sum()),
    }  # fmt: skip


def _decided(rows: pd.DataFrame, basis: str) -> dict[str, Any]:
    """Return the rate columns of counts."""
    columns = rate_columns(rows["k"], rows["n"], rows["n_open"], basis)
    return columns | {"worth": rows["n"].astype(float), "win": np.nan}


def _lived(rows: pd.DataFrame, rates: PeriodRates) -> dict[str, Any]:
    """Return the rate columns of a period; a rate that mostly other times would tell is none."""
    size = len(rows)
    usable = rates.known[:size].astype(bool) & (rows["n"].to_numpy() > 0)
    rate, worth = (np.where(usable, part[:size], np.nan) for part in (rates.rate, rates.worth))
    trials = np.nan_to_num(worth)
    low, high = wilson(np.clip(np.nan_to_num(rate) * trials, 0, trials), trials)
    return {
        "rate": rate, "low": low, "high": high, "floor": rate, "ceiling": np.minimum(rate + rates.rest[:size], 1.0),
        "basis": "period", "horizon_days": rates.horizon[:size], "worth": worth, "win": rates.win[:size],
    }  # fmt: skip


def _ordered(rows: pd.DataFrame, keys: list[str], model: Funnel, timed: list[str]) -> pd.DataFrame:
    """Return the rows stage by stage, the overall ones first, of stages into which any entry is timed."""
    rows["stage"] = pd.Categorical(rows["stage"], categories=[OVERALL, *model.stage_ids], ordered=True)
    rows = rows[rows["stage"].isin(timed)].sort_values("stage", kind="stable", ignore_index=True)
    return rows[[*keys, *rows.columns.drop(keys)]]
