"""How long conversion takes, and how it changes from one entry cohort to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.events.engine.arrays import Array
from funnelkit.events.engine.sort_keys import THREADS
from funnelkit.events.journeys import Journeys, as_journeys
from funnelkit.events.options import UNITS
from funnelkit.events.search import Later, by_names
from funnelkit.events.tally import DAY_US, held_to_bounds
from funnelkit.language import DataError, day, label, nearest, number, percent, rate_text, say
from funnelkit.result import Result, rate_words
from funnelkit.stats import leaders, rate_columns

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def time_to_convert(found: Journeys, by: str | Sequence[str] | None = None) -> Result:
    """Measure how long each step took those who made it, and the whole funnel (stage "total").

    Parameters
    ----------
    found : Journeys, what `journeys` found
    by : str or list of str, optional, attributes to split by

    Returns
    -------
    Result
        Table: [by], stage (the step arrived at), n, mean_days, p10_days, p25_days, p50_days, p75_days, p90_days.

    Raises
    ------
    DataError
        Where `found` is not of `journeys`, or has no attribute `by`.

    Notes
    -----
    Only entities that have had their whole window by the as-of date count: of younger ones only the quick are
    through, which would look fast. Without a window that cannot be told, and the times are too short.

    Examples
    --------
    >>> from funnelkit.events import journeys
    >>> log = pd.DataFrame({"deal_id": [1, 1], "stage": ["A", "B"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    >>> time_to_convert(journeys(log, ["A", "B"])).table[["stage", "n", "p50_days"]]
       stage  n  p50_days
    0      B  1       1.0
    1  total  1       1.0
    """
    names = by_names(by)
    table = _times(as_journeys(found), names)
    notes = [] if found.rule.window is not None else [("events.conversion.quick", {"as_of": Later(day, found.as_of)})]
    notes, picture = notes * (found.as_of is not None), "convert_time_chart" * bool(len(table) and table["n"].any())
    shown = partial(times_for_people, names)
    return Result(table, *read_times(found, table, names), notes, picture=picture, shown=shown)


def times_for_people(by: Sequence[str], table: pd.DataFrame) -> pd.DataFrame:
    """Return the times with the row of the whole funnel called so."""
    whole = table["stage"] == "total"
    named = table.assign(stage=table["stage"].astype(str).mask(whole, label("total")))
    return named[[*by, "stage", "n", "p10_days", "p50_days", "p90_days", "mean_days"]]


def _times(found: Journeys, by: tuple[str, ...]) -> pd.DataFrame:
    table = found.matured
    for name in by:
        require_attribute(table, name)
    groups = _groups(table, by) if by else [((), np.arange(len(table)))]
    at = [table[f"at_{place}"].to_numpy() for place in range(1, len(found.steps) + 1)]
    with ThreadPoolExecutor(THREADS) as threads:  # numpy's passes over many rows run at the same time
        figures = list(threads.map(lambda group: [_figures(days) for days in _days(found, at, group[1])], groups))
    stages = [*found.steps[1:], "total"]
    return pd.DataFrame(
        {**dict(zip(by, values, strict=True)), "stage": stage, **row}
        for (values, _), of_group in zip(groups, figures, strict=True)
        for stage, row in zip(stages, of_group, strict=True)
    )


def _days(found: Journeys, at: Sequence[Array], rows: Array) -> Iterator[Array]:
    """Yield the times of some rows to each step from the one before that is not optional, and of the whole, in days."""
    size = len(at)
    for place in range(2, size + 1):
        gaps = at[place - 1].take(rows) - at[found.place_before(place) - 1].take(rows)
        timed = ~np.isnat(gaps)
        yield gaps[timed] / np.timedelta64(1, "D")
        if not found.rule.optional:  # who has not come to a step has come to none after it
            rows = rows[timed]
    yield _timed(at[-1].take(rows) - at[0].take(rows))


def _figures(days: Array) -> dict[str, Any]:
    """Return how many have a time, its mean and its quantiles in days."""
    quantiles = _quantiles(days) if len(days) else [np.nan] * len(QUANTILES)
    row: dict[str, Any] = {"n": len(days), "mean_days": days.mean() if len(days) else np.nan}
    return row | {f"p{q * 100:.0f}_days": at for q, at in zip(QUANTILES, quantiles, strict=True)}


def require_attribute(table: pd.DataFrame, name: str) -> None:
    """Refuse a column that the journeys do not hold."""
    if name not in table.columns:
        raise DataError("no_such_column", name=name, nearest=nearest(name, table.columns))


def read_times(found: Journeys, table: pd.DataFrame, by: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """Return the sentence on the whole funnel: of all, or of the quickest and slowest group."""
    whole = table[(table["stage"] == "total") & (table["n"] > 0)] if len(table) else table
    ends: dict[str, Any] = {"first": found.steps[0], "last": found.steps[-1]}
    if not len(whole):
        return "events.conversion.nobody_through", ends
    if not by:
        row = whole.iloc[0]
        days = {"n": Later(number, row["n"]), **{q: Later(number, row[f"{q}_days"], 1) for q in ("p50", "p90")}}
        return f"events.conversion.times{'' if found.rule.window is None else '_matured'}", ends | days
    for key in ("quick", "slow"):
        rows = whole.iloc[leaders(whole["p50_days"].to_numpy(), least=key == "quick")]
        names = [" / ".join(str(row[name]) for name in by) for row in rows.to_dict("records")]
        ends |= {key: names, f"{key}_days": Later(number, rows["p50_days"].iloc[0], 1)}
    if len(names) == len(whole) > 1:
        return "events.conversion.times_by_same", ends | {"n": len(whole), "days": ends["slow_days"]}
    return "events.conversion.times_by", ends


def _groups(table: pd.DataFrame, by: tuple[str, ...]) -> list[tuple[tuple[Any, ...], Array]]:
    """Return [(values, their rows)] in the order of the values, a missing one last."""
    if len(by) != 1:
        grouped = table.groupby(list(by), dropna=False, sort=True, observed=True)
        number = grouped.ngroup().to_numpy()
        firsts = pd.Series(range(len(table))).groupby(number).first()
        keys = [tuple(table[name].iloc[row] for name in by) for row in firsts]
        return [(key, np.flatnonzero(number == place)) for place, key in enumerate(keys)]
    column = table[by[0]]
    codes, values = pd.factorize(column, sort=True)
    codes = np.where(codes < 0, len(values), codes)
    order = np.argsort(codes.astype("int16" if len(values) < 2**15 else "int64"), kind="stable")
    edges = np.searchsorted(codes[order], np.arange(len(values) + 2))
    names = [*values, np.nan]
    return [((names[n],), order[edges[n] : edges[n + 1]]) for n in range(len(names)) if edges[n] < edges[n + 1]]


def _quantiles(values: Array) -> Array:
    """Return the QUANTILES as np.quantile does by default; to sort is several times as fast as so many partitions."""
    place = np.array(QUANTILES) * (len(values) - 1)
    below = place.astype(int)
    above = np.minimum(below + 1, len(values) - 1)
    ordered = np.sort(values)
    low, high, share = ordered[below], ordered[above], place - below
    # From the nearer of the two, so that rounding never passes the other.
    found: Array = np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share))
    return found


def time_histogram(found: Journeys, step: str | None = None, bins: int = 20) -> Result:
    """Count how many took how long to arrive at a step.

    Parameters
    ----------
    found : Journeys
        What `journeys` found.
    step : str, optional
        By default from the first step to the last.
    bins : int
        Equal ones, from 0 to the longest time.

    Returns
    -------
    Result
        Table: low_days, high_days, n.

    Raises
    ------
    DataError
        Where there is no such step, or it is the first, to which no time leads.

    Notes
    -----
    As in `time_to_convert`, over entities that have had their whole window.

    Examples
    --------
    >>> from funnelkit.events import journeys
    >>> log = pd.DataFrame({"deal_id": [1, 1], "stage": ["A", "B"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-05"])})
    >>> time_histogram(journeys(log, ["A", "B"]), bins=2).table["n"].tolist()
    [0, 1]
    """
    return _histogram(as_journeys(found), step, bins)


def _histogram(found: Journeys, step: str | None, bins: int) -> Result:
    days = _timed(_gaps(found, found.matured, step))
    longest = max(float(days.max()), 1e-9) if len(days) else 1.0
    n, edges = np.histogram(days, bins=bins, range=(min(0.0, float(days.min())) if len(days) else 0.0, longest))
    table = pd.DataFrame({"low_days": edges[:-1], "high_days": edges[1:], "n": n})
    before = found.steps[0] if step is None else found.steps[found.place_before(found.place(step)) - 1]
    values = {"n": Later(number, len(days)), "first": before, "last": step or found.steps[-1]}
    values |= {"days": Later(number, longest, 1)}
    key = "events.conversion.histogram" if len(days) else "events.conversion.nobody_through"
    return Result(table, key, values, picture="time_histogram_chart" if len(days) else "")


def _gaps(found: Journeys, table: pd.DataFrame, step: str | None) -> Array:
    """Return the time to `step` from the one before that is not optional, for None of the whole; NaT where none."""
    place = len(found.steps) if step is None else found.place(step)
    since = 1 if step is None else found.place_before(place)
    if since < 1:
        raise DataError("no_time_before_first", name=str(step))
    gaps: Array = table[f"at_{place}"].to_numpy() - table[f"at_{since}"].to_numpy()
    return gaps


def _timed(gaps: Array) -> Array:
    days: Array = gaps[~np.isnat(gaps)] / np.timedelta64(1, "D")
    return days


def conversion_trend(found: Journeys, unit: str = "month") -> Result:
    """Follow the conversion from the first step to the last by entry cohort, what is not yet known apart.

    Parameters
    ----------
    found : Journeys, what `journeys` found
    unit : {"day", "week", "month", "quarter", "year"}, length of a cohort; weeks begin on Monday

    Returns
    -------
    Result
        Table: cohort (its first day), n_entered, n_converted (so far), k, n, rate, low, high, n_open, floor, ceiling,
        basis, horizon_days, is_mature (the whole cohort is).

    Raises
    ------
    DataError
        For an unknown unit.

    Notes
    -----
    The rate is over those of the cohort whose whole window has passed by the as-of date, so the last cohorts of an
    honest trend are wide or empty, neither low nor high. Without a window it is the share so far. Where the others
    already show more, or leave room for less, the rate is the floor or the ceiling of the whole cohort, not k / n.

    Examples
    --------
    >>> from funnelkit.events import journeys
    >>> log = pd.DataFrame({"deal_id": [1, 1, 2], "stage": ["A", "B", "A"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-02-09"])})
    >>> conversion_trend(journeys(log, ["A", "B"])).table[["cohort", "k", "n"]]
          cohort  k  n
    0 2026-01-01  1  1
    1 2026-02-01  0  1
    """
    require_unit(unit)
    trend = _trend(as_journeys(found), UNITS[unit])
    (key, values), *notes = read_trend(found, trend)
    return Result(trend, key, values, notes, picture="trend_chart", shown=trend_for_people)


def trend_for_people(trend: pd.DataFrame) -> pd.DataFrame:
    """Return the cohorts with their rate as text, or its bounds where nobody has had the whole window."""
    told = trend.assign(**{end: trend[end].map(percent) for end in ("floor", "ceiling")}).to_dict("records")
    words = [rate_text(row) if row["n"] else say("events.conversion.not_known", **row) for row in told]
    shown = trend.assign(conversion_rate=words)
    return shown[["cohort", "n_entered", "n_converted", "conversion_rate", "n_open", "is_mature"]]


def _trend(found: Journeys, unit: str) -> pd.DataFrame:
    table, mature = found.table, found.is_mature(found.table)
    through = (table["depth"] == len(found.steps)).to_numpy()
    periods = pd.PeriodIndex(table[found.began], freq=unit)
    ordinals, cohort = np.unique(periods.asi8, return_inverse=True)
    parts = (None, through, table["is_open"].to_numpy() & ~through, through & mature, mature)
    entered, converted, n_open, k, n = (
        np.bincount(cohort if part is None else cohort[part], minlength=len(ordinals)) for part in parts
    )
    first_days = pd.PeriodIndex.from_ordinals(ordinals, freq=unit).start_time.astype("datetime64[us]")
    counts = (entered, converted, n_open, k, n)
    return cohort_table(first_days, counts, found.rule.whole_us(found.rule.transitions(found.steps)))


def cohort_table(first_days: pd.DatetimeIndex, counts: Sequence[Array], whole_us: int | None) -> pd.DataFrame:
    """Return the trend of cohorts' counts: entered, converted so far, open; k and n of the matured."""
    entered, converted, n_open, k, n = counts
    basis = np.where(n == 0, "unknown", "share" if whole_us is None else "matured").astype(object)
    horizon = np.nan if whole_us is None else whole_us / DAY_US
    rates = rate_columns(k, n, n_open, "matured", horizon) | {"basis": basis}
    bounds = rate_columns(converted, entered - n_open, n_open, "matured")
    rates = held_to_bounds(rates | {name: bounds[name] for name in ("floor", "ceiling")})
    trend = pd.DataFrame({"cohort": first_days, "n_entered": entered, "n_converted": converted, **rates})
    return trend.assign(is_mature=(n == entered) & ((n_open == 0) | (whole_us is not None)))


def read_trend(found: Journeys, trend: pd.DataFrame) -> list[tuple[str, dict[str, Any]]]:
    """Return the sentences on the first and last cohort whose outcome is known, and on those still open."""
    mature = trend[trend["is_mature"]]
    values: dict[str, Any] = {"first": found.steps[0], "last": found.steps[-1]}
    if not len(mature):
        key = "events.conversion.no_cohort" if found.rule.window is None else "events.conversion.no_window_over"
        return [(key if len(trend) else "events.count.nobody", values)]
    for key, place in (("early", 0), ("late", -1)):
        row = mature.iloc[place]
        values |= {key: Later(day, row["cohort"]), f"{key}_rate": Later(rate_words, row["k"], row["n"])}
    said = [("events.conversion.trend" if len(mature) > 1 else "events.conversion.one_cohort", values)]
    young = len(trend) - len(mature)
    key = "events.conversion.young_one" if young == 1 else "events.conversion.young"
    return said + ([(key, {"n": Later(number, young)})] if young else [])


def time_trend(found: Journeys, unit: str = "month") -> Result:
    """Follow how long the whole funnel took, by entry cohort.

    Parameters
    ----------
    found : Journeys, what `journeys` found
    unit : {"day", "week", "month", "quarter", "year"}, length of a cohort; weeks begin on Monday

    Returns
    -------
    Result
        Table: cohort (its first day), n_entered, n (made it), mean_days, p10_days, p25_days, p50_days, p75_days,
        p90_days, is_mature (the whole cohort has had its window).

    Raises
    ------
    DataError
        For an unknown unit.

    Notes
    -----
    As in `time_to_convert`, over those whose whole window has passed: each cohort had the same time, so the last ones
    are not quick for being young. Without a window they are.

    Examples
    --------
    >>> from funnelkit.events import Rule, journeys
    >>> log = pd.DataFrame({"deal_id": [1, 1, 2, 2], "stage": ["A", "B", "A", "B"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-02-09", "2026-02-12"])})
    >>> time_trend(journeys(log, ["A", "B"])).table[["cohort", "n", "p50_days"]]
          cohort  n  p50_days
    0 2026-01-01  1       1.0
    1 2026-02-01  1       3.0
    """
    require_unit(unit)
    return time_trend_of(found, _times_by_cohort(as_journeys(found), UNITS[unit]))


def time_trend_of(found: Journeys, table: pd.DataFrame) -> Result:
    """Return the Result of the times by cohort."""
    (key, values), *notes = _read_time_trend(found, table)
    shown = ["cohort", "n_entered", "n", "p10_days", "p50_days", "p90_days", "is_mature"]
    return Result(table, key, values, notes, picture="time_trend_chart" * bool(table["n"].any()), shown=shown)


def _read_time_trend(found: Journeys, table: pd.DataFrame) -> list[tuple[str, dict[str, Any]]]:
    """Return the sentence on the first and the last cohort, of those that are complete where there are such."""
    known = table[table["n"] > 0]
    known = known[known["is_mature"]] if known["is_mature"].any() else known
    values: dict[str, Any] = {"first": found.steps[0], "last": found.steps[-1]}
    if not len(known):
        return [("events.conversion.nobody_through", values)]
    for name, place in (("early", 0), ("late", -1)):
        row = known.iloc[place]
        values |= {name: Later(day, row["cohort"]), f"{name}_days": Later(number, row["p50_days"], 1)}
    said = [(f"events.conversion.{'time_trend' if len(known) > 1 else 'time_of_one'}", values)]
    return said + (
        [] if found.rule.window is not None else [("events.conversion.quick", {"as_of": Later(day, found.as_of)})]
    )


def _times_by_cohort(found: Journeys, unit: str) -> pd.DataFrame:
    trend, matured = _trend(found, unit), found.matured
    gaps = _gaps(found, matured, None)
    cohort = pd.PeriodIndex(matured[found.began][~np.isnat(gaps)], freq=unit).start_time
    grouped = pd.Series(_timed(gaps)).groupby(cohort.astype("datetime64[us]").to_numpy())
    times = grouped.agg(["size", "mean"]).rename(columns={"size": "n", "mean": "mean_days"})
    for q in QUANTILES:
        times[f"p{q * 100:.0f}_days"] = grouped.quantile(q)
    return with_times(trend, times)


def with_times(trend: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """Return the cohorts of a trend with the times of those who came through, given by cohort."""
    table = trend[["cohort", "n_entered", "is_mature"]].join(times, on="cohort")
    table["n"] = table["n"].fillna(0).astype("int64")
    return table[["cohort", "n_entered", *times.columns, "is_mature"]]


def require_unit(unit: str) -> None:
    """Refuse another length of cohorts than those of UNITS."""
    if unit not in UNITS:
        raise DataError("bad_unit", found=repr(unit), known=", ".join(UNITS))
