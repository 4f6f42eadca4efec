"""Cusum: cumulative sums of observed minus expected, with limits by simulation for a stated false alarm rate.

A series counts exits of a stage, window by window, beside what the baseline's hazards expect of those who were there
and how old they were. Its score adds up the log likelihood ratio of a shift against none and never falls below zero, so
that it forgets what spoke for no shift (Page's cumulative sum, one for falls and one for rises).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from funnelkit.stats.rates import Floats

ALARMS = 0.05  # chance of any false alarm in a year, over all series together, at most
FALLS_SHARE = 0.9  # of these, those that may point to a fall: to miss a fall costs more than to miss a rise
YEAR_WINDOWS = 13  # of 28 days: the stretch over which false alarms are limited
DRAWS = 4_000
DESIGN_ERRORS, DESIGN_WINDOWS = 3.4, 3  # a shift that this many windows show at so many standard errors is designed for
LARGEST_SHIFT = np.log(4)
LEAST_TOLD = 1.0
CHANCE_SPREAD = 0.9  # share of series varying by chance alone that are taken as such
ALMOST = 1 - 1e-12  # a chance whose odds are finite
TAIL = 0.05  # beyond this share of the draws scores fall off exponentially
FALL, RISE = 0, 1


@dataclass(frozen=True)
class Watched:
    """Counts of several series after their baseline; (series, windows) unless told.

    `trials` is NaN for counts that have no upper bound (Poisson), else how many could have been counted (binomial).
    `baseline` (series,) is how many events (Poisson) or trials (binomial) the expectation rests on; `dispersion`
    (series,) how many times more the baseline varied than by chance, 1 where by no more.
    """

    observed: Floats
    expected: Floats
    trials: Floats
    baseline: Floats
    dispersion: Floats
    told: Floats | None = None  # (series,) variance of a usual window's count, where those here are not usual ones

    def take(self, keep: NDArray[np.bool_]) -> Watched:
        """Return the series where `keep` is True."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: part[keep] for name, part in parts.items() if part is not None})

    def scaled(self) -> Watched:
        """Return the counts that carry as much information but vary by chance alone (quasi-likelihood)."""
        by = self.dispersion[:, None]
        ones = np.ones_like(self.dispersion)
        told = None if self.told is None else self.told / by[:, 0]
        return Watched(self.observed / by, self.expected / by, self.trials / by, self.baseline / by[:, 0], ones, told)


@dataclass(frozen=True)
class Verdicts:
    """What the sums say, (2, series, windows) for falls and rises, `p_value` for all series and a year together."""

    score: Floats
    limit: Floats  # (2, series)
    p_value: Floats

    @property
    def signal(self) -> NDArray[np.bool_]:
        """Return which scores are beyond their limit."""
        return self.score > self.limit[:, :, None]


def watch(
    watched: Watched, rng: Generator, windows: int = YEAR_WINDOWS, draws: int = DRAWS, *, aimed: float = 1.0
) -> Verdicts:
    """Judge series of counts by two-sided cumulative sums whose false alarms together are limited.

    Parameters
    ----------
    watched, rng : the series; what draws the limits
    windows, draws : int
        Length and number of the simulated stretches: nothing having changed, any alarm at all has the chance `ALARMS`.
    aimed : float
        Share of `ALARMS` that the limits are set for; less where what is expected rests on a model.

    Returns
    -------
    Verdicts

    Notes
    -----
    A score is max(0, score before + log likelihood ratio of the designed shift), as Steiner and others (2000,
    Biostatistics 1, 441-452). The shift is what three windows show at 3.4 standard errors, that of the baseline
    included. Limits come from stretches whose rate is drawn around the baseline's. The chances of all series add up to
    less than `ALARMS` (Bonferroni), nine tenths of it for falls.

    Examples
    --------
    >>> steady, drop = np.full(12, 30.0), np.r_[np.full(9, 30.0), 10, 12, 9]
    >>> pair = Watched(np.array([steady, drop]), np.full((2, 12), 30.0), np.full((2, 12), np.nan), np.full(2, 700.0),
    ...                np.ones(2))
    >>> watch(pair, np.random.default_rng(1)).signal[FALL, :, -1].tolist()
    [False, True]
    """
    scaled = watched.scaled()
    shift = _design(scaled)
    score = _scores(scaled.observed, scaled.expected, scaled.trials, shift)
    highest = _highest(scaled, shift, rng, (max(windows, scaled.observed.shape[1]), draws))
    share = aimed * np.array([FALLS_SHARE, 1 - FALLS_SHARE])[:, None] * _weights(scaled)
    edge, above = _tail(highest)
    limit = edge + above * np.log(TAIL / (ALARMS * share))
    return Verdicts(score, limit, _p_values(score, highest, (edge, above, share)))


