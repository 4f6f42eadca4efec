"""Count event logs under a Rule (DuckDB scans and sorts, numpy runs the chain)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.events.engine.arrays import Reached, Rows
from funnelkit.events.incidence import too_young, with_incidence
from funnelkit.events.log import LogColumns
from funnelkit.events.rule import Rule, duration
from funnelkit.events.search import Later, Search, by_names
from funnelkit.events.tally import COUNTS, MADE, OF_FIRST, Tally, held_to_bounds, horizon_days
from funnelkit.language import number, percent, say
from funnelkit.pipeline import Finding
from funnelkit.result import Result, rate_words, table_of
from funnelkit.stats import leaders, rate_columns


@dataclass(frozen=True, eq=False, repr=False)
class EventCount(Result):
    """How many entities of an event log reached each step: a Result that knows its rule and its date.

    Attributes
    ----------
    table : DataFrame
        [by], stage, n_entered, n_advanced, n_lost, n_open, and the rate onward.
    rule : Rule
    as_of : Timestamp or None
        The instant as of which windows are open; None for an empty log.
    read : tuple of Finding
        What the reader noticed, where it read the log.
    """

    rule: Rule = field(default_factory=Rule, kw_only=True)
    as_of: pd.Timestamp | None = field(default=None, kw_only=True)
    read: tuple[Finding, ...] = field(default=(), kw_only=True)


def count_events(
    log: Any, steps: Iterable[object], rule: Rule | str | None = None, *,
    columns: LogColumns | Mapping[str, str] | None = None, by: str | Sequence[str] | None = None, as_of: Any = None,
    reading: Mapping[str, Any] | None = None, partition_rows: int | None = None, progress: bool = False,
) -> EventCount:  # fmt: skip
    """Count how many entities of an event log reached each step under a rule.

    Parameters
    ----------
    log : what `read` takes, a list of paths, a DuckDB relation or a Pipeline; one row an event
    steps, rule : names in order, "cart|fav" or a tuple where several will do; a Rule or the name of a preset
    columns, by : LogColumns or dict, default found by name; str or list of str, columns to split by
    as_of, reading : date of the log, default its latest time (a bare date: its end); dict of options of `read`
    partition_rows, progress : int, rows counted at once, which bounds the memory; bool, a bar on stderr

    Returns
    -------
    EventCount
        Table: [by] (as at the event that `rule.attribute` names), stage, n_entered, n_advanced, n_lost, n_open; rate
        onward with k, n, low, high, basis, horizon_days, floor, ceiling; rate_of_first, low_of_first, high_of_first.

    Raises
    ------
    DataError, RuleError : for a log that cannot be read or lacks a column; for a rule without a meaning

    Notes
    -----
    basis `matured`: only who began a whole window before `as_of`; where these are fewer than half, `incidence`
    (product-limit, the young censored); `share` so far where there is no window. All others open: floor, ceiling;
    a rate that lies beyond what is thus known of all is that bound. Optional steps (is_optional): the rate is onward
    to the next needed step; made_rate, made_low, made_high: of those at the needed step before, who made it.

    Examples
    --------
    >>> log = pd.DataFrame({"deal_id": [1, 1], "stage": ["A", "B"], "entered_at": ["2026-01-01", "2026-01-02"]})
    >>> count_events(log, ["A", "B"], Rule(window="7d")).table["n_entered"].tolist()
    [1, 1]
    """
    options: dict[str, Any] = {"columns": columns, "as_of": as_of, "reading": reading, "partition_rows": partition_rows}
    return _count(log, steps, rule, by, progress, **options)


def _count(
    log: Any, steps: Iterable[object], rule: Rule | str | None, by: Any, progress: bool, **options: Any
) -> EventCount:
    names = by_names(by)
    with Search(log, steps, rule, by=by, **options) as search:
        tally = Tally(search.want.steps, names)
        want = "depth" if not names else "path" if search.rule.attribute == "step" else "ends"
        for part in search.parts(progress, want, partial(_tallied, search, names)):
            tally.merge(part)
        window_days = horizon_days(search.rule, search.want.steps)
        table = tally.table(window_days)
        if too_young(table, search):
            table = with_incidence(table, search, tally, float(window_days[0]))
        if search.rule.optional:
            table = _with_made(table.assign(is_optional=table["stage"].isin(search.rule.optional)))
        return event_count(
            table, search.want.steps, (search.rule, search.as_of), (search.notes(), search.log.findings)
        )  # fmt: skip


def event_count(
    table: pd.DataFrame,
    steps: Sequence[str],
    asked: tuple[Rule, pd.Timestamp | None],
    told: tuple[Sequence[Any], tuple[Finding, ...]],
) -> EventCount:
    """Return the EventCount of a table under (rule, as-of date), with the sentences that read it before its notes."""
    (key, values), *rest = _reading(table, steps, *asked)
    picture = "funnel_chart" if table.columns[0] == "stage" else ""
    return EventCount(
        table, key, values, (*rest, *told[0]), picture=picture, shown=counts_for_people, rule=asked[0],
        as_of=asked[1], read=told[1],
    )  # fmt: skip


def _reading(
    table: pd.DataFrame, steps: Sequence[str], rule: Rule, as_of: pd.Timestamp | None
) -> list[tuple[str, dict[str, Any]]]:
    """Return how many began, how many came through, the rate of all segments, and who may still come further."""
    sums = {name: table[name].to_numpy().reshape(-1, len(steps)).sum(axis=0) for name in COUNTS}
    entered = sums["n_entered"]
    if not entered.any():
        return [("events.count.nobody", {"first": steps[0]})]
    values: dict[str, Any] = {"n": Later(number, entered[0]), "first": steps[0], "last": steps[-1]}
    values |= {"reached": Later(number, entered[-1])}
    if rule.skip != "drop" or rule.order == "any":
        return [("events.count.any" if rule.order == "any" and rule.skip == "drop" else "events.count.each", values)]
    said = [("events.count.reached", values)]
    n_open = int(sums["n_open"][[step not in rule.optional for step in steps]].sum())
    said += _rate_read(table, len(steps), steps[-1])
    ends = {"floor": Later(percent, entered[-1] / entered[0])}
    ends |= {"ceiling": Later(percent, (entered[-1] + n_open) / entered[0])}
    return said + ([("events.count.open", {"n": Later(number, n_open)} | ends)] if n_open and rule.ends else [])


def _rate_read(table: pd.DataFrame, size: int, last: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the sentence on the rate from first to last step; of several segments only where all are matured."""
    basis = table["basis"].iloc[0]
    values: dict[str, Any] = {"last": last, "horizon": Later(_days, float(table["horizon_days"].iloc[0]))}
    if basis in ("matured", "share"):
        k, n = (int(table["n"].to_numpy().reshape(-1, size)[:, place].sum()) for place in (-1, 0))
        return [(f"events.count.{basis}", values | {"rate": Later(rate_words, k, n), "n": Later(number, n)})]
    if basis == "incidence" and len(table) == size:
        row = table.iloc[-1]
        found = {name: row[f"{name}_of_first"] for name in ("rate", "low", "high")}
        return [("events.count.incidence", values | {"rate": Later(_rate_words, found)})]
    return [] if basis == "incidence" else [("events.count.no_rates", {})]


