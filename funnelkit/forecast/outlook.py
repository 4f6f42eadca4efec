"""What new deals can bring by a date: chances of a win by age, and how many wins a target still needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator

from funnelkit.analysis import refuse_without_times
from funnelkit.forecast.forecast import REFUSED, cut_periods
from funnelkit.forecast.history import Fit, fit_history, open_book
from funnelkit.forecast.simulate import (
    LEAST_DRAWS,
    Rng,
    Worlds,
    draw_chances,
    draw_worlds,
    entry_mix,
    new_mix,
    simulate_open,
)
from funnelkit.forecast.win_curves import Array, reach_curves
from funnelkit.language import DataError
from funnelkit.pipeline import Pipeline
from funnelkit.result import refuse_limits

DRAWS, PATHS = 500, 5_000
QUICKEST = 0.05  # share of a new deal's win chance that its quickest wins make up
CELLS = 2e7


@dataclass(frozen=True)
class Outlook:
    """What new deals can bring by the date: `win` (draws, horizon + 1), the chance of a win within so many days of
    the entry; `needed` (paths), how many wins the target still needs; `draw` of each path; `reach` (stages,
    horizon + 1), the mean chance of reaching each stage within so many days; `lag_days`, after how many days the
    quickest wins of new deals are in (5 % of all that they will ever bring)."""

    win: Array
    needed: Array
    draw: Array
    reach: Array
    lag_days: int

    def odds(self, entries: float, first: int = 0, rates: float = 1.0) -> float:
        """Return the chance that `entries` new deals, spread evenly from day `first` on, make up what is needed.

        The wins of a path are binomial: each entry is won in time with the mean chance of its days, times `rates`.
        """
        from scipy.special import betainc

        days = self.win.shape[1] - 1 - first
        chance = self.win[:, : days + 1]
        mean = ((chance[:, 1:] + chance[:, :-1]) / 2).mean(axis=1)[self.draw] if days > 0 else np.zeros(len(self.draw))
        rest = np.maximum(entries - self.needed + 1, 1e-9)
        reached = betainc(np.maximum(self.needed, 1e-9), rest, np.minimum(rates * mean, 1))
        return float(np.where(self.needed <= 0, 1, np.where(entries >= self.needed, reached, 0)).mean())


def check_asked(revenue: Any, odds: float) -> None:
    if not (isinstance(revenue, (int, float, np.number)) and np.isfinite(revenue) and revenue > 0):
        raise DataError("bad_revenue", found=repr(revenue))
    if not 0 < odds < 1:
        raise DataError("bad_odds", found=repr(odds))


def target_outlooks(pipeline: Pipeline, revenues: Sequence[float], until: Any, *, rng: Rng = None) -> list[Outlook]:
    """Return what new deals can bring by one date, for several targets: the same futures for all of them.

    Parameters
    ----------
    pipeline, until, rng
        As of `solve_target`.
    revenues : sequence of float
        The targets.

    Returns
    -------
    list of Outlook
        Each that of `solve_target` for this target alone, with the same rng.

    Raises
    ------
    LimitError, DataError
        What `solve_target` raises.

    Notes
    -----
    Worlds and open deals are drawn once; only the wins needed differ.

    Examples
    --------
    >>> from funnelkit import sample
    >>> easy, hard = target_outlooks(sample(), [1e6, 50e6], "2026-06-30")
    >>> easy.odds(100) > hard.odds(100)
    True
    """
    refuse_limits(pipeline, "solve_target", *REFUSED, "no_amount")
    refuse_without_times(pipeline, "solve_target")
    for revenue in revenues:
        check_asked(revenue, 0.5)
    horizon = int(cut_periods(pipeline, until)["day"].iloc[-1])
    return _outlooks(pipeline, fit_history(pipeline, None), (revenues, horizon), rng or np.random.default_rng(0), True)


def outlook(pipeline: Pipeline, fit: Fit, target: tuple[float, int], rng: Generator, with_open: bool = True) -> Outlook:
    """Return the Outlook of a target (revenue, horizon in days) from a fitted history."""
    return _outlooks(pipeline, fit, ([target[0]], target[1]), rng, with_open)[0]


def _outlooks(
    pipeline: Pipeline, fit: Fit, targets: tuple[Sequence[float], int], rng: Generator, with_open: bool
) -> list[Outlook]:
    revenues, horizon = targets
    n = max(DRAWS // len(fit.pairs), min(DRAWS, LEAST_DRAWS))
    worlds = draw_worlds(fit, horizon, rng, n)  # new and open deals share them: a bad one is bad for both
    win, reach = _new_deals(fit, worlds, new_mix(fit, rng, n), horizon)
    each = -(-PATHS // n)
    brought = np.zeros(n * each)
    if with_open:
        book = open_book(pipeline, fit)
        chances = draw_chances(fit, book, [horizon], rng, worlds)
        brought = simulate_open(book, chances, fit.amounts, rng, PATHS)[1][:, -1]
    if not len(fit.every):
        raise DataError("no_won_amount")
    draw, found, state = np.repeat(np.arange(n), each), [], rng.bit_generator.state
    for revenue in revenues:
        rng.bit_generator.state = state  # each target meets the same amounts
        found.append(_wins_needed(revenue - brought, fit.every, draw, rng))
    lag = _lag(fit, rng)
    return [Outlook(win, needed, draw, reach, lag) for needed in found]


def _new_deals(fit: Fit, worlds: Worlds, mix: Array, horizon: int) -> tuple[Array, Array]:
    """Return the `win` and the `reach` of an Outlook: those of the segments, mixed as the new deals are."""
    win, reach, share = np.zeros(1), np.zeros(1), worlds.draws.share
    for segment in range(len(fit.pairs)):
        (entry,), _ = worlds.curves(segment, [horizon], waiting=False)
        win = win + mix[:, [segment]] * np.einsum("s,nsh->nh", entry_mix(fit), entry)
        means = worlds.exits_up(segment)[0].mean(axis=1), share.mean(axis=0), entry_mix(fit)
        reach = reach + mix[:, segment].mean() * reach_curves(*means, horizon)
    quick = fit.at_once.won
    if len(quick):  # of all that begin, some are won or lost at once
        part = len(quick) / (len(quick) + len(fit.births()[0]))
        win = np.where(np.arange(horizon + 1) > 0, part * quick.mean() + (1 - part) * win, 0)
    return win, reach


def _wins_needed(missing: Array, amounts: Array, draw: Array, rng: Generator) -> Array:
    """Return for each path how many wins fill what is missing; each draw has its own resample of the amounts."""
    sample = amounts[rng.integers(len(amounts), size=(draw.max() + 1, len(amounts)))]
    needed, missing = np.zeros(len(missing)), missing.astype(float).copy()
    block = int(np.clip(missing.max(initial=0) / amounts.mean(), 8, CELLS / len(missing)))
    still = np.flatnonzero(missing > 0)
    while len(still):
        pick = rng.integers(len(amounts), size=(len(still), block))
        total = sample[draw[still][:, None], pick].cumsum(axis=1)
        enough = total >= missing[still, None]
        done = enough[:, -1]
        needed[still] += np.where(done, enough.argmax(axis=1) + 1, block)
        missing[still] -= total[:, -1]
        still = still[~done]
    return needed


def _lag(fit: Fit, rng: Generator) -> int:
    """Return after how many days QUICKEST of all the wins that new deals will ever bring are in."""
    longest = sum(fit.hazards.longest(stage) for stage in range(fit.hazards.won))
    horizon = int(np.clip(longest, 30, 3650))
    worlds = draw_worlds(fit, horizon, rng, 50)
    worlds = replace(worlds, level=[np.ones_like(level) for level in worlds.level], season=None)
    curve = _new_deals(fit, worlds, new_mix(fit, rng, 50), horizon)[1][-1]
    return int(np.argmax(curve >= QUICKEST * curve[-1]))
