"""Hazards: how fast deals leave a stage, upwards or out, given the time they have waited there already.

A deal is in the furthest stage that it has reached; a move back is waiting. Leaving means reaching a further stage
("up"; winning is the last of these) or closing without a win ("out"). Both hazards are piecewise constant in the age
in the stage. Open spells count for the time they have run and for no longer; a spell that began before the source
records closes counts from the day it does (delayed entry).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from funnelkit.stats.rates import Floats

Array: TypeAlias = NDArray[Any]

UP, OUT = 0, 1
OPEN = -1
SHORTEST_DAYS = 0.5  # a stage left on the day it was entered was held for half a day
PRIOR_EVENTS = 0.5  # weight of the stage's own average in each age group (as Jeffreys' prior)
EXITS_PER_GROUP, MOST_GROUPS = 25, 12


@dataclass(frozen=True)
class Spells:
    """One row a stay of a deal in its furthest stage; times are days since 1970, ages days since the stage's entry.

    `to` is the stage reached next (`won` for a win), `won + 1` for a close without a win, OPEN while it lasts.
    """

    deal: Array  # row of the deals table
    stage: Array
    start: Array
    seen: Array  # from when on an exit would have been recorded
    end: Array
    to: Array
    born: Array  # when the deal entered its first stage
    won: int  # number of the won stage
    as_of: float

    def take(self, keep: Array) -> Spells:
        """Return the rows where `keep` is True."""
        arrays = {name: getattr(self, name)[keep] for name in ("deal", "stage", "start", "seen", "end", "to", "born")}
        return Spells(**arrays, won=self.won, as_of=self.as_of)

    @property
    def kind(self) -> Array:
        """Return how each spell ended: UP, OUT or OPEN."""
        return np.where(self.to == OPEN, OPEN, np.where(self.to > self.won, OUT, UP))

    @property
    def age(self) -> Floats:
        """Return how long each spell lasted, or has lasted, in days."""
        return np.where(self.to == OPEN, self.end - self.start, np.maximum(self.end - self.start, SHORTEST_DAYS))


def days(times: Any) -> Floats:
    """Convert times to days since 1970.

    Parameters
    ----------
    times : array-like of datetimes

    Returns
    -------
    array
        NaN where there is no time.

    Examples
    --------
    >>> days(pd.to_datetime(["1970-01-02 12:00"])).tolist()
    [1.5]
    """
    values = pd.DatetimeIndex(times).as_unit("us").asi8.astype(float)
    return np.where(np.isnat(np.asarray(times, dtype="datetime64[us]")), np.nan, values / 86_400e6)


def won_position(model: Any) -> int:
    """Find the stage whose entry is the win.

    Parameters
    ----------
    model : Funnel

    Returns
    -------
    int
        The stage's number, or the number after the last where a model names none.

    Examples
    --------
    >>> from funnelkit.models import funnel
    >>> won_position(funnel("industrial-8"))
    7
    """
    return model.stage_ids.index(model.won_stage) if model.won_stage else len(model.stages)


def stage_spells(pipeline: Any) -> Spells:
    """Find the stays of all deals in their furthest stages.

    Parameters
    ----------
    pipeline : Pipeline

    Returns
    -------
    Spells
        Void deals end without a win. Closed deals without a close time, and deals without any time, are left out.

    Examples
    --------
    >>> import funnelkit as fk
    >>> stage_spells(fk.sample()).won
    7
    """
    won, as_of = won_position(pipeline.model), float(days([pipeline.as_of])[0])
    entries = _advances(pipeline, won)
    deals = pipeline.deals.reset_index(drop=True)
    closed, status = days(deals["closed_at"]), deals["status"].to_numpy()
    usable = (status == "open") | ~np.isnan(closed)
    entries = entries[usable[entries["deal"].to_numpy()]]
    deal, stage, start = (entries[name].to_numpy() for name in ("deal", "stage", "at"))
    last = np.r_[deal[1:] != deal[:-1], True][: len(deal)]
    to = np.where(last, OPEN, np.r_[stage[1:], OPEN][: len(deal)])
    end = np.where(last, as_of, np.r_[start[1:], as_of][: len(deal)])
    gone = last & (status[deal] != "open")
    to[gone] = np.where(status[deal] == "won", won, won + 1)[gone]
    end[gone] = np.maximum(closed[deal], start)[gone]
    seen = _seen_from(pipeline)
    born = np.repeat(start[np.r_[True, last[:-1]][: len(deal)]], np.diff(np.r_[-1, np.flatnonzero(last)]))
    spells = Spells(deal, stage, start, np.maximum(start, seen), end, to, born, won, as_of)
    return spells.take(spells.end >= spells.seen)


def _advances(pipeline: Any, won: int) -> pd.DataFrame:
    """Return deal (row number), stage, at (days): each first entry into a stage further than all before."""
    events, deals = pipeline.events, pipeline.deals
    place = pd.Index(deals["deal_id"].astype(object)).get_indexer(events["deal_id"].astype(object))
    entered = days(events["entered_at"])
    known = (place >= 0) & ~np.isnan(entered)
    first = np.setdiff1d(np.arange(len(deals)), place[known])  # deals without a dated event begin in the first stage
    deal = np.r_[place[known], first]
    stage = np.r_[events["stage"].cat.codes.to_numpy(int)[known], np.zeros(len(first), int)]
    at = np.r_[entered[known], days(deals["created_at"])[first]]
    kept = ~np.isnan(at) & (stage >= 0) & (stage < won)
    order = np.lexsort((stage[kept], at[kept], deal[kept]))
    deal, stage, at = deal[kept][order], stage[kept][order], at[kept][order]
    # A deal's stages stand above all stages of the deals before it, so one running maximum serves all of them.
    level = stage + deal * (won + 1)
    before = np.r_[-1, np.maximum.accumulate(level)[:-1]][: len(deal)]
    further = (level > before) & (level >= deal * (won + 1))
    return pd.DataFrame({"deal": deal[further], "stage": stage[further], "at": at[further]})


def _seen_from(pipeline: Any) -> float:
    """Return the day from which on the source records closes, minus infinity where it always did."""
    limit = pipeline.limit("closes_start_late")
    return -np.inf if limit is None else float(days([pd.Timestamp(limit.values["first_close"])])[0])


@dataclass(frozen=True)
class Hazards:
    """Fitted hazards: per stage the edges of its age groups (days; the last group has no end), exits and exposure.

    `exits[stage]` is (groups, 2) of UP and OUT, `exposure[stage]` the days at risk of each group, weighted for each
    kind, `average[stage]` the prior hazard of both kinds per day, `share[stage]`, (groups, won + 1), how often an exit
    UP led to which stage. A jump is often two stays of which one was not recorded: those who jump have waited longer.
    """

    edges: list[Floats]
    exits: list[Floats]
    exposure: list[Floats]
    average: Floats
    share: list[Floats]
    won: int

    def rate(self, stage: int) -> Floats:
        """Return the posterior mean of the hazards of a stage per day, (groups, 2)."""
        shape, weight = self._posterior(stage)
        return shape / weight

    def draw(self, stage: int, rng: np.random.Generator, n: int) -> Floats:
        """Draw n hazards of a stage from the posterior, (n, groups, 2)."""
        shape, weight = self._posterior(stage)
        return rng.standard_gamma(shape, size=(n, *shape.shape)) / weight

    def draw_jump(self, stage: int, rng: np.random.Generator, n: int) -> Floats:
        """Draw n times the share of the exits UP of each age group that jump over the next stage, (n, groups)."""
        seen = self.share[stage]
        jumps, steps = seen[:, stage + 2 :].sum(axis=1), seen[:, stage + 1]
        usual = jumps.sum() / (seen.sum() + 1)  # of the stage: one exit weighs as much in each of its age groups
        jump, step = (rng.standard_gamma(part, (n, len(seen))) for part in (jumps + usual, steps + 1 - usual))
        return jump / (jump + step)

    def draw_share(self, stage: int, rng: np.random.Generator, n: int) -> Floats:
        """Draw n times the shares of the stages that jumps over the next one lead to, (n, won + 1)."""
        weights = rng.standard_gamma(self.share[stage].sum(axis=0), size=(n, self.won + 1))
        weights[:, : stage + 2] = 0
        share: Floats = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
        return share

    def longest(self, stage: int) -> float:
        """Return the longest time in days after which anyone ever left the stage."""
        return self.edges[stage][-2] if len(self.edges[stage]) > 2 else 0.0

    def cumulative(self, stage: int, age: Floats, kind: int) -> Floats:
        """Return the expected number of exits of a kind from age 0 to `age` (piecewise linear)."""
        expected: Floats = self.cumulative_both(stage, age)[kind]
        return expected

    def cumulative_both(self, stage: int, age: Floats) -> Floats:
        """Return the expected numbers of exits UP and OUT from age 0 to `age`, (2, ages)."""
        edges, rate = self.edges[stage], self.rate(stage).T
        knots = np.concatenate([np.zeros((2, 1)), np.cumsum(rate[:, :-1] * np.diff(edges)[:-1], axis=1)], axis=1)
        group = np.clip(np.searchsorted(edges, age, side="right") - 1, 0, rate.shape[1] - 1)
        expected: Floats = knots[:, group] + rate[:, group] * (age - edges[group])
        return expected

    def _posterior(self, stage: int) -> tuple[Floats, Floats]:
        return self.exits[stage] + PRIOR_EVENTS, self.exposure[stage] + PRIOR_EVENTS / self.average[stage]


def fit_hazards(spells: Spells, weight: Floats | None = None) -> Hazards:
    """Fit how fast deals leave each stage before the win, upwards or out, given the time they have waited.

    Parameters
    ----------
    spells : Spells
    weight : array, optional
        (spells, 2): multiplies the days at risk of each spell, how fast it goes UP and OUT against the others.

    Returns
    -------
    Hazards

    Notes
    -----
    Each age group is drawn towards its stage, each stage towards all. Age groups hold about equally many exits; the
    last begins at the longest stay that ever ended and has no end, so those who have waited longer than anyone who left
    are judged by the waiting of their like, not by an average.

    Examples
    --------
    >>> import funnelkit as fk
    >>> fit_hazards(stage_spells(fk.sample())).won
    7
    """
    kind, age, begin = spells.kind, spells.age, spells.seen - spells.start
    weight = np.ones((len(age), 2)) if weight is None else weight
    at_risk = np.maximum(age - begin, 0)
    pooled = np.array([(kind == exit_kind).sum() + 0.5 for exit_kind in (UP, OUT)]) / max(at_risk.sum(), 1.0)
    edges, exits, exposure, average, share = [], [], [], [], []
    for stage in range(spells.won):
        here = spells.stage == stage
        edge = _age_groups(age[here & (kind != OPEN)])
        edges.append(edge)
        exits.append(np.stack([_tally(age[here & (kind == one)], edge) for one in (UP, OUT)], axis=1))
        exposure.append(_inside(begin[here], age[here], edge).T @ weight[here])
        average.append((exits[-1].sum(axis=0) + 1) / (exposure[-1].sum(axis=0) + 1 / pooled))
        share.append(np.stack([_tally(age[here & (spells.to == to)], edge) for to in range(spells.won + 1)], axis=1))
    return Hazards(edges, exits, exposure, np.array(average), share, spells.won)


def _age_groups(ages: Floats) -> Floats:
    """Return the edges of the age groups: 0, quantiles of the ages at exit, the longest of them, infinity."""
    if not len(ages):
        return np.array([0.0, np.inf])
    groups = int(np.clip(len(ages) // EXITS_PER_GROUP, 1, MOST_GROUPS))
    inner = np.quantile(ages, np.linspace(0, 1, groups + 1)[1:])
    return np.unique(np.r_[0.0, inner, np.inf])


def _tally(ages: Floats, edges: Floats) -> Floats:
    # Ages on an edge belong to the group below it: the longest stay is an exit of the last closed group.
    group = np.searchsorted(edges, ages, side="left") - 1
    return np.bincount(np.maximum(group, 0), minlength=len(edges) - 1).astype(float)


def _inside(begin: Floats, end: Floats, edges: Floats) -> Floats:
    """Return how long each spell was at risk in each age group, (spells, groups)."""
    low, high = edges[:-1], edges[1:]
    inside: Floats = np.maximum(np.minimum(end[:, None], high) - np.maximum(begin[:, None], low), 0)
    return inside


def expected_exits(hazards: Hazards, spells: Spells, begin: ArrayLike, end: ArrayLike, kind: int) -> Floats:
    """Compute the exits that hazards expect of each spell between two times.

    Parameters
    ----------
    hazards : Hazards
    spells : Spells
    begin, end : float or array
        Days since 1970.
    kind : int
        UP or OUT.

    Returns
    -------
    array
        (spells,).

    Examples
    --------
    >>> import funnelkit as fk
    >>> spells = stage_spells(fk.sample())
    >>> expected = expected_exits(fit_hazards(spells), spells, 0, spells.as_of, UP)
    >>> bool(abs(expected.sum() / (spells.kind == UP).sum() - 1) < 0.02)
    True
    """
    from_age = np.clip(np.maximum(begin, spells.seen) - spells.start, 0, None)
    to_age = np.clip(np.minimum(end, spells.start + spells.age) - spells.start, from_age, None)
    expected = np.zeros(len(spells.stage))
    running = to_age > from_age  # most spells lie outside a window, and nothing is expected of them
    for stage in range(spells.won):
        here = running & (spells.stage == stage)
        both = [hazards.cumulative(stage, age[here], kind) for age in (to_age, from_age)]
        expected[here] = both[0] - both[1]
    return expected


def expected_in_windows(hazards: Hazards, spells: Spells, edges: Floats, ratio: Floats) -> Floats:
    """Compute the exits that hazards expect of each stage in each of a row of windows.

    Parameters
    ----------
    hazards : Hazards
    spells : Spells
    edges, ratio : array
        Of the windows, days since 1970; (2, spells), how fast each goes UP and OUT against the hazards.

    Returns
    -------
    array
        (2, stages, windows): UP and OUT.

    Examples
    --------
    >>> from funnelkit import sample
    >>> spells = stage_spells(sample())
    >>> ones = np.ones((2, len(spells.stage)))
    >>> expected_in_windows(fit_hazards(spells), spells, np.array([0.0, spells.as_of]), ones).shape
    (2, 7, 1)
    """
    begin, end = np.maximum(spells.seen, edges[0]), np.minimum(spells.start + spells.age, edges[-1])
    first = np.searchsorted(edges, begin, side="right") - 1
    # Only the windows that a spell touches are looked at: a row each, so that the work grows with time spent.
    touched = np.where(end > begin, np.searchsorted(edges, end, side="left") - first, 0)
    found = np.zeros((2, spells.won, len(edges) - 1))
    for stage in range(spells.won):
        here = np.flatnonzero((spells.stage == stage) & (touched > 0))
        n = touched[here]
        spell = np.repeat(here, n)
        window = np.arange(len(spell)) - np.repeat(np.cumsum(n) - n - first[here], n)
        high = hazards.cumulative_both(stage, np.minimum(end[spell], edges[window + 1]) - spells.start[spell])
        low = np.roll(high, 1, axis=1)  # a window of a spell begins where the one before it ended
        low[:, np.cumsum(n) - n] = hazards.cumulative_both(stage, begin[here] - spells.start[here])
        hoped = (high - low) * ratio[:, spell]
        found[:, stage] = [np.bincount(window, weights=one, minlength=len(edges) - 1) for one in hoped]
    return found
