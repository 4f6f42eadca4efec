"""Incidence: the share that reaches a step within a horizon of the beginning, the young censored where they stand.

A log no longer than a few windows holds few whose whole window has passed. Here everybody counts for the time watched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.events.engine.arrays import Array, Reached, Rows
from funnelkit.events.search import Search
from funnelkit.events.tally import DAY_US, MADE, OF_FIRST, Tally, first_chances, held_to_bounds
from funnelkit.stats import interval

_ONWARD = ("rate", "low", "high")


@dataclass(frozen=True)
class Waits:
    """Of each entity: days from its beginning to each step (inf where it has not come), days watched, segment."""

    days: Array  # (n, steps)
    watched: Array
    segment: Array


@dataclass(frozen=True)
class Curve:
    """A share at the horizon, and how much each entity moves it (its influence)."""

    share: float
    influence: Array


def curve(days: Array, watched: Array, horizon: float) -> Curve:
    """Return the product-limit share that has come by the horizon.

    >>> round(curve(np.array([1.0, np.inf, np.inf, np.inf]), np.array([9.0, 9.0, 9.0, 0.5]), 5).share, 4)
    0.3333
    """
    n, seen = len(days), np.minimum(np.minimum(days, watched), horizon)
    came = days <= np.minimum(watched, horizon)
    times, arrivals = np.unique(seen[came], return_counts=True)
    at_risk = n - np.searchsorted(np.sort(seen), times, side="left")
    hazard = arrivals / at_risk
    left = float(np.prod(1 - hazard))
    if left <= 0:
        return Curve(1.0, np.zeros(n))
    # d log S = -sum dh / (1 - h): an arrival raises its own hazard, whoever is at risk lowers each.
    weight = n / (at_risk * (1 - hazard))
    lowered = np.r_[0.0, np.cumsum(hazard * weight)][np.searchsorted(times, seen, side="right")]
    raised = np.zeros(n)
    raised[came] = weight[np.searchsorted(times, seen[came])]
    return Curve(1 - left, left * (raised - lowered))


def ratio(later: Curve, earlier: Curve | None, n: int) -> tuple[float, float, float]:
    """Return (share, low, high) of those at the earlier step who reach the later; of all where there is no earlier."""
    share, moved = later.share, later.influence
    if earlier is not None:
        if not earlier.share:
            return float("nan"), float("nan"), float("nan")
        share = min(1.0, later.share / earlier.share)
        moved = (moved - share * earlier.influence) / earlier.share
    error = float(np.sqrt(np.sum(moved**2))) / max(1, len(moved))
    low, high = interval(share, error, n)
    return share, float(low), float(high)


def of_waits(waits: Waits, rule_days: float, optional: Sequence[bool]) -> dict[str, Any]:
    """Return the columns rate, low, high, horizon_days, those of the first step and of who made it, by step."""
    horizon, size = min(rule_days, float(waits.watched.max(initial=0.0))), waits.days.shape[1]
    columns: dict[str, Any] = {name: np.full(size, np.nan) for name in (*_ONWARD, *OF_FIRST, *MADE)}
    if horizon <= 0:
        return columns
    come = [curve(waits.days[:, step], waits.watched, horizon) for step in range(size)]
    came, needed = np.isfinite(waits.days).sum(axis=0).tolist(), np.flatnonzero(~np.asarray(optional))
    for step in range(size):
        found: dict[tuple[str, ...], tuple[float, float, float]] = {}
        found[OF_FIRST] = ratio(come[step], None, came[0]) if step else (1.0, 1.0, 1.0)
        if step + 1 < size:
            following = come[int(needed[needed > step][0])]
            if optional[step]:  # who left it out comes to the following step too
                days = np.where(np.isfinite(waits.days[:, step]), waits.days[:, needed[needed > step][0]], np.inf)
                following = curve(days, waits.watched, horizon)
                before = int(needed[needed < step][-1])
                found[MADE] = ratio(come[step], come[before], came[before])
            found[_ONWARD] = ratio(following, come[step], came[step])
        for names, values in found.items():
            for name, value in zip(names, values, strict=True):
                columns[name][step] = value
    return columns | {"horizon_days": horizon}


def too_young(table: pd.DataFrame, search: Search) -> bool:
    """Return whether fewer than half of those who began are matured, where everybody's wait can be followed instead."""
    rule, size = search.rule, len(search.want.steps)
    n, entered = table[["n", "n_entered"]].to_numpy().reshape(-1, size, 2)[:, 0].sum(axis=0)
    followed = rule.skip == "drop" and rule.attribute != "step" and rule.window is not None
    return followed and bool(2 * n < entered)


def with_incidence(table: pd.DataFrame, search: Search, tally: Tally, window_days: float) -> pd.DataFrame:
    """Return the counts with incidence in place of the rates of the few who are matured."""
    parts = list(search.parts(want="path", turn=partial(_waits, search, tally)))
    optional = [step in search.rule.optional for step in search.want.steps]
    found = []
    for place, name in enumerate(sorted(tally.sums)):
        waits = _together([(waits, waits.segment == codes[name]) for waits, codes in parts if name in codes])
        columns = of_waits(waits, window_days, optional)
        columns = columns if any(optional) else {name: columns[name] for name in columns if name not in MADE}
        size = len(columns["rate"])
        own = table.iloc[place * size : (place + 1) * size]
        basis = np.where(np.isfinite(columns["rate"]), "incidence", "unknown").astype(object)
        basis[-1] = basis[0]  # nothing follows the last step
        own = own.assign(k=own["n_advanced"], n=own["n_entered"], basis=basis, **columns)
        found.append(own.assign(**held_to_bounds(own[["rate", "low", "high", "floor", "ceiling"]])))
    return pd.concat(found, ignore_index=True)


def _waits(search: Search, tally: Tally, rows: Rows, reached: Reached) -> tuple[Waits, dict[Any, int]]:
    """Return the Waits of one partition and {segment: its code}."""
    began = np.flatnonzero(reached.depth > 0)
    since, path = first_chances(rows, search)[began], reached.path[began]
    at = rows.at[np.maximum(path, 0)] if len(rows.at) else path
    days = np.where(path < 0, np.inf, (at - since[:, None]) / DAY_US)
    days[:, 0] = 0.0
    watched = (search.as_of.value // 1000 - since) / DAY_US if search.as_of is not None else since * 0.0
    segment = tally.segment(rows, reached, began, search)
    codes = {rows.segments[code] if tally.by else None: code for code in np.unique(segment).tolist()}
    return Waits(days, watched, segment), codes


def _together(parts: list[tuple[Waits, Array]]) -> Waits:
    days, watched, segment = (
        np.concatenate([getattr(waits, name)[kept] for waits, kept in parts]) for name in ("days", "watched", "segment")
    )
    return Waits(days, watched, segment)
