"""Event logs counted where they lie: each verb is one group-by in the engine, and only its small table comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.events.conversion import (
    QUANTILES,
    cohort_table,
    read_times,
    read_trend,
    require_unit,
    time_trend_of,
    times_for_people,
    trend_for_people,
    with_times,
)
from funnelkit.events.count import EventCount, event_count
from funnelkit.events.engine.arrays import Array
from funnelkit.events.journeys import Journeys
from funnelkit.events.log import LogColumns
from funnelkit.events.options import UNITS
from funnelkit.events.rule import Rule, as_rule
from funnelkit.events.search import Later, in_a_day, instant, step_names
from funnelkit.events.tally import DAY_US, horizon_days, level_sums, sums_table
from funnelkit.events.warehouse_chains import depth_expression, log_time, refuse_unheld, times_expression
from funnelkit.events.warehouse_engines import guarded, open_engine, open_table, warehouse_name
from funnelkit.language import DataError, RuleError, day
from funnelkit.result import Result

_DAYS = ("mean_days", *(f"p{q * 100:.0f}_days" for q in QUANTILES))
_EXACT = ("duckdb", "pyspark", "databricks", "postgres", "snowflake")  # quantiles of others are estimates


@dataclass(frozen=True)
class _Asked:
    """A rule over a log in an engine, opened: its table up to the as-of date."""

    engine: Any
    connection: Any
    table: Any
    rule: Rule
    names: list[str]
    columns: LogColumns
    as_of: pd.Timestamp
    notes: tuple[tuple[str, dict[str, Any]], ...] = ()  # beside that on the window

    @property
    def name(self) -> str:
        return warehouse_name(self.connection)

    @property
    def limit_us(self) -> int:
        return int(self.as_of.value) // 1000

    @property
    def whole_us(self) -> int | None:
        return self.rule.whole_us(len(self.names) - 1)

    def run(self, expression: Any) -> Any:
        with guarded("engine_failed", self.engine):
            return self.connection.execute(expression)

    def is_mature(self, found: Any) -> Any:
        return found.depth > 0 if self.whole_us is None else found.since <= self.limit_us - self.whole_us

    def sums(self, *further: str) -> pd.DataFrame:
        """Return how many entities there are of each depth, undecided or not, matured or not, and day of beginning."""
        found = depth_expression(self.table, self.names, self.rule, self.columns, self.name)
        undecided = (found.until > self.limit_us) if self.rule.ends else found.depth > 0
        found = found.select("depth", undecided=undecided, mature=self.is_mature(found), day=found.since // DAY_US)
        counts = found.group_by("depth", "undecided", "mature", *further).aggregate(n=found.count())
        return pd.DataFrame(self.run(counts)).astype({"undecided": bool, "mature": bool, "depth": int, "n": "int64"})


def _open(
    engine: Any, log: str, steps: Iterable[object], rule: Rule | str | None, *, columns: Any, as_of: Any
) -> _Asked:
    rule, names, where, moment = as_rule(rule), list(step_names(steps)), LogColumns.of(columns), instant(as_of)
    refuse_unheld(rule, names, warehouse_name(engine))
    with guarded("engine_refuses", engine, log=log):
        connection = open_engine(engine)
    table = open_table(engine, connection, log, where)
    at = log_time(table, where, warehouse_name(connection))
    if moment is not None:
        return _Asked(engine, connection, table.filter(_up_to(at, moment)), rule, names, where, moment)
    with guarded("engine_failed", engine):
        latest = pd.Timestamp(connection.execute(at.max()))
    latest = latest if latest.tzinfo is None else latest.tz_convert("UTC").tz_localize(None)
    asked = _Asked(engine, connection, table, rule, names, where, latest)
    return asked if not latest > in_a_day() else _without_future(asked, at)


def _up_to(at: Any, moment: pd.Timestamp) -> Any:
    """Return whether a time is not after a moment in UTC; without a zone an engine would take it for its session's."""
    return at <= (moment if at.type().timezone is None else moment.tz_localize("UTC")).to_pydatetime()


def _without_future(asked: _Asked, at: Any) -> _Asked:
    """Return what is asked of the log without its events of the future, which do not set its date."""
    is_past = _up_to(at, in_a_day())
    facts = asked.table.aggregate(past=at.max(where=is_past), n=at.count(), n_past=at.count(where=is_past))
    past, n, n_past = asked.run(facts).iloc[0]
    if pd.isna(past) or 2 * n_past < n:
        return asked  # the clock is wrong, not the log
    past = pd.Timestamp(past) if pd.Timestamp(past).tzinfo is None else pd.Timestamp(past).tz_convert(None)
    note = ("events.notes.rows_of_the_future", {"n": int(n - n_past), "latest": Later(day, asked.as_of)})
    return replace(asked, table=asked.table.filter(is_past), as_of=past, notes=(note,))


