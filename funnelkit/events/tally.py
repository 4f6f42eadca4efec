"""Tally: adds up what partitions of entities reached, by segment and step, and of whom the whole window has passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.events.engine.arrays import NEVER, Array, Reached, Rows
from funnelkit.events.log import BETWEEN
from funnelkit.events.rule import Rule
from funnelkit.events.search import Search
from funnelkit.stats import rate_columns

COUNTS = ("n_entered", "n_advanced", "n_lost", "n_open")
OF_FIRST = ("rate_of_first", "low_of_first", "high_of_first")
MADE = ("made_rate", "made_low", "made_high")
DAY_US = 86_400_000_000
_PARTS = 5  # entered, advanced, open; entered and advanced among those whose whole window has passed


class Tally:
    """Adds up partitions: how many entered each step, advanced, are open; and the first two of the matured alone.

    Matured is who began a whole window before the as-of date, whatever came of it: a choice by the beginning alone
    favours no outcome.
    """

    def __init__(self, steps: Sequence[str], by: tuple[str, ...]) -> None:
        self.steps, self.by = steps, by
        self.sums: dict[Any, Array] = {}

    def add(self, rows: Rows, reached: Reached, search: Search) -> None:
        """Add one partition."""
        size, began = len(self.steps), np.flatnonzero(reached.depth > 0)
        still, mature = still_open(reached, began, search), _mature(rows, reached, began, search)
        values = self.segment(rows, reached, began, search)
        level = np.arange(1, size + 1)
        depth = reached.depth[began].astype("int64")
        if reached.entered is not None:
            entered, advanced = reached.entered[began], reached.advanced[began]
        elif self.by and search.rule.attribute == "step":
            entered = depth[:, None] >= level
            advanced = np.c_[entered[:, 1:], entered[:, -1:]]
        else:
            self._add_depths(depth, still, mature, (values, rows.segments))
            return
        still, mature = (part if part.ndim == 2 else part[:, None] for part in (still, mature))
        parts = (entered, advanced, entered & ~advanced & still, entered & mature, advanced & mature)
        for step in range(size):
            value = values[:, step] if values.ndim == 2 else values
            for place, part in enumerate(parts):
                counts = np.bincount(value[part[:, step]], minlength=max(1, len(rows.segments)))
                for code in np.flatnonzero(counts).tolist():
                    self._sum(rows.segments, code)[place, step] += counts[code]

    def merge(self, other: Tally) -> None:
        """Add what another one has added up."""
        for name, sums in other.sums.items():
            self._total(name)[:] += sums

    def _add_depths(self, depth: Array, still: Array, mature: Array, segment: tuple[Array, Sequence[str]]) -> None:
        """Add entities whose steps are those up to their depth: a bincount for all, the open and the matured."""
        size, (values, names) = len(self.steps), segment
        n, key = max(1, len(names)), values * (size + 1) + depth
        at_level, open_at, mature_at = (
            np.bincount(key if part is None else key[part], minlength=n * (size + 1)).reshape(n, size + 1)[:, 1:]
            for part in (None, still, mature)
        )
        for code in np.flatnonzero(at_level.any(axis=1)).tolist():
            self._sum(names, code)[:] += level_sums(at_level[code], open_at[code], mature_at[code])

    def _sum(self, segments: Sequence[str], code: int) -> Array:
        return self._total(segments[code] if self.by else None)

    def _total(self, name: str | None) -> Array:
        return self.sums.setdefault(name, np.zeros((_PARTS, len(self.steps)), dtype="int64"))

    def segment(self, rows: Rows, reached: Reached, began: Array, search: Search) -> Any:
        """Return the code of each entity's segment, one a step where the rule attributes to each step's own event."""
        segment: Any = rows.segment
        if not self.by:
            return np.zeros(len(began), dtype="int64")
        if search.rule.attribute == "step":
            path, end = reached.path[began], reached.end[began]
            # A step that was filled in has no event of its own: that of the furthest serves.
            return segment[np.where(path < 0, end[:, None], path)]
        return segment[(reached.start if search.rule.attribute == "first" else reached.end)[began]]

    def table(self, window_days: Array) -> pd.DataFrame:
        """Return [by], stage, counts and rates, segments in order of their names."""
        nothing = np.zeros((_PARTS, len(self.steps)), dtype="int64")
        if not self.by:
            return sums_table(self.sums.get(None, nothing), self.steps, window_days)
        parts = [
            sums_table(self.sums[name], self.steps, window_days).assign(**self._named(name))
            for name in sorted(self.sums)
        ]
        empty = sums_table(nothing, self.steps, window_days)
        none = empty.iloc[:0].assign(**{name: pd.Series(dtype=str) for name in self.by})
        table = pd.concat(parts, ignore_index=True) if parts else none
        return table[[*self.by, *empty.columns]]

    def _named(self, name: str) -> dict[str, str]:
        return dict(zip(self.by, name.split(BETWEEN, len(self.by) - 1), strict=True))


def still_open(reached: Reached, began: Array, search: Search) -> Array:
    """Return who may still come further; without a window that is everybody whom no exit has ended."""
    until = reached.until[began]
    if search.as_of is None or not search.rule.ends:
        return np.ones(until.shape, dtype=bool)
    late: Array = until > search.as_of.value // 1000
    return late


def _mature(rows: Rows, reached: Reached, began: Array, search: Search) -> Array:
    """Return whose whole window has passed by the as-of date; without a window all, for the share so far."""
    whole = search.rule.whole_us(search.rule.transitions(search.want.steps))
    if whole is None or search.as_of is None:
        return np.ones(len(began), dtype=bool)
    limit = search.as_of.value // 1000
    if reached.until.ndim == 2 and search.rule.order == "ordered":  # each step has a window of its own
        own: Array = (reached.until[began] <= limit) & (reached.until[began] != NEVER)
        return own
    if reached.start is None and search.rule.reentry == "first":
        known: Array = reached.until[began] <= limit
        return known
    passed: Array = first_chances(rows, search)[began] <= limit - whole
    return passed


def first_chances(rows: Rows, search: Search) -> Array:
    """Return when each entity could begin for the first time (us), NEVER where it never could."""
    any_step = search.rule.order == "any" or search.rule.skip != "drop"
    here = np.flatnonzero(rows.step >= 0 if any_step else rows.step == search.want.codes[0])
    who = rows.entity[here]
    first = np.flatnonzero(np.r_[True, who[1:] != who[:-1]][: len(who)])
    found = np.full(rows.n_entities, NEVER)
    if rows.group is None:
        found[who[first]] = rows.at[here[first]]
    else:  # held values part an entity's rows: those of each are in order of time, not those of all
        found[who] = np.iinfo("int64").max
        np.minimum.at(found, who, rows.at[here])
    return found


def level_sums(at_level: Array, open_at: Array, mature_at: Array) -> Array:
    """Return the sums of how many stand at each depth, of these may still come further, and are matured."""
    entered, matured = (part[::-1].cumsum()[::-1] for part in (at_level, mature_at))
    onward, mature_onward = (np.r_[part[1:], part[-1]] for part in (entered, matured))
    # Whoever reached the last step is through.
    return np.array([entered, onward, np.r_[open_at[:-1], 0], matured, mature_onward])


def horizon_days(rule: Rule, steps: Sequence[str]) -> Array:
    """Return the whole window of each step's rate in days, NaN without one."""
    transitions = rule.transitions(steps)
    windows = None if rule.window is None else rule.windows_us(transitions)
    if windows is None:
        return np.full(len(steps), np.nan)
    if rule.skip == "touch" and rule.order == "ordered":  # each step has a window of its own
        return np.array([*windows, windows[-1]]) / DAY_US
    return np.full(len(steps), (rule.whole_us(transitions) or 0) / DAY_US)


