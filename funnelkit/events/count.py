"""Count event logs under a Rule (DuckDB scans and sorts, numpy runs the chain)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.events.engine.arrays import Array, Reached, Rows
from funnelkit.events.log import BETWEEN, LogColumns
from funnelkit.events.rule import Rule
from funnelkit.events.search import Later, Search, by_names
from funnelkit.language import number, percent, say
from funnelkit.result import Result, rate_words, table_of
from funnelkit.stats import rate_columns


@dataclass(frozen=True, eq=False, repr=False)
class EventCount(Result):
    """How many entities of an event log reached each step: a Result that knows its rule and its date.

    Attributes
    ----------
    table : DataFrame
        [by], stage, n_entered, n_advanced, n_lost, n_open.
    rule : Rule
    as_of : Timestamp or None
        The instant as of which windows are open; None for an empty log.
    """

    rule: Rule = field(default_factory=Rule, kw_only=True)
    as_of: pd.Timestamp | None = field(default=None, kw_only=True)

    @property
    def rates(self) -> pd.DataFrame:
        """Return the table with the rates onward: k, n, rate, low, high, and their bounds as text."""
        return _with_rates(self.table)


def count_events(
    log: Any,
    steps: Iterable[object],
    rule: Rule | str | None = None,
    *,
    columns: LogColumns | Mapping[str, str] | None = None,
    by: str | Sequence[str] | None = None,
    as_of: Any = None,
    partition_rows: int | None = None,
    progress: bool = False,
) -> EventCount:
    """Count how many entities of an event log reached each step under a rule.

    Parameters
    ----------
    log : path (CSV, Parquet), list of paths, DataFrame, Arrow table, DuckDB relation or Pipeline; one row an event
    steps, rule, columns : list of str, in order; a Rule or the name of a preset; LogColumns or dict
    by, as_of : str or list of str, columns to split by; date of the log, default its latest time (a bare date: its end)
    partition_rows, progress : int, rows counted at once, which bounds the memory; bool, a bar on stderr

    Returns
    -------
    EventCount
        Table: [by] (as at the event that `rule.attribute` names), stage, n_entered, n_advanced, n_lost, n_open.

    Raises
    ------
    DataError, RuleError : for a log that cannot be read or lacks a column; for a rule without a meaning

    Notes
    -----
    Whose window still runs at `as_of` is n_open, not lost; without a window n_lost only means "not by as_of".

    Examples
    --------
    >>> log = pd.DataFrame({"deal_id": [1, 1], "stage": ["A", "B"], "entered_at": ["2026-01-01", "2026-01-02"]})
    >>> count_events(log, ["A", "B"], Rule(window="7d")).table["n_entered"].tolist()
    [1, 1]
    """
    return _count(log, steps, rule, by, progress, columns=columns, as_of=as_of, partition_rows=partition_rows)


def _count(
    log: Any, steps: Iterable[object], rule: Rule | str | None, by: Any, progress: bool, **options: Any
) -> EventCount:
    names = by_names(by)
    with Search(log, steps, rule, by=by, **options) as search:
        tally = Tally(search.want.steps, names)
        want = "depth" if not names else "path" if search.rule.attribute == "step" else "ends"
        for part in search.parts(progress, want, partial(_tallied, search, names)):
            tally.merge(part)
        return event_count(tally.table(), search.want.steps, (search.rule, search.as_of), search.notes())


def event_count(
    table: pd.DataFrame, steps: Sequence[str], asked: tuple[Rule, pd.Timestamp | None], notes: Sequence[Any]
) -> EventCount:
    """Return the EventCount of a table under (rule, as-of date), with the sentences that read it before its notes."""
    (key, values), *rest = _reading(table, steps, asked[0])
    picture = "funnel_chart" if table.columns[0] == "stage" else ""
    return EventCount(
        table, key, values, (*rest, *notes), picture=picture, shown=_with_rates, rule=asked[0], as_of=asked[1]
    )


def _reading(table: pd.DataFrame, steps: Sequence[str], rule: Rule) -> list[tuple[str, dict[str, Any]]]:
    """Return how many began, how many came through, and of how many that is not yet known."""
    entered, n_open = (table[name].to_numpy().reshape(-1, len(steps)).sum(axis=0) for name in ("n_entered", "n_open"))
    if not entered.any():
        return [("events.count.nobody", {"first": steps[0]})]
    values: dict[str, Any] = {"n": Later(number, entered[0]), "first": steps[0], "last": steps[-1]}
    values |= {"reached": Later(number, entered[-1])}
    known = entered[0] - n_open.sum()
    if rule.skip != "drop" or rule.order == "any" or entered[-1] > known:
        return [("events.count.each" if rule.order != "any" or rule.skip != "drop" else "events.count.any", values)]
    said = [("events.count.reached", values | {"rate": Later(rate_words, entered[-1], known)})]
    return said + ([("events.count.open", {"n": Later(number, n_open.sum())})] if n_open.any() else [])


def _with_rates(table: pd.DataFrame) -> pd.DataFrame:
    rates = pd.DataFrame(_onward(table), index=table.index)
    found = table.join(rates[["k", "n", "rate", "low", "high"]])
    ends = zip(rates["floor"], rates["ceiling"], strict=True)
    return found.assign(rate_bounds=[_bounds(*pair) for pair in ends])


def _bounds(floor: float, ceiling: float) -> str:
    """Return the rates if none or all of the open entities advance, as text."""
    return "–" if np.isnan(floor) else say("language.present.bounds", floor=percent(floor), ceiling=percent(ceiling))


def _onward(counts: pd.DataFrame) -> dict[str, Any]:
    """Return the rate columns from each step to the next."""
    return dict(rate_columns(counts["n_advanced"], counts["n_advanced"] + counts["n_lost"], counts["n_open"]))


def _tallied(search: Search, by: tuple[str, ...], rows: Rows, reached: Reached) -> Tally:
    tally = Tally(search.want.steps, by)
    tally.add(rows, reached, search)
    return tally


class Tally:
    """Adds up what partitions of entities reached: n_entered, n_advanced, n_open of each segment and step."""

    def __init__(self, steps: Sequence[str], by: tuple[str, ...]) -> None:
        self.steps, self.by = steps, by
        self.sums: dict[Any, Array] = {}

    def add(self, rows: Rows, reached: Reached, search: Search) -> None:
        """Add one partition."""
        size, began = len(self.steps), np.flatnonzero(reached.depth > 0)
        open_until = self._still_open(reached.until[began], search)
        if reached.entered is None:
            level = np.arange(1, size + 1)
            depth = reached.depth[began].astype("int64")
            entered = depth[:, None] >= level if self._by_step(search) else None
            if entered is None:
                values = self._segment(rows, reached, began, search)
                self._add_depths(depth, open_until, values, rows.segments)
                return
            advanced = np.c_[entered[:, 1:], entered[:, -1:]]
            still_open = (depth[:, None] == level) & open_until[:, None] & (level < size)
        else:
            entered, advanced = reached.entered[began], reached.advanced[began]
            still_open = entered & ~advanced & open_until
        values = self._segment(rows, reached, began, search)
        for step in range(size):
            value = values[:, step] if values.ndim == 2 else values
            for place, part in enumerate((entered, advanced, still_open)):
                counts = np.bincount(value[part[:, step]], minlength=max(1, len(rows.segments)))
                for code in np.flatnonzero(counts).tolist():
                    self._sum(rows.segments, code)[place, step] += counts[code]

    def merge(self, other: Tally) -> None:
        """Add what another one has added up."""
        for name, sums in other.sums.items():
            self._total(name)[:] += sums

    def _add_depths(self, depth: Array, open_until: Array, values: Array, segments: Sequence[str]) -> None:
        """Add entities whose steps are those up to their depth: two bincounts."""
        size, n = len(self.steps), max(1, len(segments))
        at_level = np.bincount(values * (size + 1) + depth, minlength=n * (size + 1)).reshape(n, size + 1)[:, 1:]
        key = (values * (size + 1) + depth)[open_until]
        still_open = np.bincount(key, minlength=n * (size + 1)).reshape(n, size + 1)[:, 1:]
        still_open[:, -1] = 0  # whoever reached the last step is through
        entered = at_level[:, ::-1].cumsum(axis=1)[:, ::-1]
        advanced = np.c_[entered[:, 1:], entered[:, -1:]]
        for code in np.flatnonzero(entered[:, 0]).tolist():
            self._sum(segments, code)[:] += np.array([entered[code], advanced[code], still_open[code]])

    def _by_step(self, search: Search) -> bool:
        return bool(self.by) and search.rule.attribute == "step"

    def _sum(self, segments: Sequence[str], code: int) -> Array:
        return self._total(segments[code] if self.by else None)

    def _total(self, name: str | None) -> Array:
        return self.sums.setdefault(name, np.zeros((3, len(self.steps)), dtype="int64"))

    @staticmethod
    def _still_open(until: Array, search: Search) -> Array:
        if search.rule.window is None or search.as_of is None:
            return np.zeros(until.shape, dtype=bool)
        late: Array = until > search.as_of.value // 1000
        return late

    def _segment(self, rows: Rows, reached: Reached, began: Array, search: Search) -> Any:
        """Return the code of each entity's segment, one a step where the rule attributes to each step's own event."""
        segment: Any = rows.segment
        if not self.by:
            return np.zeros(len(began), dtype="int64")
        if search.rule.attribute == "step":
            path, end = reached.path[began], reached.end[began]
            # A step that was filled in has no event of its own: that of the furthest serves.
            return segment[np.where(path < 0, end[:, None], path)]
        return segment[(reached.start if search.rule.attribute == "first" else reached.end)[began]]

    def table(self) -> pd.DataFrame:
        """Return [by], stage, n_entered, n_advanced, n_lost, n_open, segments in order of their names."""
        empty = sums_table(np.zeros((3, len(self.steps)), dtype="int64"), self.steps)
        if not self.by:
            return sums_table(self.sums[None], self.steps) if self.sums else empty
        parts = [sums_table(self.sums[name], self.steps).assign(**self._named(name)) for name in sorted(self.sums)]
        columns = {name: pd.Series(dtype=str) for name in self.by}
        table = pd.concat(parts, ignore_index=True) if parts else empty.iloc[:0].assign(**columns)
        return table[[*self.by, *empty.columns]]

    def _named(self, name: str) -> dict[str, str]:
        return dict(zip(self.by, name.split(BETWEEN, len(self.by) - 1), strict=True))


def level_table(at_level: Array, still_open: Array, steps: Sequence[str]) -> pd.DataFrame:
    """Return the counts table of how many stand at each depth, and how many of these may still come further."""
    still_open = np.r_[still_open[:-1], 0]  # whoever reached the last step is through
    entered = at_level[::-1].cumsum()[::-1]
    return sums_table(np.array([entered, np.r_[entered[1:], entered[-1]], still_open]), steps)


def sums_table(sums: Array, steps: Sequence[str]) -> pd.DataFrame:
    """Return stage, n_entered, n_advanced, n_lost, n_open of (n_entered, n_advanced, n_open) by step."""
    entered, advanced, still_open = sums
    names = list(dict.fromkeys(steps))
    ordered = len(names) == len(steps)
    stage = pd.Categorical(steps, categories=names, ordered=True) if ordered else pd.Index(steps)
    counts = {"n_entered": entered, "n_advanced": advanced, "n_lost": entered - advanced - still_open}
    return pd.DataFrame({"stage": stage, **counts, "n_open": still_open})


def step_rates(counts: EventCount | pd.DataFrame, by: str | Sequence[str] | None = None) -> Result:
    """Read step counts as analysts do: how many reached each step, and at which rate.

    Parameters
    ----------
    counts : EventCount or DataFrame, what `count_events` found, or a table like its
    by : str or list of str, the columns that split the counts; by default those that stand before stage

    Returns
    -------
    Result
        Table: [segment], step, n (reached it), n_open (reached the step before, not yet known), rate, low, high (of
        the step before, without those not yet known; NaN at the first step), floor, ceiling (the rate if none or all
        of those succeed), rate_of_first, low_of_first, high_of_first (of the first step, without those of whom it is
        not yet known; NaN where a later step shows more than the first). Of several columns each keeps its name.

    Raises
    ------
    DataError : where `counts` is no table
    DataError
        Where `counts` is no table.

    Notes
    -----
    Wilson intervals (1927). Whoever is still open is in no rate: counted as lost, the young would look worse.

    Examples
    --------
    >>> counts = pd.DataFrame({"stage": ["A", "B"], "n_entered": [4, 1], "n_advanced": [1, 1], "n_lost": [2, 0],
    ...                        "n_open": [1, 0]})
    >>> step_rates(counts).table[["step", "n", "n_open", "rate"]].round(3)
      step  n  n_open   rate
    0    A  4       0    NaN
    1    B  1       1  0.333
    """
    return _read_rates(table_of(counts), by_names(by))


def _read_rates(table: pd.DataFrame, by: tuple[str, ...]) -> Result:
    names = by or tuple(table.columns[: table.columns.get_loc("stage")])
    rates = _step_rates(table, names)
    shown = [*rates.columns[: rates.columns.get_loc("step")], *_STEP_COLUMNS]
    return Result(
        rates, *_narrowest(_pooled(table, names)), shown=partial(_steps_for_people, shown), names={"rate": "step_rate"}
    )


_OF_FIRST = ("rate_of_first", "low_of_first", "high_of_first")
_RATE_COLUMNS = ("step", "n", "n_open", "rate", "low", "high", "floor", "ceiling", *_OF_FIRST)
_STEP_COLUMNS = ("step", "n_reached", "rate", "rate_of_first")


def _steps_for_people(shown: Sequence[str], rates: pd.DataFrame) -> pd.DataFrame:
    """Return the rates with their intervals as text; `n` here is who reached a step, not who is in its rate."""
    words = [_rate_words(row) for row in rates.to_dict("records")]
    return rates.rename(columns={"n": "n_reached"}).assign(rate=words)[list(shown)]


def _rate_words(row: Mapping[Any, Any]) -> str:
    if np.isnan(row["rate"]):
        return "–"
    low, high = (percent(row[name]).removesuffix("%") for name in ("low", "high"))
    return f"{percent(row['rate'])} [{low}, {high}]"


def _narrowest(rates: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    """Return the sentence on the step that the smallest share of those before it reached."""
    known = rates[rates["rate"].notna()]
    if not len(known):
        return "events.count.no_rates", {}
    row = known.loc[known["rate"].idxmin()]
    before = rates["step"].iloc[rates.index.get_loc(row.name) - 1]
    return "events.count.narrowest", {
        "step": str(row["step"]),
        "before": str(before),
        "rate": Later(_rate_words, dict(row)),
    }


def _pooled(counts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the step rates of all segments together."""
    if by and len(counts):
        place = counts.groupby(list(by), dropna=False).cumcount()
        stage = counts["stage"].groupby(place).first()
        counts = counts[["n_entered", "n_advanced", "n_lost", "n_open"]].groupby(place).sum().assign(stage=stage)
    return _step_rates(counts, ())


def _step_rates(counts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    groups: Any = [((), counts)] if not by else counts.groupby(list(by), dropna=False, sort=False)
    parts = []
    names = ("segment",) if len(by) == 1 else tuple(by)
    if not len(counts):
        return pd.DataFrame(columns=[*names, *_RATE_COLUMNS])
    for values, group in groups:
        n_open = group["n_open"].shift(1, fill_value=0)
        part = group[["stage", "n_entered"]].rename(columns={"stage": "step", "n_entered": "n"})
        onward = pd.DataFrame(_onward(group), index=group.index)[["rate", "low", "high", "floor", "ceiling"]]
        part = part.assign(n_open=n_open, **onward.shift(1))
        known = part["n"].iloc[0] - n_open.cumsum()
        overall = rate_columns(part["n"].where(part["n"] <= known, 0), known.where(part["n"] <= known, 0))
        part = part.assign(**{name: overall[name.removesuffix("_of_first")] for name in _OF_FIRST})
        parts.append(part.assign(**dict(zip(names, values, strict=True)))[[*names, *part.columns]])
    return pd.concat(parts, ignore_index=True)