def count_on(
    engine: Any, log: str, steps: Iterable[object], rule: Rule | str | None = None, *,
    columns: LogColumns | Mapping[str, str] | None = None, as_of: Any = None,
) -> EventCount:  # fmt: skip
    """Count an event log where it lies, on an engine that Ibis reaches.

    Parameters
    ----------
    engine : str or Ibis connection; a URL such as "spark://host:7077", "postgresql://host/db", "duckdb:///file.duckdb"
    log : str, the name of a table there, or a CSV or Parquet file that the engine can read
    steps, rule : list of str, in order; what counts as a conversion, a Rule or the name of a preset
    columns, as_of : LogColumns or dict; the date the log is as of, default its latest time

    Returns
    -------
    EventCount
        Table as of `count_events`: stage, n_entered, n_advanced, n_lost, n_open.

    Raises
    ------
    RuleError : for a rule that the expression does not hold, before anything runs
    DataError : for an engine, table or column that is not there, and what an engine needs to be installed

    Examples
    --------
    >>> from funnelkit.language import RuleError
    >>> try:
    ...     count_on("duckdb://", "log", ["A", "B"], "hubspot_any")
    ... except RuleError as error:
    ...     print(error)
    engine duckdb does not count rules with order='any'. Choose another rule or engine.
    """
    asked = _open(engine, str(log), steps, rule, columns=columns, as_of=as_of)
    counts, size = asked.sums(), len(asked.names)
    at = np.zeros((3, size + 1), dtype="int64")
    for place, chosen in enumerate((counts["depth"] > 0, counts["undecided"], counts["mature"])):
        np.add.at(at[place], counts["depth"][chosen], counts["n"][chosen])
    table = sums_table(level_sums(*at[:, 1:]), asked.names, horizon_days(asked.rule, asked.names))
    notes: list[Any] = [*asked.notes, *([("events.notes.no_window", {})] if asked.rule.window is None else [])]
    return event_count(table, asked.names, (asked.rule, asked.as_of), (notes, ()))


def trend_on(
    engine: Any, log: str, steps: Iterable[object], rule: Rule | str | None = None, *, unit: str = "month",
    columns: LogColumns | Mapping[str, str] | None = None, as_of: Any = None,
) -> Result:  # fmt: skip
    """Follow the conversion by entry cohort where the log lies; a row a day of beginning comes back.

    Parameters
    ----------
    engine, log, steps, rule, columns, as_of : as of `count_on`
    unit : {"day", "week", "month", "quarter", "year"}, length of a cohort; weeks begin on Monday

    Returns
    -------
    Result
        Table as of `conversion_trend`.

    Raises
    ------
    RuleError, DataError : as of `count_on`; for an unknown unit

    Examples
    --------
    >>> from funnelkit.language import DataError
    >>> try:
    ...     trend_on("duckdb://", "log", ["A", "B"], unit="hour")
    ... except DataError as error:
    ...     print(error.key)
    bad_unit
    """
    require_unit(unit)
    asked = _open(engine, str(log), steps, rule, columns=columns, as_of=as_of)
    trend = _trend_of(asked, UNITS[unit])
    (key, values), *notes = read_trend(_reading(asked), trend)
    return Result(trend, key, values, notes, picture="trend_chart", shown=trend_for_people)


def _trend_of(asked: _Asked, freq: str) -> pd.DataFrame:
    """Return the cohorts' table: the days of beginning, added up."""
    sums = asked.sums("day")
    days = pd.to_datetime(sums["day"].astype("int64"), unit="D")
    ordinals, cohort = np.unique(pd.PeriodIndex(days, freq=freq).asi8, return_inverse=True)
    through = (sums["depth"] == len(asked.names)).to_numpy()
    undecided, mature = sums["undecided"].to_numpy(), sums["mature"].to_numpy()
    parts = (through | True, through, undecided & ~through, through & mature, mature)
    first_days = pd.PeriodIndex.from_ordinals(ordinals, freq=freq).start_time.astype("datetime64[us]")
    n = sums["n"].to_numpy()
    counts = [np.bincount(cohort, weights=n * part, minlength=len(ordinals)).astype("int64") for part in parts]
    return cohort_table(first_days, counts, asked.whole_us)


def times_on(
    engine: Any, log: str, steps: Iterable[object], rule: Rule | str | None = None, *, unit: str | None = None,
    columns: LogColumns | Mapping[str, str] | None = None, as_of: Any = None,
) -> Result:  # fmt: skip
    """Measure how long each step took where the log lies; a row comes back, or one an entry cohort.

    Parameters
    ----------
    engine, log, steps, rule, columns, as_of : as of `count_on`
    unit : {"day", "week", "month", "quarter", "year"}, optional; asks for the whole funnel by entry cohort

    Returns
    -------
    Result
        Table as of `time_to_convert`: stage, n, mean_days, p10_days, p25_days, p50_days, p75_days, p90_days; with a
        unit as of `time_trend`.

    Raises
    ------
    RuleError, DataError : as of `count_on`; for an engine whose quantiles are estimates, and for ties="grace"

    Examples
    --------
    >>> from funnelkit.language import DataError
    >>> try:
    ...     times_on("clickhouse://host/db", "log", ["A", "B"])
    ... except DataError as error:
    ...     print(error.key)
    engine_quantiles
    """
    rule, name = as_rule(rule), warehouse_name(engine)
    require_unit("day" if unit is None else unit)
    if name not in _EXACT:
        raise DataError("engine_quantiles", engine=name)
    if rule.ties == "grace":  # a step may then come before the one before it, and the latest is not the last
        raise RuleError("rule_unsupported", engine=name, field="ties", value=repr(rule.ties))
    asked = _open(engine, str(log), steps, rule, columns=columns, as_of=as_of)
    found = times_expression(asked.table, asked.names, asked.rule, asked.columns, asked.name)
    found = found.filter(asked.is_mature(found))
    return _step_times(asked, found) if unit is None else _times_by_cohort(asked, found, unit)


