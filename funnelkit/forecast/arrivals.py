"""Arrivals: how many new deals a day begin, with the season of the year and the drift of the past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from funnelkit.stats import draw_level, draw_ratios, windows

SEASON_DAYS = 700  # two years, but for some days at their ends, show a season; a shorter history shows none


@dataclass(frozen=True)
class Arrivals:
    """New deals: `per_day` is (draws, days) from the as-of date on; past deals and days, and if they show a season."""

    per_day: NDArray[np.float64]
    n: int
    span_days: float
    seasonal: bool


def draw_arrivals(born: NDArray[np.float64], as_of: float, horizon: int, rng: np.random.Generator, n: int) -> Arrivals:
    """Draw n times the number of arrivals on each of the next `horizon` days.

    Rate of the whole past, times a factor for each calendar month (from about two years on; drawn towards 1), times the
    level of the next window (see `draw_level`).
    """
    first = born.min() if len(born) else as_of - 1
    span = max(as_of - first, 1.0)
    rate = len(born) / span
    seasonal = span >= SEASON_DAYS
    past_days, next_days = np.floor(np.arange(first, as_of)), np.floor(as_of + np.arange(horizon))
    season = np.ones((n, 12))
    if seasonal:
        seen = np.bincount(_month(born), minlength=12)
        season = draw_ratios(seen, rate * np.bincount(_month(past_days), minlength=12), rng, n)
    mean = season.mean(axis=0)
    edges = windows(first, as_of, horizon)
    hoped = np.histogram(past_days + 0.5, edges, weights=rate * mean[_month(past_days)])[0]
    level = draw_level(np.histogram(born, edges)[0], hoped, horizon / (edges[1] - edges[0]), rng, n)
    drawn = rng.standard_gamma(len(born) + 0.5, size=n) / span if len(born) else np.zeros(n)
    per_day = (drawn * level)[:, None] * season[:, _month(next_days)]
    return Arrivals(per_day, len(born), span, seasonal)


def _month(day: Any) -> NDArray[Any]:
    """Return the calendar month (0 to 11) of days since 1970."""
    month: NDArray[Any] = np.floor(day).astype("int64").astype("datetime64[D]").astype("datetime64[M]").astype(int)
    return month % 12
