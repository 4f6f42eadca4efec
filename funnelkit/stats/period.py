"""Period analysis: the rates that would result if a deal lived its whole life as deals of all ages did in a window.

Each deal counts in a window from the age that it has when the window opens to the age at which it leaves or the window
closes (delayed entry): the rates neither wait for young deals to end nor mix quick losses of many new deals with the
slow wins of few old ones, so that intake and its growth do not move them (Brenner and Gefeller 1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from funnelkit.stats.hazards import OPEN, Array, Spells
from funnelkit.stats.rates import Floats

LEAST_AT_RISK = 3  # of an age at which fewer deals of the window were seen, the whole history tells
# Of the moves out of a stage, the share at ages which the window itself has seen: below the least the rate is that of
# other times; below three quarters it counts as less sure than its error says, in proportion.
LEAST_OWN, ENOUGH_OWN = 0.2, 0.75
_INSTANT = 1e-6  # days: whoever is still there when a window closes was not at risk in that instant


@dataclass(frozen=True)
class PeriodRates:
    """Rates of one window: row 0 from the start to the win, row s + 1 from stage s onwards.

    `k` of the `n` that left within it advanced; `worth` is the number of trials that the rate is as sure as; `known` is
    False where the window has seen too little of it; `rest` is the share still there after `horizon` days, the longest
    that anybody ever took; `win` the chance of a win once advanced.
    """

    k: Array
    n: Array
    n_open: Array
    rate: Floats
    worth: Floats
    known: Array
    rest: Floats
    horizon: Floats
    win: Floats


def period_rates(spells: Spells, windows: Sequence[tuple[float, float]]) -> list[PeriodRates]:
    """Estimate the rates of calendar windows, stage by stage, and what share of all who start they lead to the win.

    Parameters
    ----------
    spells : Spells
    windows : list of (start, stop), days since 1970

    Returns
    -------
    list of PeriodRates

    Notes
    -----
    In each stage the exits compete by age in the stage (Aalen and Johansen 1978, with delayed entry); the chance of a
    win is their product along the ways that deals take. Shares of all who pass a stage multiply whatever the stays have
    to do with each other, so no Markov property is needed. An age at which fewer than 3 of the window were at risk gets
    the hazard of the whole history: an empty risk set would end every curve there. Errors: delta method over the
    multinomial increments of the hazards (Greenwood's, for a single way out).

    Examples
    --------
    >>> import funnelkit as fk
    >>> from funnelkit.stats import stage_spells
    >>> spells = stage_spells(fk.sample())
    >>> found = period_rates(spells, [(spells.as_of - 365, spells.as_of)])[0]
    >>> bool(0.04 < found.rate[0] < 0.12), len(found.rate)
    (True, 8)
    """
    stages = [_Stage.of(spells, stage) for stage in range(spells.won)]
    return [_chain(spells, stages, start, stop) for start, stop in windows]


@dataclass(frozen=True)
class _Stage:
    """All stays in one stage; `times` are the ages at which anybody left, with exits (by target) and at risk there."""

    stage: int
    start: Floats
    seen: Floats
    end: Floats
    to: Array
    times: Floats
    exits: Floats
    at_risk: Floats

    @classmethod
    def of(cls, spells: Spells, stage: int) -> _Stage:
        here = spells.stage == stage
        start, seen, end, to = spells.start[here], spells.seen[here], spells.end[here], spells.to[here]
        age = end - start
        times = np.unique(age[to != OPEN])
        exits = _exits(times, age, to, spells.won + 2)
        return cls(stage, start, seen, end, to, times, exits, _at_risk(times, seen - start, age))


def _exits(times: Floats, age: Floats, to: Array, n_targets: int) -> Floats:
    """Count the exits at each time by target."""
    gone = to != OPEN
    place = np.searchsorted(times, age[gone]) * n_targets + to[gone]
    found: Floats = np.bincount(place, minlength=len(times) * n_targets).reshape(-1, n_targets).astype(float)
    return found


def _at_risk(times: Floats, entry: Floats, age: Floats) -> Floats:
    """Count those who had come by each time and not yet left."""
    came = np.searchsorted(np.sort(entry), times, side="right")
    left: Floats = came - np.searchsorted(np.sort(age), times, side="left")
    return left.astype(float)


@dataclass(frozen=True)
class _Curve:
    """One stage in one window: hazards by target at the times of the history, and how many were at risk."""

    k: int
    n: int
    n_open: int
    hazard: Floats  # (times, targets)
    at_risk: Floats
    before: Floats  # still there just before each time
    share: Floats  # (targets,) left to each by the end
    own: float
    rest: float

    def variance(self, worth: Floats) -> float:
        """Return the variance of the sum of worth x share: increments of each time are multinomial."""
        gain = self.before[:, None] * worth
        total = self.hazard.sum(axis=1)
        so_far = np.cumsum(self.before * (self.hazard @ worth))
        later = (so_far[-1:] - so_far) / np.where(total < 1, 1 - total, np.inf)  # lost by whoever leaves now
        slope = gain - later[:, None]
        first, second = (self.hazard * slope).sum(axis=1), (self.hazard * slope**2).sum(axis=1)
        return float(((second - first**2) / self.at_risk).sum())

    def raw_worth(self) -> float:
        """Return the number of trials that the share which advances is as sure as, what was borrowed included."""
        return _worth(float(self.share[:-1].sum()), self.variance(np.r_[np.ones(len(self.share) - 1), 0.0]), self.n)

    def doubt(self) -> float:
        """Return by how much the variance understates: what was borrowed from other times is no sight of this one.

        NaN where nobody left in the window and too few ages were seen.
        """
        if self.own >= LEAST_OWN:
            return max(1.0, ENOUGH_OWN / self.own)
        return max(1.0, self.raw_worth() / self.n) if self.n else np.nan


def _curve(here: _Stage, start: float, stop: float) -> _Curve:
    seen = (here.start < stop) & (here.end >= start) & (here.seen < stop)
    born, end, to = here.start[seen], here.end[seen], here.to[seen]
    gone = (to != OPEN) & (end < stop)
    age = np.where(gone, end, np.minimum(end, stop - _INSTANT)) - born
    entry = np.maximum(np.maximum(start, here.seen[seen]) - born, 0.0)
    exits = _exits(here.times, age, np.where(gone, to, OPEN), here.exits.shape[1])
    at_risk = _at_risk(here.times, entry, age)
    own = at_risk >= LEAST_AT_RISK
    at_risk = np.where(own, at_risk, np.maximum(here.at_risk, 1.0))
    hazard = np.where(own[:, None], exits, here.exits) / at_risk[:, None]
    total = hazard.sum(axis=1)
    stay = np.cumprod(1 - total)
    before = np.r_[1.0, stay[:-1]][: len(stay)]
    mass = before * total
    out = int((gone & (to == here.exits.shape[1] - 1)).sum())
    return _Curve(
        int(gone.sum()) - out, int(gone.sum()), int((~gone).sum()), hazard, at_risk, before,
        (before[:, None] * hazard).sum(axis=0), float((mass * own).sum() / max(mass.sum(), 1e-300)),
        float(stay[-1]) if len(stay) else 1.0,
    )  # fmt: skip


def _chain(spells: Spells, stages: Sequence[_Stage], start: float, stop: float) -> PeriodRates:
    """Go back from the win: the chance of it from each stage, and how sure that is."""
    curves = [_curve(stage, start, stop) for stage in stages]
    win = np.zeros(spells.won + 2)
    win[spells.won] = 1
    for stage in range(spells.won - 1, -1, -1):
        win[stage] = curves[stage].share @ win
    rows = [_stage_row(curve, stage, win) for curve, stage in zip(curves, stages, strict=True)]
    began, n_began = _began(spells, start, stop)
    visits = began.copy()
    for stage, curve in enumerate(curves):
        visits += visits[stage] * curve.share[: spells.won]  # all further on: nobody moves to an earlier stage
    rate = float(began @ win[: spells.won])
    spread = [curve.variance(win) * curve.doubt() for curve in curves]
    variance = float(visits**2 @ np.nan_to_num(spread)) + float(began @ win[: spells.won] ** 2 - rate**2) / max(
        n_began, 1
    )
    known = not np.isnan(np.array(spread)[visits > 1e-9]).any() and _mostly_seen(curves, visits)
    k, n = _closed(spells, start, stop)
    rest = float(visits @ np.array([curve.rest for curve in curves]))
    n_open = sum(curve.n_open for curve in curves)
    whole = (k, n, n_open, rate, _worth(rate, variance, n), known, rest, _longest(spells), 1.0)
    return PeriodRates(*(np.array(column) for column in zip(whole, *rows, strict=True)))


def _mostly_seen(curves: Sequence[_Curve], visits: Floats) -> bool:
    """Return True where stages that the window has seen hold at least half of what makes the product uncertain."""
    ups = np.array([max(float(curve.share[:-1].sum()), 1e-9) for curve in curves])
    part = np.where(visits > 1e-9, (1 - ups) / (ups * np.maximum(visits, 1e-9)) + 1e-9, 0.0)
    own = np.array([curve.own >= LEAST_OWN for curve in curves])
    return bool(part[own].sum() >= 0.5 * part.sum()) and bool(own.any())


def _stage_row(curve: _Curve, stage: _Stage, win: Floats) -> tuple[Any, ...]:
    rate, further = float(curve.share[:-1].sum()), float(curve.share @ win)
    worth = curve.raw_worth() / curve.doubt() if curve.own >= LEAST_OWN else np.nan
    horizon = float(stage.times[-1]) if len(stage.times) else np.nan
    ahead = further / rate if rate > 0 else np.nan
    return curve.k, curve.n, curve.n_open, rate, worth, curve.own >= LEAST_OWN, curve.rest, horizon, ahead


def _worth(rate: float, variance: float, n: int) -> float:
    """Return the number of trials whose share has this variance; at 0 or 1 the number that left."""
    inside = 1e-12 < rate < 1 - 1e-12 and variance > 1e-15
    return rate * (1 - rate) / variance if inside else float(n)


def _began(spells: Spells, start: float, stop: float) -> tuple[Floats, int]:
    """Return the share of deals that began in each stage, of the window where there are any, and their number."""
    first = spells.start == spells.born
    within = first & (spells.born >= start) & (spells.born < stop)
    counted = within if within.any() else first
    n = np.bincount(spells.stage[counted], minlength=spells.won)
    return n / max(n.sum(), 1), int(n.sum())


def _longest(spells: Spells) -> float:
    """Return the longest time from a deal's start to its win."""
    won = spells.to == spells.won
    return float((spells.end - spells.born)[won].max()) if won.any() else float("nan")


def _closed(spells: Spells, start: float, stop: float) -> tuple[int, int]:
    """Return wins and closes within a window."""
    within = (spells.to >= spells.won) & (spells.end >= start) & (spells.end < stop)
    return int((within & (spells.to == spells.won)).sum()), int(within.sum())
