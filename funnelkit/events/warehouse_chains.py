"""A rule as one Ibis expression: nested running-max windows, run by an engine that is already there.

Partitioned by entity and ordered by time and step, each level carries the start of the latest chain alive; one sort
serves all levels. On one machine the chain of `engine/chain.py` is faster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from funnelkit.events.log import LogColumns
from funnelkit.events.rule import Rule, as_rule, refuse_unsupported
from funnelkit.events.search import alternatives
from funnelkit.language import DataError, RuleError

_SUPPORTED: dict[str, Collection[Any]] = {
    "order": ("ordered",),
    "window_from": ("first", "previous"),
    "reentry": ("first", "latest"),
    "ties": ("progress", "strict", "grace"),
    "attribute": ("first", "last", "step"),  # a breakdown is refused, so where it comes from does not matter
    "exclusion": ("person", "keep"),  # without excluded events it does not matter
    "skip": ("drop",),
    "once": (True, False),
}
# Whole microseconds since 1970. Ibis has no name for them; its seconds carry the fraction on some engines only.
_MICROS = {"duckdb": "epoch_us", "pyspark": "unix_micros", "databricks": "unix_micros", "bigquery": "unix_micros"}
_NEVER = -(2**62)


def refuse_unheld(rule: Rule, steps: Sequence[str], engine: str) -> None:
    """Refuse, before anything runs, a rule that the expression does not hold, naming the engine and the field."""
    own = {name: (getattr(rule, name),) for name in ("grace_s", "window", "gap", "lost")}
    own |= {"exclude": (rule.exclude if rule.exclusion == "keep" else (),)}
    refuse_unsupported(rule, engine, {**_SUPPORTED, **own})
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
    rule = as_rule(rule).searched()
    events, codes = _chains(table, steps, rule, (columns or LogColumns(), engine))
    return _by_entity(events, rule, codes)


def times_expression(table: Any, steps: Iterable[object], rule: Rule, columns: LogColumns, engine: str) -> Any:
    """Return the Ibis expression of who, depth, since, at_1 ... at_k (us): when each step of the chosen chain was made.

    The chosen chain is that of `journeys`: of complete ones the first to complete, else the latest of that depth.
    """
    import ibis

    rule = rule.searched()
    # Where windows run from the first step, what is alive is when the chain began.
    begun = "begun" if rule.window_from == "previous" else "alive"
    events, codes = _chains(table, steps, rule, (columns, engine), begun == "begun")
    levels, size = range(1, len(codes) + 1), len(codes)
    events = events.mutate(level=_depth(events, levels), since=ibis.cases((events.code == codes[0], events.at_us)))
    one = ibis.window(group_by="who")
    events = events.mutate(depth=events.level.max().over(one))
    latest = ibis.cases(*[(events.depth == k, events[f"{begun}{k}"]) for k in levels[:-1]]).max().over(one)
    first = events[f"{begun}{size}"].min().over(one)
    events = events.mutate(chosen=ibis.ifelse(events.depth == size, first, latest))
    own = {f"at_{k}": ibis.cases((events[f"{begun}{k}"] == events.chosen, events.at_us)) for k in levels}
    events = events.mutate(**own)
    found = events.group_by("who").aggregate(
        depth=events.level.max(), since=events.since.min(), **{name: events[name].min() for name in own}
    )
    return found.filter(found.depth > 0)


def _chains(
    table: Any, steps: Iterable[object], rule: Rule, where: tuple[LogColumns, str], begun: bool = False
) -> tuple[Any, list[int]]:
    """Return the events with alive1 ... alivek, and the steps' codes.

    `begun` asks for begun1 ... begunk, when the chain began, which alive tells only of windows from the first step.
    """
    import ibis

    spelled = alternatives(steps)
    names = ["|".join(events) for events in spelled]
    refuse_unheld(rule, names, where[1])
    codes = [list(dict.fromkeys(names)).index(step) for step in names]
    events = _events(table, dict(zip(names, spelled, strict=True)), *where, rule.exclude)
    reach, over = rule.windows_us(len(codes) - 1), _before(rule)
    first = ibis.cases((events.code == codes[0], events.at_us))
    if rule.reentry == "first":
        earliest = first.min().over(ibis.window(group_by="who"))
        first = ibis.cases((events.at_us == earliest, first))
    events = events.mutate(alive1=first, **({"begun1": first} if begun else {}))
    for level, code in enumerate(codes[1:], 2):
        last = events[f"alive{level - 1}"].max().over(over)
        fits = (events.code == code) & last.notnull()
        if reach is not None:
            fits = fits & (events.at_us - last <= reach[level - 2])
        carried = {f"alive{level}": events.at_us if rule.window_from == "previous" else last}
        if begun:  # later survivors began no earlier, so the running maximum is that of the last
            carried[f"begun{level}"] = events[f"begun{level - 1}"].max().over(over)
        events = events.mutate(**{name: ibis.cases((fits, value)) for name, value in carried.items()})
    return events, codes


def _events(
    table: Any, steps: Mapping[str, Sequence[str]], columns: LogColumns, engine: str, excluded: Sequence[str] = ()
) -> Any:
    """Return who, code, at_us of the usable events of the steps; where some are excluded also unit, last_unit.

    Chains stay within a unit, which an excluded event ends; at the same instant it comes after the steps.
    """
    import ibis

    who = table[columns.id]
    who = who if who.type().is_integer() else who.cast("string").nullif("")
    what = table[columns.stage].cast("string")
    cases = [(what.isin(list(events)), place) for place, events in enumerate(steps.values())]
    code = ibis.cases(*cases, *([(what.isin(list(excluded)), -1)] if excluded else []))
    at_us = micros(log_time(table, columns, engine), engine)
    events = table.select(who=who, code=code.cast("int64"), at_us=at_us)
    events = events.filter(events.who.notnull(), events.code.notnull(), events.at_us.notnull())
    if not excluded:
        return events
    ends = ibis.ifelse(events.code < 0, 1, 0)
    earlier = ibis.window(group_by="who", order_by="at_us", range=(None, -1))
    unit = ibis.coalesce(ends.sum().over(earlier), 0)
    events = events.mutate(unit=unit, last_unit=ends.sum().over(ibis.window(group_by="who")))
    return events.filter(events.code >= 0)


def log_time(table: Any, columns: LogColumns, engine: str) -> Any:
    """Return the column of times as a timestamp; refuse text where the engine has no cast that passes over faults."""
    moment = table[columns.at]
    if moment.type().is_timestamp():
        return moment
    if moment.type().is_string() and engine == "postgres":
        raise DataError("engine_time_text", engine=engine, column=columns.at)
    return moment.cast("timestamp") if moment.type().is_date() else moment.try_cast("timestamp")


def micros(moment: Any, engine: str) -> Any:
    """Return a time as whole microseconds since 1970."""
    import ibis
    from ibis.expr import datatypes

    if name := _MICROS.get(engine):
        # Beside DuckDB's, these functions take instants only; a time without zone is UTC here.
        plain = engine != "duckdb" and moment.type().timezone is None
        moment = moment.cast("timestamp('UTC')") if plain else moment
        signature = ((moment.type(),), datatypes.int64)
        return ibis.udf.scalar.builtin(_since_1970, name=name, signature=signature)(moment)
    seconds = moment.truncate("s").epoch_seconds().cast("float64").cast("int64")
    return seconds * 1_000_000 + moment.microsecond().cast("int64")


def _since_1970(moment): ...  # type: ignore[no-untyped-def]  # stands for the engine's own function


def _before(rule: Rule) -> Any:
    """Return the window of the rows that may come before a row."""
    import ibis

    who = ["who", *(["unit"] if rule.exclude else [])]
    if rule.gap is not None:
        return ibis.window(group_by=who, order_by="at_us", range=(None, -round(rule.gap.total_seconds() * 1e6)))
    if rule.ties == "progress":
        return ibis.window(group_by=who, order_by=["at_us", "code"], rows=(None, -1))
    if rule.ties == "strict":
        return ibis.window(group_by=who, order_by="at_us", range=(None, -1))
    return ibis.window(group_by=who, order_by="at_us", range=(None, round(rule.grace_s * 1e6)))


def _depth(events: Any, levels: Iterable[int]) -> Any:
    import ibis

    return ibis.greatest(*[ibis.ifelse(events[f"alive{k}"].notnull(), k, 0) for k in levels])


def _by_entity(events: Any, rule: Rule, codes: Sequence[int]) -> Any:
    """Return who, depth, since, until."""
    import ibis

    size, reach = len(codes), rule.windows_us(len(codes) - 1)
    until, lasting = ibis.null("int64"), events.unit == events.last_unit if rule.exclude else True
    if reach is not None:
        levels = range(1, size) if rule.window_from == "previous" else (1,)
        ends = [
            ibis.ifelse(events[f"alive{k}"].notnull() & lasting, events.at_us + reach[k - 1], _NEVER) for k in levels
        ]
        until = ibis.greatest(*ends) if len(ends) > 1 else ends[0]
    marked = events.mutate(depth=_depth(events, range(1, size + 1)), until=until)
    marked = marked.mutate(since=ibis.cases((events.code == codes[0], events.at_us)))
    found = marked.group_by("who").aggregate(
        depth=marked.depth.max(), since=marked.since.min(), until=marked.until.max()
    )  # fmt: skip
    return found.filter(found.depth > 0)
