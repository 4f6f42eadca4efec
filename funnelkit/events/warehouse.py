"""Event logs counted where they lie: each verb is one group-by in the engine, and only its small table comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.events.conversion import (
    QUANTILES,
    UNITS,
    cohort_table,
    read_times,
    read_trend,
    require_unit,
    times_for_people,
)
from funnelkit.events.count import EventCount, event_count
from funnelkit.events.journeys import Journeys
from funnelkit.events.log import LogColumns
from funnelkit.events.rule import Rule, as_rule
from funnelkit.events.search import Later, instant, step_names
from funnelkit.events.tally import DAY_US, horizon_days, level_sums, sums_table
from funnelkit.events.warehouse_chains import depth_expression, log_time, refuse_unheld, times_expression
from funnelkit.events.warehouse_engines import guarded, open_engine, open_table, warehouse_name
from funnelkit.language import DataError, RuleError, day
from funnelkit.result import Result

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
        return _Asked(engine, connection, table.filter(at <= moment.to_pydatetime()), rule, names, where, moment)
    with guarded("engine_failed", engine):
        latest = pd.Timestamp(connection.execute(at.max()))
    latest = latest if latest.tzinfo is None else latest.tz_convert("UTC").tz_localize(None)
    return _Asked(engine, connection, table, rule, names, where, latest)


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
    notes: list[Any] = [("events.notes.no_window", {})] if asked.rule.window is None else []
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
    shown = ["cohort", "n_entered", "n_converted", "k", "n", "rate", "low", "high", "n_open", "is_mature"]
    return Result(trend, key, values, notes, picture="trend_chart", shown=shown, names={"rate": "conversion_rate"})


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
    engine: Any, log: str, steps: Iterable[object], rule: Rule | str | None = None, *,
    columns: LogColumns | Mapping[str, str] | None = None, as_of: Any = None,
) -> Result:  # fmt: skip
    """Measure how long each step took where the log lies; a row comes back.

    Parameters
    ----------
    engine, log, steps, rule, columns, as_of : as of `count_on`

    Returns
    -------
    Result
        Table as of `time_to_convert`: stage, n, mean_days, p10_days, p25_days, p50_days, p75_days, p90_days.

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
    if name not in _EXACT:
        raise DataError("engine_quantiles", engine=name)
    if rule.ties == "grace":  # a step may then come before the one before it, and the latest is not the last
        raise RuleError("rule_unsupported", engine=name, field="ties", value=repr(rule.ties))
    asked = _open(engine, str(log), steps, rule, columns=columns, as_of=as_of)
    found = times_expression(asked.table, asked.names, asked.rule, asked.columns, asked.name)
    row = asked.run(_times_of(found.filter(asked.is_mature(found)), len(asked.names))).iloc[0]
    table = pd.DataFrame([_times(row, place, stage) for place, stage in enumerate([*asked.names[1:], "total"])])
    notes = [("events.conversion.quick", {"as_of": Later(day, asked.as_of)})] if rule.window is None else []
    picture, shown = "convert_time_chart" * bool(table["n"].any()), partial(times_for_people, ())
    return Result(table, *read_times(_reading(asked), table, ()), notes, picture=picture, shown=shown)


def _times_of(found: Any, size: int) -> Any:
    """Return the only row of n, mean and quantiles of each step's times and of the whole (us)."""
    ends = [(place, place + 1) for place in range(1, size)] + [(1, size)]
    gaps = {f"gap_{place}": (found[f"at_{b}"] - found[f"at_{a}"]).cast("float64") for place, (a, b) in enumerate(ends)}
    found = found.select(**gaps)
    figures: dict[str, Any] = {}
    for name in gaps:
        figures |= {f"{name}_n": found[name].count(), f"{name}_mean": found[name].mean()}
        figures |= {f"{name}_p{q * 100:.0f}": found[name].quantile(q) for q in QUANTILES}
    return found.aggregate(**figures)


def _times(row: pd.Series[Any], place: int, stage: str) -> dict[str, Any]:
    days = {name: row[f"gap_{place}_{name}"] for name in ("mean", *(f"p{q * 100:.0f}" for q in QUANTILES))}
    told = {f"{name}_days": np.nan if pd.isna(value) else float(value) / DAY_US for name, value in days.items()}
    return {"stage": stage, "n": int(row[f"gap_{place}_n"]), **told}


def _reading(asked: _Asked) -> Journeys:
    """Return journeys of nobody: what the sentences on times and cohorts ask for beside the table."""
    return Journeys(pd.DataFrame(), "", {}, (), steps=tuple(asked.names), rule=asked.rule, as_of=asked.as_of)