def _tail(highest: Floats) -> tuple[Floats, Floats]:
    """Return from where on the draws of each sum count as its tail, and their mean excess, (2, series) each."""
    edge = np.quantile(highest, 1 - TAIL, axis=0)
    excess = np.where(highest > edge, highest - edge, 0.0).sum(axis=0)
    return edge, np.maximum(excess / np.maximum((highest > edge).sum(axis=0), 1), 1e-9)


def _information(watched: Watched) -> Floats:
    """Return how much a window of each series tells of its log rate, or log odds: the variance of its count."""
    if watched.told is not None:
        return watched.told
    found: Floats = (watched.expected * (1 - _chance(watched))).mean(axis=1)
    return found


def _chance(watched: Watched) -> Floats:
    """Return the share of the trials that is expected, 0 for counts without a bound."""
    found: Floats = np.nan_to_num(watched.expected / np.where(watched.trials > 0, watched.trials, np.nan))
    return found


def _weights(watched: Watched) -> Floats:
    """Share the chance of a false alarm among the series, (series,).

    Those that tell little get more of it, so that a like change is found about equally soon everywhere; below
    `LEAST_TOLD` no more, for they find nothing anyway.
    """
    weight = np.maximum(_information(watched), LEAST_TOLD) ** -1.5
    found: Floats = weight / weight.sum()
    return found


def _design(watched: Watched) -> Floats:
    """Return the log factor (of the rate, or of the odds) that each series is to detect, (series, 1)."""
    told = np.maximum(DESIGN_WINDOWS * _information(watched), 1e-9)
    chance = _chance(watched).mean(axis=1)
    known = np.maximum(watched.baseline * np.where(chance > 0, chance * (1 - chance), 1.0), 1e-9)
    found: Floats = np.minimum(DESIGN_ERRORS * np.sqrt(1 / told + 1 / known), LARGEST_SHIFT)[:, None]
    return found


def _scores(observed: Floats, expected: Floats, trials: Floats, shift: Floats) -> Floats:
    """Return the sums of falls and rises, (2, ..., series, windows)."""
    counted = np.isnan(trials)
    chance = np.where(counted, 0.0, expected / np.maximum(trials, 1e-300))
    found = []
    for log_factor in (-shift, shift):
        growth = np.expm1(log_factor)
        usual = np.where(counted, expected * growth, np.nan_to_num(trials) * np.log1p(chance * growth))
        steps = observed * log_factor - usual
        total = np.cumsum(steps, axis=-1)
        # Page's recursion in closed form: how far the sum stands above its lowest point so far, the start included.
        found.append(total - np.minimum(np.minimum.accumulate(total, axis=-1), 0))
    return np.array(found)


def _highest(watched: Watched, shift: Floats, rng: Generator, size: tuple[int, int]) -> Floats:
    """Draw the highest score of each sum in a stretch without change, (draws, 2, series)."""
    windows, draws = size
    around = np.arange(windows) % watched.expected.shape[1]  # a short past is gone through again
    expected, trials = watched.expected[:, around], watched.trials[:, around]
    highest = np.zeros((draws, 2, len(expected)))
    for series, (mean, tries) in enumerate(zip(expected, trials, strict=True)):
        weight = watched.baseline[series]
        if np.isnan(tries).any():
            counts = rng.poisson(mean * (rng.standard_gamma(weight, (draws, 1)) / weight)).astype(float)
        else:
            tries = np.rint(tries)
            chance = np.nan_to_num(mean / np.maximum(trials[series], 1e-300))
            mean, usual = chance * tries, chance.mean()
            counts = np.broadcast_to(mean, (draws, windows))  # nothing, or everything: no draw differs
            if 0 < usual < 1:
                counts = _around(chance, tries, weight, rng, draws)
        highest[:, :, series] = _scores(counts, mean, tries, shift[series]).max(axis=-1).T
    return highest