def sums_table(sums: Array, steps: Sequence[str], window_days: Array) -> pd.DataFrame:
    """Return stage, counts and the rates onward of the sums by step; nothing follows the last step."""
    entered, advanced, still_open, n, k = sums
    names = list(dict.fromkeys(steps))
    ordered = len(names) == len(steps)
    stage = pd.Categorical(steps, categories=names, ordered=True) if ordered else pd.Index(steps)
    counts = dict(zip(COUNTS, (entered, advanced, entered - advanced - still_open, still_open), strict=True))
    basis = np.where(n == 0, "unknown", np.where(np.isnan(window_days), "share", "matured")).astype(object)
    rates = _onward(rate_columns(k, n, 0, "matured", window_days)) | {"basis": basis}
    bounds = _onward(rate_columns(advanced, entered - still_open, still_open, "matured"))
    rates = held_to_bounds(rates | {name: bounds[name] for name in ("floor", "ceiling")})
    del rates["n_open"]
    return pd.DataFrame({"stage": stage, **counts, **rates, **_of_first(n)})


def held_to_bounds(rates: Any) -> dict[str, Any]:
    """Return a row's columns with the rate moved to the nearest bound where it lies beyond what is known of all."""
    rate, low, high = (np.asarray(rates[name], float) for name in ("rate", "low", "high"))
    rate = np.clip(rate, np.asarray(rates["floor"], float), np.asarray(rates["ceiling"], float))
    return dict(rates) | {"rate": rate, "low": np.fmin(low, rate), "high": np.fmax(high, rate)}


def _onward(rates: dict[str, Any]) -> dict[str, Any]:
    for name in ("rate", "low", "high", "floor", "ceiling"):
        rates[name] = np.r_[rates[name][:-1], np.nan]
    return rates


def _of_first(n: Array) -> dict[str, Any]:
    """Return the rate of each step among those who began; NaN where a later step shows more than the first."""
    fits = n <= n[0]
    found = rate_columns(np.where(fits, n, 0), np.where(fits, n[0], 0), 0, "matured")
    return {name: np.r_[1.0, found[name.removesuffix("_of_first")][1:]] for name in OF_FIRST}