def _days(days: float) -> str:
    return duration(pd.Timedelta(days=round(days, 3)))


def counts_for_people(table: pd.DataFrame) -> pd.DataFrame:
    """Return the counts with the rate, its interval and its bounds as text."""
    lead = list(table.columns[: table.columns.get_loc("n_open") + 1])
    rows = table.to_dict("records")
    bounds = [_bounds(row["floor"], row["ceiling"]) for row in rows]
    basis = [say(f"events.basis.{row['basis']}") for row in rows]
    shown = table[lead].assign(rate=[_rate_words(row) for row in rows], basis=basis, rate_bounds=bounds)
    return _optional_named(shown, table, "stage")


def _optional_named(shown: pd.DataFrame, table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return a table for people with its optional steps called so."""
    if "is_optional" not in table:
        return shown
    names = shown[column].astype(str)
    optional = [say("events.count.optional", step=step) for step in names]
    return shown.assign(**{column: names.mask(table["is_optional"], optional)})


def _bounds(floor: float, ceiling: float) -> str:
    """Return the rates if none or all of the open entities advance, as text."""
    return "–" if np.isnan(floor) else say("language.present.bounds", floor=percent(floor), ceiling=percent(ceiling))


def _tallied(search: Search, by: tuple[str, ...], rows: Rows, reached: Reached) -> Tally:
    tally = Tally(search.want.steps, by)
    tally.add(rows, reached, search)
    return tally


def step_rates(counts: EventCount | pd.DataFrame, by: str | Sequence[str] | None = None) -> Result:
    """Read step counts as analysts do: how many reached each step, and at which rate.

    Parameters
    ----------
    counts : EventCount or table of stage, n_entered, n_advanced, n_lost, n_open
    by : str or list of str, the columns that split the counts; by default those that stand before stage

    Returns
    -------
    Result
        Table: [by], step, n_entered (reached it); of the step before: k, n, rate, low, high, n_open (not yet known),
        floor, ceiling, basis, horizon_days, all empty at the first step; of the first step: rate_of_first,
        low_of_first, high_of_first.

    Raises
    ------
    DataError : where `counts` is no table

    Notes
    -----
    The rates are those of `count_events`. A plain table of counts knows no times: its rates are of those decided,
    which favours the quick.

    Examples
    --------
    >>> counts = pd.DataFrame({"stage": ["A", "B"], "n_entered": [4, 1], "n_advanced": [1, 1], "n_lost": [2, 0],
    ...                        "n_open": [1, 0]})
    >>> step_rates(counts).table[["step", "n_entered", "n_open", "rate", "basis"]].round(3)
      step  n_entered  n_open   rate    basis
    0    A          4       0    NaN  unknown
    1    B          1       1  0.333  decided
    """
    table, names = table_of(counts), by_names(by)
    names = names or tuple(table.columns[: table.columns.get_loc("stage")])
    table = table if "basis" in table else _decided(table)
    rates = _step_rates(table, names) if "is_optional" not in table else _optional_rates(table, names)
    return Result(
        rates, *_narrowest(table, names), shown=partial(_steps_for_people, names), names={"rate": "step_rate"}
    )


_OF_STEP_BEFORE = ("k", "n", "rate", "low", "high", "n_open", "floor", "ceiling", "basis", "horizon_days")


def _step_rates(counts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the rates onward, each at the step that it leads to."""
    first = counts.groupby(list(by), dropna=False).cumcount() == 0 if by else np.arange(len(counts)) == 0
    before = counts[list(_OF_STEP_BEFORE)].shift(1).mask(pd.Series(first, counts.index))
    before = before.fillna({"k": 0, "n": 0, "n_open": 0, "basis": "unknown"})
    before = before.astype({"k": "int64", "n": "int64", "n_open": "int64"})
    lead = counts[[*by, "stage", "n_entered"]].rename(columns={"stage": "step"})
    return lead.join(before).join(counts[list(OF_FIRST)])


def _optional_rates(counts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the rates at each step, of the last step before it that is not optional, with is_optional."""
    left_out = counts["is_optional"].to_numpy()
    rates = _step_rates(counts[~left_out], by).reindex(counts.index)
    rates[["step", "n_entered", *by, *OF_FIRST]] = counts[["stage", "n_entered", *by, *OF_FIRST]]
    own, before = counts[left_out], _needed_before(counts)
    n_open = before["n_open"] - own["n_open"]
    found = {"k": own["n"], "n": before["n"], "n_open": n_open, **before[["basis", "horizon_days"]]}
    found |= {name: own[made] for name, made in zip(("rate", "low", "high"), MADE, strict=True)}
    bounds = rate_columns(own["n_entered"], before["n_entered"] - n_open, n_open, "matured")
    found = held_to_bounds(found | {name: bounds[name] for name in ("floor", "ceiling")})
    for name in _OF_STEP_BEFORE:
        rates.loc[left_out, name] = pd.Series(found[name], own.index)
    return rates.astype({"k": "int64", "n": "int64", "n_open": "int64"}).assign(is_optional=left_out)


def _needed_before(counts: pd.DataFrame) -> pd.DataFrame:
    """Return of each optional step the row of the last step before it that is not optional."""
    left_out = counts["is_optional"]
    return counts.loc[counts.index.to_series().mask(left_out).ffill()[left_out]].set_index(counts.index[left_out])


def _with_made(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts with the share that made each optional step, of the matured where no incidence was found."""
    if MADE[0] in counts:
        return counts
    own = counts[counts["is_optional"]]
    found = rate_columns(own["n"], _needed_before(counts)["n"], 0, "matured")
    columns = zip(MADE, ("rate", "low", "high"), strict=True)
    return counts.assign(**{name: pd.Series(found[rate], own.index, dtype=float) for name, rate in columns})


def _decided(counts: pd.DataFrame) -> pd.DataFrame:
    """Return a plain table of counts with rates of those whose outcome is known."""
    known = counts["n_advanced"] + counts["n_lost"]
    rates = pd.DataFrame(rate_columns(counts["n_advanced"], known, counts["n_open"]), index=counts.index)
    unsaid = dict.fromkeys(OF_FIRST, np.nan)
    found = counts.drop(columns="n_open").join(rates).assign(**unsaid)
    last = found["stage"].astype(str) == str(counts["stage"].iloc[-1]) if len(counts) else []
    return found.assign(rate=found["rate"].mask(last))


def _steps_for_people(by: Sequence[str], rates: pd.DataFrame) -> pd.DataFrame:
    """Return the rates with their intervals as text."""
    words = [_rate_words(row) for row in rates.to_dict("records")]
    basis = [say(f"events.basis.{basis}") for basis in rates["basis"]]
    shown = rates.assign(rate=words, basis=basis)[[*by, "step", "n_entered", "rate", "basis", "rate_of_first"]]
    return _optional_named(shown, rates, "step")


def _rate_words(row: Mapping[Any, Any]) -> str:
    if np.isnan(row["rate"]):
        return "–"
    low, high = (percent(row[name]).removesuffix("%") for name in ("low", "high"))
    return f"{percent(row['rate'])} [{low}, {high}]"


def _narrowest(table: pd.DataFrame, by: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the sentence on the step, of all segments together, that the smallest share of those before it reached."""
    table = table[~table["is_optional"]].reset_index(drop=True) if "is_optional" in table else table
    if by and (table["basis"] == "incidence").any():
        return "", {}  # shares of curves do not add up
    if by and len(table):
        place = table.groupby(list(by), dropna=False).cumcount()
        stage = table["stage"].groupby(place).first()
        sums = table[["k", "n"]].groupby(place).sum()
        table = pd.DataFrame(rate_columns(sums["k"], sums["n"], 0, "matured")).assign(stage=stage)
        table.loc[len(table) - 1, "rate"] = np.nan
    known = table[table["rate"].notna()]
    if not len(known):
        return "events.count.no_rates", {}
    places = [table.index.get_loc(known.index[at]) for at in leaders(known["rate"].to_numpy(), least=True)]
    if len(places) > 1:
        steps = [str(table["stage"].iloc[place + 1]) for place in places]
        return "events.count.narrowest_tied", {"steps": steps, "rate": Later(percent, known["rate"].min())}
    place = places[0]
    values = {"step": str(table["stage"].iloc[place + 1]), "before": str(table["stage"].iloc[place])}
    return "events.count.narrowest", values | {"rate": Later(_rate_words, dict(table.iloc[place]))}
