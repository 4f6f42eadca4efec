"""Levels: how much results of equal windows of time have swung around what was expected, and how the next may."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from funnelkit.stats.rates import Floats

SPREADS = np.array([0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7])
NOISE_SCALE, DRIFT_SCALE = 0.15, 0.10  # scales of the half-normal priors of noise and drift (log scale, per window)
NONE = 0.5  # prior chance that there is no noise, and that there is no drift
PRIOR_SERIES = 1.0
WINDOW_DAYS, LEAST_WINDOWS = 91, 8
CONCENTRATIONS = np.array([0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096], float)


def draw_level(observed: ArrayLike, expected: ArrayLike, ahead: float, rng: np.random.Generator, n: int) -> Floats:
    """Draw factors on what is expected of the next windows together, from the swings of past windows.

    Parameters
    ----------
    observed, expected : array
        Counts of the past windows, (windows,). What is expected must be fitted to the same windows; its own
        uncertainty is not in the draws.
    ahead : float
        How many windows are wanted together.
    rng : Generator
    n : int
        Draws.

    Returns
    -------
    array
        (n,).

    Notes
    -----
    Local-level model on y = log((O + 0.5) / (E + 0.5)), whose chance part has the variance 1 / (E + 0.5): the level
    drifts from window to window (random walk) and each window has noise of its own. Both spreads are unknown: their
    posterior on a grid, half of its prior on "none", is carried into the draws (Harvey 1989, chapter 4). Over k
    windows the noise averages out to 1 / k of its variance, the drift adds up to (k + 1) (2k + 1) / 6k.

    Examples
    --------
    >>> draws = draw_level(np.full(8, 50), np.full(8, 50), 1, np.random.default_rng(1), 1000)
    >>> bool(abs(np.median(draws) - 1) < 0.05)
    True
    """
    noise, drift = (part.ravel() for part in np.meshgrid(SPREADS, SPREADS, indexing="ij"))
    prior = _log_prior(noise, NOISE_SCALE) + _log_prior(drift, DRIFT_SCALE)
    score, level, variance = _filter(observed, expected, noise, drift)
    return _draw(_share(prior + score), (level, variance, noise, drift), ahead, rng, n)


def draw_own_levels(observed: Floats, expected: Floats, ahead: float, rng: np.random.Generator, n: int) -> Floats:
    """Draw factors for each of several series, whose levels drift apart.

    Parameters
    ----------
    observed, expected : array
        Counts of the past windows, (series, windows).
    ahead : float
        How many windows are wanted together.
    rng : Generator
    n : int
        Draws.

    Returns
    -------
    array
        (series, n).

    Notes
    -----
    As `draw_level` without noise. How likely a drift of each size is, is learned from all series together (empirical
    Bayes by a few steps of expectation-maximisation; the prior weighs as much as one series), so that many steady
    series make each other sure, and one that drifts is still followed.

    Examples
    --------
    >>> steady = np.full((3, 8), 50)
    >>> draw_own_levels(steady, steady, 1, np.random.default_rng(1), 100).shape
    (3, 100)
    """
    none, prior = np.zeros_like(SPREADS), np.exp(_log_prior(SPREADS, DRIFT_SCALE))
    fits = [_filter(*pair, none, SPREADS) for pair in zip(observed, expected, strict=True)]
    mix = prior
    for _ in range(30):
        mix = (PRIOR_SERIES * prior + sum(_share(np.log(mix) + fit[0]) for fit in fits)) / (PRIOR_SERIES + len(fits))
    return np.array([
        _draw(_share(np.log(mix) + score), (level, variance, none, SPREADS), ahead, rng, n)
        for score, level, variance in fits
    ])  # fmt: skip


def _filter(observed: Any, expected: Any, noise: Floats, drift: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (log likelihood, level, variance) of every pair of spreads after the past windows (Kalman filter)."""
    # What is expected was fitted to the same windows: where nothing drifts the level is 1, and where it drifts it
    # began as far from that as a random walk does from its mean. A start of its own would count the uncertainty of the
    # fit a second time.
    score, level, variance = np.zeros_like(noise), np.zeros_like(noise), drift**2 * len(observed) / 3
    for seen, hoped in zip(observed, expected, strict=True):
        variance = variance + drift**2
        miss = np.log((seen + 0.5) / (hoped + 0.5)) - level
        total = variance + noise**2 + 1 / (hoped + 0.5)
        score -= (np.log(total) + miss**2 / total) / 2
        level, variance = level + variance / total * miss, variance * (1 - variance / total)
    return score, level, variance


def _share(log_weight: Floats) -> Floats:
    weight = np.exp(log_weight - log_weight.max())
    share: Floats = weight / weight.sum()
    return share


def _draw(
    share: Floats, state: tuple[Floats, Floats, Floats, Floats], ahead: float, rng: np.random.Generator, n: int
) -> Floats:
    """Draw the factor of the next `ahead` windows from states weighed by `share`."""
    level, variance, noise, drift = state
    pick, k = rng.choice(len(share), size=n, p=share), max(ahead, 1.0)
    spread = np.sqrt(variance + drift**2 * (k + 1) * (2 * k + 1) / (6 * k) + noise**2 / k)[pick]
    return np.exp(level[pick] + spread * rng.standard_normal(n))


def _log_prior(spread: Floats, scale: float) -> Floats:
    """Return the log prior of each spread: NONE on 0, the rest half-normal on the grid's other values."""
    shape: Floats = -((spread / scale) ** 2) / 2
    rest = np.exp(-((SPREADS[1:] / scale) ** 2) / 2).sum()
    prior: Floats = np.where(spread == 0, np.log(NONE), np.log(1 - NONE) - np.log(rest) + shape)
    return prior


