"""Counts of events by month: their usual level, the range of one month, and whether the recent ones are beyond it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from funnelkit.analysis import quarter_rhythm
from funnelkit.pipeline import Pipeline
from funnelkit.report.first_page.spans import MONTHS, RECENT, USUAL, Spans

LEVEL = 0.95
OF_QUARTER = 3
BY_CHANCE = 0.1  # a scatter that chance makes less often counts
_MOST = 100_000  # beyond it no count of a month is looked for
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Months:
    """Counts of the recent and the usual months, in order; `phased`: they follow the rhythm of the quarter."""

    recent: Counts
    usual: Counts
    phased: bool = False

    @property
    def expected(self) -> float:
        """What is usual in as many months as the recent ones."""
        return float(self.usual.sum()) * RECENT / USUAL

    @property
    def level(self) -> float:
        """What is usual in a month."""
        return float(self.usual.mean())

    def scatter(self) -> float:
        """Return by how much the usual months scatter more than counts do by chance: 1 where chance explains it."""
        from scipy.special import chdtrc

        groups = self._phases()
        level = groups.mean(axis=0)
        free = USUAL - groups.shape[1]
        if not (level > 0).all():
            return 1.0
        pearson = float(((groups - level) ** 2 / level).sum())
        return pearson / free if chdtrc(free, pearson) < BY_CHANCE else 1.0

    def _phases(self) -> NDArray[np.float64]:
        """Return the usual months, a column for each place in the quarter where that makes a difference."""
        return self.usual.reshape(-1, OF_QUARTER if self.phased else 1).astype(float)

    def bands(self) -> list[tuple[int, int]]:
        """Return the usual range of one month, for each place in the quarter, the first of usual before.

        A count whose own rate was estimated from so many months: negative binomial, wider by the scatter.
        """
        groups, scatter = self._phases(), self.scatter()
        return [_range(float(level), scatter, len(groups)) for level in groups.mean(axis=0)]

    def p_value(self) -> float:
        """Return how likely chance makes the recent total differ so much from usual, and from the season's.

        The total is compared with the twelve months and with the same six of them: a season, or the quarter's rhythm,
        is no change, so that the larger of the two chances counts.
        """
        scatter, total = self.scatter(), int(self.recent.sum())
        whole = _conditional(total, int(self.usual.sum()), RECENT / (RECENT + USUAL), scatter)
        same = _conditional(total, int(self.usual[:RECENT].sum()), 0.5, scatter)
        season_agrees = (total < self.usual[:RECENT].sum()) == (total < self.expected)
        return max(whole, same) if season_agrees else 1.0


@dataclass(frozen=True)
class DrySpell:
    """The months without an event up to now, more than the recent ones; `level`: what a month before them had."""

    months: int
    level: float
    p_value: float


def dry_spell(counts: Counts) -> DrySpell | None:
    """Return the dry spell at the end of counts by month; None where there is none, or no year of counts before it.

    The year before it is what it is compared with: usual would hold a part of the spell. A season without events is no
    change: the same months of that year had some.
    """
    happened = np.flatnonzero(counts)
    spell = len(counts) - 1 - int(happened[-1]) if len(happened) else 0
    before = counts[-spell - USUAL : -spell] if spell > RECENT else counts[:0]
    if len(before) < USUAL:
        return None
    year = Months(counts[-RECENT:], before)
    same, scatter = before[: min(spell, USUAL)], year.scatter()
    whole = _conditional(0, int(before.sum()), spell / (spell + USUAL), scatter)
    season = _conditional(0, int(same.sum()), 0.5, scatter)
    return DrySpell(spell, year.level, max(whole, season))


def months_of(pipeline: Pipeline, spans: Spans, counts: Counts, follows_quarter: bool) -> Months:
    """Return the last months of counts by month, the last of which is the last full month."""
    phased = follows_quarter and quarter_rhythm(pipeline, MONTHS, spans.end) is not None
    return Months(counts[-RECENT:], counts[-RECENT - USUAL : -RECENT], phased)


def _conditional(k: int, before: int, share: float, scatter: float) -> float:
    """Return the two-sided p-value of k of k + before events, where `share` of them is usual."""
    from scipy.special import bdtr

    n = round((k + before) / scatter)
    at = min(round(k / scatter), n)
    if n == 0:
        return 1.0
    below = float(bdtr(at, n, share))
    above = 1.0 - float(bdtr(at - 1, n, share)) if at else 1.0
    return min(1.0, 2 * min(below, above))


def _range(level: float, scatter: float, months: int) -> tuple[int, int]:
    """Return the range of 95 % of a count whose level was estimated from so many months."""
    from scipy.special import betainc

    if level <= 0:
        return 0, 0
    variance = level * scatter * (1 + 1 / months)
    size, chance = level**2 / (variance - level), level / variance
    top = int(min(level + 12 * variance**0.5 + 12, _MOST))
    below = betainc(size, np.arange(top) + 1.0, chance)
    low, high = (int(np.searchsorted(below, end)) for end in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return low, high
