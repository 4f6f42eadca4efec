"""Incidence: the share that reaches a step within a horizon of the beginning, the young censored where they stand.

A log no longer than a few windows holds few whose whole window has passed. Here everybody counts for the time watched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from funnelkit.events.engine.arrays import Array, Reached, Rows
from funnelkit.events.search import Search
from funnelkit.events.tally import DAY_US, OF_FIRST, Tally, first_chances
from funnelkit.stats import interval


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


def of_waits(waits: Waits, rule_days: float) -> dict[str, Any]:
    """Return the columns rate, low, high, horizon_days and those of the first step, by step."""
    longest = float(waits.watched.max(initial=0.0))
    horizon, size = min(rule_days, longest), waits.days.shape[1]
    columns: dict[str, Any] = {name: np.full(size, np.nan) for name in ("rate", "low", "high", *OF_FIRST)}
    if horizon <= 0:
        return columns
    curves = [Curve(1.0, np.zeros(len(waits.watched)))]
    curves += [curve(waits.days[:, step], waits.watched, horizon) for step in range(1, size)]
    came = np.isfinite(waits.days).sum(axis=0)
    for step in range(size):
        of_all = ratio(curves[step], None, int(came[0])) if step else (1.0, 1.0, 1.0)
        for name, value in zip(OF_FIRST, of_all, strict=True):
            columns[name][step] = value
        if step + 1 < size:
            onward = ratio(curves[step + 1], curves[step], int(came[step]))
            for name, value in zip(("rate", "low", "high"), onward, strict=True):
                columns[name][step] = value
    return columns | {"horizon_days": horizon}


def too_young(table: pd.DataFrame, search: Search) -> bool:
    """Return whether fewer than half of those who began are matured, where everybody's wait can be followed instead."""
    rule, size = search.rule, len(search.want.steps)
    n, entered = table[["n", "n_entered"]].to_numpy().reshape(-1, size, 2)[:, 0].sum(axis=0)
    followed = rule.skip == "drop" and rule.attribute != "step" and rule.window is not None and not rule.optional
    return followed and bool(2 * n < entered)


def with_incidence(table: pd.DataFrame, search: Search, tally: Tally, window_days: float) -> pd.DataFrame:
    """Return the counts with incidence in place of the rates of the few who are matured."""
    parts = list(search.parts(want="path", turn=partial(_waits, search, tally)))
    found = []
    for place, name in enumerate(sorted(tally.sums)):
        waits = _together([(waits, waits.segment == codes[name]) for waits, codes in parts if name in codes])
        columns = of_waits(waits, window_days)
        size = len(columns["rate"])
        own = table.iloc[place * size : (place + 1) * size]
        basis = np.where(np.isfinite(columns["rate"]), "incidence", "unknown").astype(object)
        basis[-1] = basis[0]  # nothing follows the last step
        found.append(own.assign(k=own["n_advanced"], n=own["n_entered"], basis=basis, **columns))
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
