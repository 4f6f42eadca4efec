"""Closing season: wins that crowd at the end of the month or quarter, day by day until it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from funnelkit.stats import UP, Hazards, Spells, draw_ratios, expected_in_windows, ratio_evidence

Array = NDArray[Any]
# Days left until the period ends, at which a phase begins: single days at its end, where wins crowd if they do.
PHASES = {
    "month": np.array([0, 1, 2, 3, 4, 5, 7, 10, 14, 20]),
    "quarter": np.array([0, 1, 2, 3, 4, 5, 6, 8, 11, 15, 21, 31, 45, 65]),
}
EVIDENCE = 3.0  # log Bayes factor from which a season is taken for one: 20 to 1
LONGEST_DAYS = 1100  # of the past that is looked at
LAST_DAYS = 7  # what the sentence calls the end of the period


@dataclass(frozen=True)
class Season:
    """The season of wins: period (month or quarter), wins seen and expected without it in each phase, and the share of
    the wins in the last days of the period."""

    unit: str
    seen: Array
    hoped: Array
    share: float

    def factor(self, day: Array) -> Array:
        """Return the mean factor on the chance to win on days since 1970."""
        ratio: Array = self._ratios(np.random.default_rng(0), 200).mean(axis=0)[phase(day, self.unit)]
        return ratio

    def draw(self, day: Array, rng: np.random.Generator, n: int) -> Array:
        """Draw the factors of days n times, (n, days)."""
        drawn: Array = self._ratios(rng, n)[:, phase(day, self.unit)]
        return drawn

    def _ratios(self, rng: np.random.Generator, n: int) -> Array:
        # Drawn towards 1 the phases would no longer add up to the wins seen: few days hold most of them.
        drawn = draw_ratios(self.seen, self.hoped, rng, n)
        scaled: Array = drawn * self.seen.sum() / (drawn.mean(axis=0) @ self.hoped)
        return scaled


def find_season(spells: Spells, hazards: Hazards, ratio: Array) -> Season | None:
    """Find out whether wins follow the month or the quarter; None where the evidence does not say so.

    Wins from the last stage are compared, by days left in the period, with what the hazards expect of those who were
    there on each day.
    """
    last = spells.stage == spells.won - 1
    own = spells.take(last)
    wins = own.end[own.kind == UP]
    if len(wins) < 2 * len(PHASES["month"]):
        return None
    day = np.arange(np.floor(max(own.seen.min(), own.as_of - LONGEST_DAYS)), np.ceil(own.as_of) + 1)
    seen = np.histogram(wins, day)[0]
    hoped = expected_in_windows(hazards, own, day, ratio[:, last])[UP, -1]
    found = []
    for unit in PHASES:
        place = phase(day[:-1], unit)
        wins_seen, wins_hoped = (np.bincount(place, one, len(PHASES[unit])) for one in (seen, hoped))
        crowded = seen[days_left(day[:-1], unit) < LAST_DAYS].sum() / max(seen.sum(), 1)
        found.append((ratio_evidence(wins_seen, wins_hoped), Season(unit, wins_seen, wins_hoped, float(crowded))))
    evidence, season = max(found, key=lambda one: one[0])
    return season if evidence >= EVIDENCE else None


def phase(day: Array, unit: str) -> Array:
    """Return the number of the phase of days since 1970: how many days are left in the month or quarter."""
    place: Array = np.searchsorted(PHASES[unit], days_left(day, unit), side="right") - 1
    return place


def days_left(day: Array, unit: str) -> Array:
    """Return how many days of the month or quarter are left after each day since 1970."""
    whole = np.floor(day).astype("int64").astype("datetime64[D]")
    months = 1 if unit == "month" else 3
    number = whole.astype("datetime64[M]").astype(int) // months
    end = ((number + 1) * months).astype("datetime64[M]").astype("datetime64[D]")
    left: Array = (end - whole).astype(int) - 1
    return left