def _around(chance: Floats, tries: Floats, weight: float, rng: Generator, draws: int) -> Floats:
    """Draw counts of so many tries whose odds are off by what a baseline of this weight leaves unknown."""
    usual = chance.mean()
    drawn = np.minimum(rng.beta(weight * usual, weight * (1 - usual), (draws, 1)), ALMOST)
    chance = np.minimum(chance, ALMOST)
    odds = chance / (1 - chance) * (drawn / (1 - drawn)) / (usual / (1 - usual))
    counts: Floats = rng.binomial(tries.astype(int), odds / (1 + odds)).astype(float)
    return counts


def _p_values(score: Floats, highest: Floats, tail: tuple[Floats, Floats, Floats]) -> Floats:
    """Return the chance of so high a score of any series in a stretch without change, (2, series, windows)."""
    edge, above, share = (part[:, :, None] if part.ndim == 2 else part for part in tail)
    ranked = np.sort(highest, axis=0)
    beyond = np.empty_like(score)
    for side, series in np.ndindex(score.shape[:2]):
        below = np.searchsorted(ranked[:, side, series], score[side, series], side="left")
        beyond[side, series] = 1 - below / len(ranked)
    beyond = np.where(score > edge, TAIL * np.exp(-np.maximum(score - edge, 0) / above), beyond)
    found: Floats = np.minimum(beyond / share, 1.0)
    return found


def dispersion(observed: Any, expected: Any, trials: Any) -> Floats:
    """Compute how many times more series varied around what was expected than by chance; the last axis is time.

    Parameters
    ----------
    observed, expected, trials : array
        As in `Watched`.

    Returns
    -------
    array
        (series,): 1 where chance alone explains it (chi-square test at 10 %).

    Notes
    -----
    Pearson's chi-square over its degrees of freedom. An estimate of every excess, however small, would widen the limits
    of half the steady series for nothing; a stricter test would overlook wins that wait for the end of the quarter.

    Examples
    --------
    >>> dispersion([[30, 31, 29, 30], [60, 0, 60, 0]], np.full((2, 4), 30.0), np.full((2, 4), np.nan)).tolist()
    [1.0, 40.0]
    """
    from scipy.special import gammaincinv

    observed, expected, trials = (np.asarray(part, dtype=float) for part in (observed, expected, trials))
    if not observed.shape[-1]:
        return np.ones(observed.shape[:-1])
    variance = expected * (1 - np.nan_to_num(expected / np.where(trials > 0, trials, np.nan)))
    # Windows in which next to nothing was expected would weigh as much as the full ones.
    told = variance > 0.5 * np.median(variance, axis=-1, keepdims=True)
    freedom = np.maximum(told.sum(axis=-1) - 1, 1)
    square = np.where(told, (observed - expected) ** 2 / np.maximum(variance, 1e-300), 0.0).sum(axis=-1)
    edge = 2 * gammaincinv(freedom / 2, CHANCE_SPREAD)  # chi-square's quantile: scipy.stats takes a second to import
    found: Floats = np.where(square > edge, square / freedom, 1.0)
    return found


def change_points(watched: Watched) -> NDArray[np.int64]:
    """Find the window from which on each series most likely differs, seen from each window: (2, series, windows).

    Parameters
    ----------
    watched : Watched

    Returns
    -------
    array
        For falls and rises, the place of the first window after the change.

    Notes
    -----
    The window that maximises the log likelihood ratio of a rate of its own since then against the expected one.

    Examples
    --------
    >>> seen = np.array([[30.0, 31, 10, 9]])
    >>> drop = Watched(seen, np.full((1, 4), 30.0), np.full((1, 4), np.nan), *np.ones((2, 1)))
    >>> change_points(drop)[FALL, 0].tolist()
    [0, 0, 2, 2]
    """
    series, windows = watched.observed.shape
    counts = watched.observed, watched.expected, watched.trials
    sums = [np.cumsum(np.c_[np.zeros(series), part], axis=1) for part in counts]
    best, found = np.zeros((2, series, windows)), np.zeros((2, series, windows), dtype=np.int64)
    for start in range(windows):
        seen, hoped, n = (part[:, start + 1 :] - part[:, start : start + 1] for part in sums)
        ratio = _ratio(seen, hoped) + np.nan_to_num(_ratio(n - seen, n - hoped))
        for side, turned in enumerate((seen < hoped, seen > hoped)):
            better = turned & (ratio > best[side, :, start:])
            best[side, :, start:][better] = ratio[better]
            found[side, :, start:][better] = start
    return found


def _ratio(seen: Floats, hoped: Floats) -> Floats:
    from scipy.special import xlogy

    found: Floats = xlogy(seen, seen / np.maximum(hoped, 1e-300)) - (seen - hoped)
    return found