def _step_times(asked: _Asked, found: Any) -> Result:
    size, rule = len(asked.names), asked.rule
    ends = [(place, place + 1) for place in range(1, size)] + [(1, size)]
    gaps = {f"gap_{place}": (found[f"at_{b}"] - found[f"at_{a}"]).cast("float64") for place, (a, b) in enumerate(ends)}
    found = found.select(**gaps)
    row = asked.run(found.aggregate(**{key: figure for name in gaps for key, figure in _figures(found, name).items()}))
    stages = [*asked.names[1:], "total"]
    table = pd.DataFrame(
        {"stage": stage, **_days(row.iloc[0], f"gap_{place}")} for place, stage in enumerate(stages)
    )  # fmt: skip
    notes = [("events.conversion.quick", {"as_of": Later(day, asked.as_of)})] if rule.window is None else []
    picture, shown = "convert_time_chart" * bool(table["n"].any()), partial(times_for_people, ())
    return Result(table, *read_times(_reading(asked), table, ()), notes, picture=picture, shown=shown)


def _times_by_cohort(asked: _Asked, found: Any, unit: str) -> Result:
    whole = (found[f"at_{len(asked.names)}"] - found.at_1).cast("float64")
    found = found.select(whole=whole, cohort=cohort_number(found.since // DAY_US, unit))
    found = found.filter(found.whole.notnull())
    rows = pd.DataFrame(asked.run(found.group_by("cohort").aggregate(**_figures(found, "whole"))))
    times = pd.DataFrame([_days(row, "whole") for _, row in rows.iterrows()], columns=["n", *_DAYS]).astype(float)
    times.index = first_days(rows["cohort"].to_numpy(), unit)
    return time_trend_of(_reading(asked), with_times(_trend_of(asked, UNITS[unit]), times))


def _figures(found: Any, name: str) -> dict[str, Any]:
    """Return how many a column holds, their mean and quantiles."""
    quantiles = {f"{name}_p{q * 100:.0f}": found[name].quantile(q) for q in QUANTILES}
    return {f"{name}_n": found[name].count(), f"{name}_mean": found[name].mean(), **quantiles}


def _days(row: pd.Series[Any], name: str) -> dict[str, Any]:
    """Return the figures of a column of microseconds as n and days."""
    values = [row[f"{name}_{part.removesuffix('_days')}"] for part in _DAYS]
    days = [np.nan if pd.isna(value) else float(value) / DAY_US for value in values]
    return {"n": int(row[f"{name}_n"]), **dict(zip(_DAYS, days, strict=True))}


def cohort_number(day_number: Any, unit: str) -> Any:
    """Return the number of the cohort of a day since 1970, in whole numbers, which every engine divides alike.

    >>> cohort_number(30, "month"), cohort_number(31, "month")
    (0, 1)
    """
    if unit == "day":
        return day_number
    if unit == "week":
        return (day_number + 3) // 7  # 1 January 1970 was a Thursday
    # Years from 1 March, so that a leap day is the last; 400 of them have 146,097 days.
    since = day_number + 719_468
    in_era = since - since // 146_097 * 146_097
    year = (in_era - in_era // 1_460 + in_era // 36_524 - in_era // 146_096) // 365
    in_year = in_era - (365 * year + year // 4 - year // 100)
    month = (since // 146_097 * 400 + year) * 12 + (5 * in_year + 2) // 153 + 2 - 1970 * 12
    return month // {"month": 1, "quarter": 3, "year": 12}[unit]


def first_days(numbers: Array, unit: str) -> pd.DatetimeIndex:
    """Return the first days of cohorts."""
    if unit in ("day", "week"):
        days = pd.to_datetime(numbers.astype("int64") * (7 if unit == "week" else 1) - 3 * (unit == "week"), unit="D")
    else:
        days = pd.PeriodIndex.from_ordinals(numbers.astype("int64"), freq=UNITS[unit]).start_time
    return pd.DatetimeIndex(days).astype("datetime64[us]")


def _reading(asked: _Asked) -> Journeys:
    """Return journeys of nobody: what the sentences on times and cohorts ask for beside the table."""
    return Journeys(pd.DataFrame(), "", {}, (), steps=tuple(asked.names), rule=asked.rule, as_of=asked.as_of)
