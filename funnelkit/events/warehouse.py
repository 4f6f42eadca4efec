"""The same rule as one Ibis expression: nested running-max windows, run by an engine that is already there.

Partitioned by entity and ordered by time and step, each level carries the start of the latest chain alive; one sort
serves all levels. Exact on DuckDB, ClickHouse and Spark; on one machine the chain of `chain.py` is faster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.events.count import EventCount, event_count
from funnelkit.events.log import LogColumns
from funnelkit.events.rule import Rule, as_rule, refuse_unsupported
from funnelkit.events.search import alternatives, instant, step_names
from funnelkit.events.tally import horizon_days, level_sums, sums_table
from funnelkit.language import DataError, RuleError, nearest

_SUPPORTED: dict[str, Collection[Any]] = {
    "order": ("ordered",),
    "window_from": ("first", "previous"),
    "reentry": ("first", "latest"),
    "ties": ("progress", "strict", "grace"),
    "attribute": ("first", "last", "step"),  # a breakdown is refused, so where it comes from does not matter
    "exclusion": ("person", "keep"),  # likewise without excluded events
    "skip": ("drop",),
    "once": (True, False),
}


def _refuse(rule: Rule, steps: Sequence[str], engine: str) -> None:
    """Refuse, before anything runs, a rule that the expression does not hold, naming the engine and the field."""
    refuse_unsupported(rule, engine, {**_SUPPORTED, "grace_s": (rule.grace_s,)})
    if isinstance(rule.window, tuple):
        rule.windows_us(len(steps) - 1)
    repeated = len(set(steps)) < len(steps)
    if repeated and (not rule.once or rule.ties == "grace"):
        field = "once" if not rule.once else "ties"
        raise RuleError("rule_unsupported", engine=engine, field=field, value=repr(getattr(rule, field)))


def depth_expression(
    table: Any,
    steps: Iterable[object],
    rule: Rule | str | None,
    columns: LogColumns | None = None,
    engine: str = "ibis",
) -> Any:
    """Return the Ibis expression of who, depth, since, until (us; first beginning, latest end of a window of theirs).

    `table` is an Ibis table of the log. Rows without id or time, and events that are none of the steps, are left out.
    """
    import ibis

    rule, spelled = as_rule(rule), alternatives(steps)
    names = ["|".join(events) for events in spelled]
    _refuse(rule, names, engine)
    events = _events(table, dict(zip(names, spelled, strict=True)), columns or LogColumns())
    codes = [list(dict.fromkeys(names)).index(step) for step in names]
    reach = rule.windows_us(len(names) - 1)
    over = _before(rule)
    first = ibis.cases((events.code == codes[0], events.at_us))
    if rule.reentry == "first":
        earliest = first.min().over(ibis.window(group_by="who"))
        first = ibis.cases((events.at_us == earliest, first))
    events = events.mutate(alive1=first)
    for level, code in enumerate(codes[1:], 2):
        last = events[f"alive{level - 1}"].max().over(over)
        fits = (events.code == code) & last.notnull()
        if reach is not None:
            fits = fits & (events.at_us - last <= reach[level - 2])
        carried = events.at_us if rule.window_from == "previous" else last
        events = events.mutate(**{f"alive{level}": ibis.cases((fits, carried))})
    return _by_entity(events, rule, reach, len(codes))


def _events(table: Any, steps: Mapping[str, Sequence[str]], columns: LogColumns) -> Any:
    """Return who, code, at_us of the usable events of the steps."""
    import ibis

    who, moment = table[columns.id], table[columns.at]
    who = who if who.type().is_integer() else who.cast("string").nullif("")
    moment = moment if moment.type().is_timestamp() else moment.try_cast("timestamp")
    what = table[columns.stage].cast("string")
    code = ibis.cases(*[(what.isin(list(events)), place) for place, events in enumerate(steps.values())])
    events = table.select(who=who, code=code.cast("int64"), at_us=moment.epoch_seconds() * 1_000_000 + _micros(moment))
    return events.filter(events.who.notnull(), events.code.notnull(), events.at_us.notnull())


def _micros(moment: Any) -> Any:
    return moment.microsecond().cast("int64")


def _before(rule: Rule) -> Any:
    """Return the window of the rows that may come before a row."""
    import ibis

    if rule.ties == "progress":
        return ibis.window(group_by="who", order_by=["at_us", "code"], rows=(None, -1))
    if rule.ties == "strict":
        return ibis.window(group_by="who", order_by="at_us", range=(None, -1))
    return ibis.window(group_by="who", order_by="at_us", range=(None, round(rule.grace_s * 1e6)))


def _by_entity(events: Any, rule: Rule, reach: tuple[int, ...] | None, size: int) -> Any:
    """Return who, depth, since, until."""
    import ibis

    depth = ibis.greatest(*[ibis.ifelse(events[f"alive{k}"].notnull(), k, 0) for k in range(1, size + 1)])
    until = ibis.null("int64")
    if reach is not None:
        levels = range(1, size) if rule.window_from == "previous" else (1,)
        ends = [ibis.ifelse(events[f"alive{k}"].notnull(), events.at_us + reach[k - 1], -(2**62)) for k in levels]
        until = ibis.greatest(*ends) if len(ends) > 1 else ends[0]
    marked = events.mutate(depth=depth, until=until)
    since = ibis.cases((events.code == 0, events.at_us))
    marked = marked.mutate(since=since)
    found = marked.group_by("who").aggregate(
        depth=marked.depth.max(), since=marked.since.min(), until=marked.until.max()
    )  # fmt: skip
    return found.filter(found.depth > 0)


def count_on(
    engine: Any,
    log: Any,
    steps: Iterable[object],
    rule: Rule | str | None = None,
    *,
    columns: LogColumns | Mapping[str, str] | None = None,
    as_of: Any = None,
) -> EventCount:
    """Count an event log where it lies, on an engine that Ibis reaches.

    Parameters
    ----------
    engine : str or Ibis connection; a URL such as "duckdb:///file.duckdb" or "clickhouse://host/db"
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
    DataError : for an engine, table or column that is not there

    Examples
    --------
    >>> from funnelkit.language import RuleError
    >>> try:
    ...     count_on("duckdb://", "log", ["A", "B"], "hubspot_any")
    ... except RuleError as error:
    ...     print(error)
    engine duckdb does not count rules with order='any'. Choose another rule or engine.
    """
    return _count_on(engine, str(log), as_rule(rule), list(step_names(steps)), (LogColumns.of(columns), instant(as_of)))


def _count_on(
    engine: Any, log: str, rule: Rule, names: list[str], where: tuple[LogColumns, pd.Timestamp | None]
) -> EventCount:
    name = str(engine).split(":", 1)[0] if isinstance(engine, str) else engine.name
    _refuse(rule, names, name)
    table, moment = _until(_table(engine, log, where[0]), *where)
    found = depth_expression(table, names, rule, where[0], name)
    limit, whole = moment.value // 1000, rule.whole_us(len(names) - 1)
    undecided = (found.until > limit) if whole is not None else found.depth > 0
    mature = (found.since <= limit - whole) if whole is not None else found.depth > 0
    counts = found.group_by("depth", undecided=undecided, mature=mature).aggregate(n=found.count()).execute()
    at = np.zeros((3, len(names) + 1), dtype="int64")
    for place, chosen in enumerate((counts["depth"] > 0, counts["undecided"], counts["mature"])):
        part = counts[chosen.astype(bool)]
        np.add.at(at[place], part["depth"].astype(int), part["n"])
    notes: list[Any] = [("events.notes.no_window", {})] if rule.window is None else []
    table = sums_table(level_sums(*at[:, 1:]), names, horizon_days(rule, len(names)))
    return event_count(table, names, (rule, moment), (notes, ()))


def _until(table: Any, columns: LogColumns, as_of: pd.Timestamp | None) -> tuple[Any, pd.Timestamp]:
    """Return the table up to the as-of date, and that date: by default the latest time."""
    at = table[columns.at]
    if as_of is not None:
        return table.filter(at.cast("timestamp") <= as_of.to_pydatetime()), as_of
    return table, pd.Timestamp((at if at.type().is_timestamp() else at.try_cast("timestamp")).max().execute())


def _table(engine: Any, log: str, columns: LogColumns) -> Any:
    """Return the Ibis table of the log, its columns checked."""
    try:
        import ibis
    except ImportError:
        raise DataError("engine_needs_ibis", engine=str(engine)) from None
    try:
        connection = ibis.connect(engine) if isinstance(engine, str) else engine
        suffix = log.lower().rpartition(".")[2]
        reader = {"csv": "read_csv", "parquet": "read_parquet"}.get(suffix)
        table = getattr(connection, reader)(log) if reader else connection.table(log)
    except Exception as error:  # each engine raises its own kind
        raise DataError("engine_refuses", engine=str(engine), log=log, reason=str(error).splitlines()[0]) from None
    for name in (columns.id, columns.stage, columns.at):
        if name not in table.columns:
            raise DataError("no_such_column", name=name, nearest=nearest(name, table.columns))
    return table
