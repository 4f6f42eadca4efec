"""Count event logs under a Rule (DuckDB scans and sorts, numpy runs the chain)."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from funnelkit.events.rule import Rule
from funnelkit.events.search import Search
from funnelkit.stats import rate_columns


@dataclass(frozen=True)
class EventCount:
    """What `count_events` found. `table`: [segment], stage, n_entered, n_advanced, n_lost, n_open.

    `notes` are (key of texts/notes.toml, values): rows without id or time, steps that never occur, no window.
    """

    table: pd.DataFrame
    rule: Rule
    as_of: pd.Timestamp | None
    notes: tuple[tuple[str, dict], ...] = ()


def count_events(log, steps, rule=None, *, columns=None, by=None, as_of=None, partition_rows=None, progress=False):
    """Count how many entities of an event log reached each step under `rule`, a Rule or a preset's name.

    `log` is anything that `scan.Log` opens: CSV or Parquet files, a DataFrame, an Arrow table, a DuckDB relation.
    `columns` names its id, stage and time columns, `by` a column that splits the table by its value at the event that
    the rule's `attribute` names. A log of more than `partition_rows` rows is counted in partitions of entities;
    `progress` shows them on stderr. Returns an EventCount.

    With a window, an entity whose window is still open at `as_of` (default: the log's latest time) is `n_open`, not
    lost. Without a window nobody is ever known to be lost: n_lost then means "not by as_of", and a note says so.
    Raises DataError for a log that cannot be read or lacks a column, RuleError for a rule without a meaning.

    >>> log = pd.DataFrame({"deal_id": [1, 1, 2], "stage": ["A", "B", "A"],
    ...                     "entered_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-09"])})
    >>> count_events(log, ["A", "B"], Rule(window="7d")).table
      stage  n_entered  n_advanced  n_lost  n_open
    0     A          2           1       0       1
    1     B          1           1       0       0
    """
    with Search(log, steps, rule, columns=columns, by=by, as_of=as_of, partition_rows=partition_rows) as search:
        tally = Tally(search.want.steps, by)
        want = "depth" if by is None else "path" if search.rule.attribute == "step" else "ends"
        for part in search.parts(progress, want, partial(_tallied, search, by)):
            tally.merge(part)
        return EventCount(tally.table(), search.rule, search.as_of, search.notes())


def _tallied(search, by, rows, reached):
    tally = Tally(search.want.steps, by)
    tally.add(rows, reached, search)
    return tally


class Tally:
    """Adds up what partitions of entities reached: n_entered, n_advanced, n_open of each segment and step."""

    def __init__(self, steps, by):
        self.steps, self.by, self.sums = steps, by, {}

    def add(self, rows, reached, search):
        """Add one partition."""
        size, began = len(self.steps), np.flatnonzero(reached.depth > 0)
        open_until = self._still_open(reached.until[began], search)
        if reached.entered is None:
            level = np.arange(1, size + 1)
            depth = reached.depth[began].astype("int64")
            entered = depth[:, None] >= level if self._by_step(search) else None
            if entered is None:
                return self._add_depths(depth, open_until, self._segment(rows, reached, began, search), rows.segments)
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
                for code in np.flatnonzero(counts):
                    self._sum(rows.segments, code)[place, step] += counts[code]

    def merge(self, other):
        """Add what another one has added up."""
        for name, sums in other.sums.items():
            self._total(name)[:] += sums

    def _add_depths(self, depth, open_until, values, segments):
        """Add entities whose steps are those up to their depth: two bincounts."""
        size, n = len(self.steps), max(1, len(segments))
        at_level = np.bincount(values * (size + 1) + depth, minlength=n * (size + 1)).reshape(n, size + 1)[:, 1:]
        key = (values * (size + 1) + depth)[open_until]
        still_open = np.bincount(key, minlength=n * (size + 1)).reshape(n, size + 1)[:, 1:]
        still_open[:, -1] = 0  # whoever reached the last step is through
        entered = at_level[:, ::-1].cumsum(axis=1)[:, ::-1]
        advanced = np.c_[entered[:, 1:], entered[:, -1:]]
        for code in np.flatnonzero(entered[:, 0]):
            self._sum(segments, code)[:] += np.array([entered[code], advanced[code], still_open[code]])

    def _by_step(self, search):
        return self.by is not None and search.rule.attribute == "step"

    def _sum(self, segments, code):
        return self._total(segments[code] if self.by is not None else None)

    def _total(self, name):
        return self.sums.setdefault(name, np.zeros((3, len(self.steps)), dtype="int64"))

    @staticmethod
    def _still_open(until, search):
        if search.rule.window is None or search.as_of is None:
            return np.zeros(until.shape, dtype=bool)
        return until > search.as_of.value // 1000

    def _segment(self, rows, reached, began, search):
        """Return the code of each entity's segment, one a step where the rule attributes to each step's own event."""
        if self.by is None:
            return np.zeros(len(began), dtype="int64")
        if search.rule.attribute == "step":
            path, end = reached.path[began], reached.end[began]
            # A step that was filled in has no event of its own: that of the furthest serves.
            return rows.segment[np.where(path < 0, end[:, None], path)]
        return rows.segment[(reached.start if search.rule.attribute == "first" else reached.end)[began]]

    def table(self):
        """Return [by], stage, n_entered, n_advanced, n_lost, n_open, segments in order of their names."""
        empty = sums_table(np.zeros((3, len(self.steps)), dtype="int64"), self.steps)
        if self.by is None:
            return sums_table(self.sums[None], self.steps) if self.sums else empty
        parts = [sums_table(self.sums[name], self.steps).assign(**{self.by: name}) for name in sorted(self.sums)]
        table = (
            pd.concat(parts, ignore_index=True) if parts else empty.iloc[:0].assign(**{self.by: pd.Series(dtype=str)})
        )
        return table[[self.by, *empty.columns]]


def level_table(at_level, still_open, steps):
    """Return the counts table of how many stand at each depth, and how many of these may still come further."""
    still_open = np.r_[still_open[:-1], 0]  # whoever reached the last step is through
    entered = at_level[::-1].cumsum()[::-1]
    return sums_table(np.array([entered, np.r_[entered[1:], entered[-1]], still_open]), steps)


def sums_table(sums, steps):
    """Return stage, n_entered, n_advanced, n_lost, n_open of (n_entered, n_advanced, n_open) by step."""
    entered, advanced, still_open = sums
    names = list(dict.fromkeys(steps))
    ordered = len(names) == len(steps)
    stage = pd.Categorical(steps, categories=names, ordered=True) if ordered else pd.Index(steps)
    counts = {"n_entered": entered, "n_advanced": advanced, "n_lost": entered - advanced - still_open}
    return pd.DataFrame({"stage": stage, **counts, "n_open": still_open})


def _onward(counts):
    rates = rate_columns(counts["n_advanced"], counts["n_advanced"] + counts["n_lost"], counts["n_open"])
    return pd.DataFrame(rates, index=counts.index)[["rate", "low", "high", "floor", "ceiling"]]


def step_rates(counts, by=None):
    """Return a step table as analysts read it: how many reached each step, and at which rate.

    Takes the table of an EventCount; returns [segment], step, n (reached it), n_open (reached the step before, not
    yet known), rate, low, high (of the step before, without those not yet known; NaN at the first step), floor,
    ceiling (the rate if none or all of those succeed), and rate_of_first with its low_of_first, high_of_first (of the
    first step, without those of whom it is not yet known; NaN where a later step shows more than the first).

    >>> counts = pd.DataFrame({"stage": ["A", "B"], "n_entered": [4, 1], "n_advanced": [1, 1], "n_lost": [2, 0],
    ...                        "n_open": [1, 0]})
    >>> step_rates(counts)[["step", "n", "n_open", "rate"]].round(3)
      step  n  n_open   rate
    0    A  4       0    NaN
    1    B  1       1  0.333
    """
    groups = [(None, counts)] if by is None else counts.groupby(by, dropna=False, sort=False)
    parts = []
    for value, group in groups:
        n_open = group["n_open"].shift(1, fill_value=0)
        part = group[["stage", "n_entered"]].rename(columns={"stage": "step", "n_entered": "n"})
        part = part.assign(n_open=n_open, **_onward(group).shift(1))
        known = part["n"].iloc[0] - n_open.cumsum()
        overall = rate_columns(part["n"].where(part["n"] <= known, 0), known.where(part["n"] <= known, 0))
        part = part.assign(**{f"{name}_of_first": overall[name] for name in ("rate", "low", "high")})
        parts.append(part if by is None else part.assign(segment=value)[["segment", *part.columns]])
    return pd.concat(parts, ignore_index=True)