def draw_ratios(observed: ArrayLike, expected: ArrayLike, rng: np.random.Generator, n: int) -> Floats:
    """Draw the ratio of true to expected of each group, drawn towards 1 as far as the groups are alike.

    Parameters
    ----------
    observed, expected : array
        (groups,).
    rng : Generator
    n : int
        Draws.

    Returns
    -------
    array
        (n, groups).

    Notes
    -----
    Ratio ~ Gamma(c, c), observed ~ Poisson(ratio * expected); the concentration c has the highest marginal likelihood
    of a grid (empirical Bayes).

    Examples
    --------
    >>> draw_ratios([10, 30], [20, 20], np.random.default_rng(1), 500).mean(axis=0).round(1).tolist()
    [0.6, 1.4]
    """
    seen, hoped = np.asarray(observed, float), np.asarray(expected, float)
    best = _concentration(seen, hoped)
    return rng.standard_gamma(best + seen, size=(n, len(seen))) / (best + hoped)


def mean_ratios(observed: Floats, expected: Floats) -> Floats:
    """Compute the mean of what `draw_ratios` draws.

    Parameters
    ----------
    observed, expected : array
        (groups,).

    Returns
    -------
    array
        (groups,).

    Examples
    --------
    >>> mean_ratios(np.array([10.0, 30.0]), np.array([20.0, 20.0])).round(1).tolist()
    [0.6, 1.4]
    """
    best = _concentration(observed, expected)
    return (best + observed) / (best + expected)


def draw_nested_ratios(observed: Floats, expected: Floats, rng: np.random.Generator, n: int) -> Floats:
    """Draw the ratios of groups in several rows.

    Parameters
    ----------
    observed, expected : array
        (rows, groups).
    rng : Generator
    n : int
        Draws.

    Returns
    -------
    array
        (n, rows, groups).

    Notes
    -----
    A group's ratio over all rows (as `draw_ratios`) times the row's own, drawn towards 1 as far as the rows are alike.

    Examples
    --------
    >>> counts = np.array([[10.0, 30.0], [12.0, 28.0]])
    >>> draw_nested_ratios(counts, np.full((2, 2), 20.0), np.random.default_rng(1), 5).shape
    (5, 2, 2)
    """
    total = observed.sum(axis=0), expected.sum(axis=0)
    group = draw_ratios(*total, rng, n)[:, None]
    best = _concentration(observed.ravel(), (mean_ratios(*total) * expected).ravel())
    return group * rng.standard_gamma(best + observed, size=(n, *observed.shape)) / (best + group * expected)


def mean_nested_ratios(observed: Floats, expected: Floats) -> Floats:
    """Compute about the mean of what `draw_nested_ratios` draws.

    Parameters
    ----------
    observed, expected : array
        (rows, groups).

    Returns
    -------
    array
        (rows, groups).

    Examples
    --------
    >>> mean_nested_ratios(np.full((2, 2), 20.0), np.full((2, 2), 20.0)).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    group = mean_ratios(observed.sum(axis=0), expected.sum(axis=0))
    return group * mean_ratios(observed.ravel(), (group * expected).ravel()).reshape(observed.shape)


def ratio_evidence(observed: ArrayLike, expected: ArrayLike) -> float:
    """Weigh the evidence that groups differ.

    Parameters
    ----------
    observed, expected : array
        (groups,).

    Returns
    -------
    float
        Log of how much likelier the counts are with ratios of their own (as `draw_ratios`) than with one for all.

    Examples
    --------
    >>> ratio_evidence([10, 30], [20, 20]) > 1, ratio_evidence([20, 20], [20, 20])
    (True, 0.0)
    """
    seen, hoped = np.asarray(observed, float), np.asarray(expected, float)
    score = _scores(seen, hoped * seen.sum() / max(hoped.sum(), 1e-9))
    return float(score.max() - score[-1])


def _concentration(seen: Floats, hoped: Floats) -> float:
    """Return the concentration of the grid that makes the ratios seen likeliest."""
    return float(CONCENTRATIONS[_scores(seen, hoped).argmax()])


def _scores(seen: Floats, hoped: Floats) -> Floats:
    """Return the log marginal likelihood of each concentration of the grid, up to a constant."""
    from scipy.special import gammaln

    grid, hoped = CONCENTRATIONS[:, None], np.maximum(hoped, 1e-9)
    fit = (
        gammaln(grid + seen)
        - gammaln(grid)
        + grid * np.log(grid / (grid + hoped))
        + seen * np.log(hoped / (grid + hoped))
    )
    total: Floats = fit.sum(axis=1)
    return total


def windows(first: float, as_of: float, horizon: float) -> Floats:
    """Cut the time before a date into equal windows.

    Parameters
    ----------
    first, as_of : float
        Days since 1970; no window begins before `first`, the last ends at `as_of`.
    horizon : float
        Days. Windows are as long, but never longer than a quarter or an eighth of the span: swings must be seen.

    Returns
    -------
    array
        Edges of the windows, in order of time.

    Examples
    --------
    >>> windows(0, 400, 50).tolist()
    [0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0, 350.0, 400.0]
    """
    span = max(as_of - first, 1.0)
    length = min(horizon, max(WINDOW_DAYS, 1), span / LEAST_WINDOWS)
    return np.asarray(as_of - length * np.arange(int(span / length + 1e-9), -1, -1), dtype=float)
