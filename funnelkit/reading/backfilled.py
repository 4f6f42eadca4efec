"""Back-filled stages: deals whose stages were all typed in on the day they closed, so that no stay is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnelkit.pipeline import Limit, Pipeline
from funnelkit.reading.cells.text import arrow_text
from funnelkit.reading.findings import Journal

DAY = 86_400e6  # microseconds
HABIT, LEAST = 0.1, 10  # share and number of the deals of several stages from which on it is a habit
SLOW_DAYS, OTHERS = 7.0, 5  # deals alike that take less than this move truly within a day; how many tell of that
GAP_DAYS, GAP = 3.0, 4  # true quick deals would also be seen on the days after: so many times fewer are


def mark_backfilled(pipeline: Pipeline, journal: Journal) -> Pipeline:
    """Return the pipeline with back-filled entries marked, a limit and a warning, where that is a habit."""
    events = pipeline.events
    starts, deal, when = _runs(pipeline)
    if not len(starts):
        return pipeline
    created, closed = (_microseconds(pipeline.deals[name])[deal] for name in ("created_at", "closed_at"))
    size = np.diff(np.append(starts, len(events)))
    known = pipeline.deals["status"].isin(["won", "lost"]).to_numpy()[deal] & ~np.isnan(closed)
    # The entry that creation itself makes is no move, unless the deal was created when it closed.
    later = (when > np.repeat(np.where(created > closed - DAY, -np.inf, created + DAY), size)) & ~np.isnan(when)
    n_later = np.add.reduceat(later.astype(int), starts)
    first = np.minimum.reduceat(np.where(later, when, np.inf), starts)
    typed = known & (n_later > 0) & (first > closed - DAY)
    took = (closed - np.fmin(created, first)) / DAY
    furthest = np.maximum.reduceat(events["stage"].cat.codes.to_numpy(), starts)
    alike = 2 * furthest + (pipeline.deals["status"] == "won").to_numpy()[deal]
    typed &= _among_slow(alike, took, typed, known)
    several = known & (n_later > 1)
    quick = several & ~typed & (took < GAP_DAYS) & np.isin(alike, alike[typed])
    n, n_deals = int((several & typed).sum()), int(several.sum())
    if n < LEAST or n < HABIT * n_deals or GAP * quick.sum() >= n:
        return pipeline
    journal.add("backfilled", "warn", n=n, n_deals=n_deals)
    at_close = created > closed - DAY  # where deals are also created when they close, others moved in truth
    typed &= at_close | bool(np.mean(at_close[several & typed]) < 0.5)
    marked = events.assign(source=events["source"].mask(np.repeat(typed, size) & later, "backfilled"))
    limit = Limit("backfilled", {"n": n, "n_deals": n_deals})
    return replace(pipeline, events=marked, limits=(*pipeline.limits, limit))


def _among_slow(
    alike: NDArray[Any], took: NDArray[Any], typed: NDArray[Any], seen: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the deals of kinds (furthest stage, outcome) whose others took long: there a single day is no true haste.

    Where a kind has no others, the typed ones themselves tell: they waited long and moved only when they closed.
    """
    slow = np.zeros(len(alike), dtype=bool)
    for kind in np.unique(alike[typed]):
        mine = seen & (alike == kind)
        others = took[mine & ~typed]
        times = others if len(others) >= OTHERS else took[mine & typed]
        slow |= mine & bool(np.median(times) >= SLOW_DAYS)
    return slow


def _runs(pipeline: Pipeline) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return where the entries of each deal begin, its row among the deals, and the time of each entry that has one.

    Entries of a deal stand together. What is inferred tells nothing about how it was typed in.
    """
    events = pipeline.events
    told = events["source"].isin(["history", "wide"]).to_numpy()
    if not told.any() or not len(pipeline.deals):
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    ids = arrow_text(events["deal_id"])
    starts = np.flatnonzero(np.r_[True, pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)])
    deal = pd.Index(pipeline.deals["deal_id"]).get_indexer(events["deal_id"].iloc[starts])
    return starts, deal, np.where(told, _microseconds(events["entered_at"]), np.nan)


def _microseconds(times: pd.Series) -> NDArray[np.float64]:
    values = times.to_numpy("datetime64[us]")
    return np.where(np.isnat(values), np.nan, values.astype("int64").astype(float))
