"""Typed in at the close: deals whose stages were all noted on the day they closed teach nothing about waiting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelkit.pipeline import Pipeline
from funnelkit.stats import OPEN, Spells, days, stage_spells

Array = NDArray[Any]
SAME_DAY, MINUTES = 1.0, 0.05  # days
TYPED = 0.05  # share of the closed deals of several stages above which same-day notes are a habit
SLOW_DAYS = 7.0  # a funnel whose other deals are quicker than this has true same-day moves


@dataclass(frozen=True)
class AtOnce:
    """Deals first noted on the day they closed: when, whether won, and the row of the deals table."""

    at: Array
    won: Array
    deal: Array

    def __len__(self) -> int:
        return len(self.at)


NOBODY = AtOnce(np.zeros(0), np.zeros(0, bool), np.zeros(0, int))


def history_spells(pipeline: Pipeline) -> tuple[Spells, AtOnce]:
    """Return the stays that were seen as they went on, and the deals that were only noted when they closed.

    Parameters
    ----------
    pipeline : Pipeline
        With stage times.

    Returns
    -------
    tuple
        Spells, and AtOnce of the deals of which no stay is left.

    Raises
    ------
    AttributeError
        For what is no Pipeline.

    Notes
    -----
    Where stages are habitually typed in on the closing day, those stays are left out: the deal leaves the stage that it
    was seen in before for good, or comes and goes at once. A stay of minutes that was only typed so would teach that
    every deal that reaches the stage leaves it at once.

    Examples
    --------
    >>> import funnelkit as fk
    >>> len(history_spells(fk.sample())[1])
    0
    """
    return _seen_as_they_went(pipeline, stage_spells(pipeline))


def _seen_as_they_went(pipeline: Pipeline, spells: Spells) -> tuple[Spells, AtOnce]:
    final = np.r_[spells.deal[1:] != spells.deal[:-1], True][: len(spells.deal)]
    place = np.cumsum(np.r_[0, final[:-1]])[: len(final)].astype(int)  # number of each spell's deal
    closed, end = spells.to[final] != OPEN, spells.end[final]
    typed = closed[place] & (spells.start > end[place] - SAME_DAY)
    n_typed, n = np.bincount(place, weights=typed), np.bincount(place)
    several = closed & (n >= 2)
    life = end - spells.born[final]
    rest = life[closed & (n_typed < 2)]
    habit = several.any() and (n_typed[several] >= 2).mean() > TYPED and len(rest) and np.median(rest) >= SLOW_DAYS
    if not habit:
        return spells, NOBODY
    return _untyped(pipeline, spells, (place, final), (typed, n_typed, n))


def _untyped(
    pipeline: Pipeline, spells: Spells, which: tuple[Array, Array], counts: tuple[Array, Array, Array]
) -> tuple[Spells, AtOnce]:
    """Return the spells without those typed in, and the deals of which nothing is left."""
    (place, final), (typed, n_typed, n) = which, counts
    created, end, to = days(pipeline.deals["created_at"])[spells.deal[final]], spells.end[final], spells.to[final]
    whole = n_typed == n
    early = whole & (created <= end - SAME_DAY)  # known before, though no stage was noted: it stood in the first
    first = np.flatnonzero(np.r_[True, final[:-1]])[early]
    start, seen, born, stage = (getattr(spells, name).copy() for name in ("start", "seen", "born", "stage"))
    start[first] = seen[first] = born[first] = created[early]
    stage[first] = 0
    alone = (n_typed == 1) & ~whole & (spells.end - spells.start > MINUTES)[final]  # one short stay may well be true
    keep = ~typed | alone[place]
    keep[first] = True
    cut = ((n_typed >= 1) & ~whole & ~alone) | early
    last = keep & cut[place] & ~np.r_[(place[1:] == place[:-1]) & keep[1:], False]
    made = replace(
        spells, start=start, seen=seen, born=born, stage=stage, end=np.where(last, end[place], spells.end),
        to=np.where(last, to[place], spells.to),
    )  # fmt: skip
    gone = whole & ~early
    return made.take(keep), AtOnce(end[gone], to[gone] == spells.won, spells.deal[final][gone])


def longest_cycle(pipeline: Pipeline) -> float:
    """Return the longest time in days from creation to close of any deal.

    Parameters
    ----------
    pipeline : Pipeline

    Returns
    -------
    float
        Infinity where none closed.

    Raises
    ------
    AttributeError
        For what is no Pipeline.

    Notes
    -----
    Void deals do not count.

    Examples
    --------
    >>> import funnelkit as fk
    >>> round(longest_cycle(fk.sample()))
    377
    """
    deals = pipeline.deals
    cycle = days(deals["closed_at"]) - days(deals["created_at"])
    closed = deals["status"].isin(["won", "lost"]).to_numpy() & ~np.isnan(cycle)
    return float(cycle[closed].max()) if closed.any() else np.inf


def older_than_any(pipeline: Pipeline) -> Array:
    """Return the ids of the open deals in their stage for longer than any that left it, or older than any that closed.

    Parameters
    ----------
    pipeline : Pipeline
        With stage times.

    Returns
    -------
    array
        Deal ids.

    Raises
    ------
    AttributeError
        For what is no Pipeline.

    Notes
    -----
    A deal is in the furthest stage that it reached, since it first did. Where nobody has left a stage, every deal in
    it is older than any that did. Forecasts and stuck deals use this one definition.

    Examples
    --------
    >>> import funnelkit as fk
    >>> older_than_any(fk.sample()).tolist()
    ['D00979']
    """
    return np.asarray(days_beyond_records(pipeline).index)


def days_beyond_records(pipeline: Pipeline) -> pd.Series[float]:
    """Return for how many days each deal of `older_than_any` has outstayed all; NaN where only its cycle is longer."""
    spells = history_spells(pipeline)[0]
    here, left = spells.to == OPEN, spells.to != OPEN
    longest = np.zeros(spells.won)
    np.maximum.at(longest, spells.stage[left], spells.age[left])
    beyond = spells.age[here] - longest[spells.stage[here]]
    old = (beyond > 0) | (spells.as_of - spells.born[here] > longest_cycle(pipeline))
    return pd.Series(beyond, pipeline.deals["deal_id"].to_numpy()[spells.deal[here]])[old].where(lambda kept: kept > 0)
