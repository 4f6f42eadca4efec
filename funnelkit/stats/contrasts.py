"""Contrasts: the change of a rate with an interval that decides, and the levels of a family of such intervals."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from funnelkit.stats.rates import LEVEL, Floats

_STEPS = 60  # of bisection: to the last digit of a float


def change_interval(
    rates: tuple[ArrayLike, ArrayLike], n: tuple[ArrayLike, ArrayLike], level: ArrayLike = LEVEL
) -> tuple[Floats, Floats, Floats]:
    """Compute the difference of two rates with its hybrid score interval.

    Parameters
    ----------
    rates : (now, before)
    n : (now, before)
        The numbers of trials that the rates are as sure as; of a share k / n its n.
    level : float or array

    Returns
    -------
    tuple of arrays
        (change, low, high), as fractions; NaN where a rate is unknown.

    Notes
    -----
    Newcombe 1998, method 10, as `newcombe`; with Wilson limits of the worth of a rate that is no plain share.

    Examples
    --------
    >>> [round(float(part), 4) for part in change_interval((56 / 70, 48 / 80), (70, 80))]
    [0.2, 0.0524, 0.3339]
    """
    return _interval(rates, n, _z_of(level))


def _interval(
    rates: tuple[ArrayLike, ArrayLike], n: tuple[ArrayLike, ArrayLike], z: Floats
) -> tuple[Floats, Floats, Floats]:
    (p, low, high), (p_0, low_0, high_0) = (_limits(rate, size, z) for rate, size in zip(rates, n, strict=True))
    return p - p_0, p - p_0 - np.hypot(p - low, high_0 - p_0), p - p_0 + np.hypot(high - p, p_0 - low_0)


def _limits(rate: ArrayLike, n: ArrayLike, z: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (rate, low, high) of Wilson's interval."""
    p, trials = np.asarray(rate, dtype=float), np.asarray(n, dtype=float)
    trials = np.where(trials > 0, trials, np.nan)
    centre = p + z**2 / (2 * trials)
    half = z * np.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    return p, np.clip((centre - half) / scale, 0.0, p), np.clip((centre + half) / scale, p, 1.0)


def _z_of(level: ArrayLike) -> Floats:
    levels = np.asarray(level, dtype=float)
    found = [NormalDist().inv_cdf((1 + part) / 2) if part == part else np.nan for part in levels.ravel().tolist()]
    return np.array(found).reshape(levels.shape)


def change_p_value(rates: tuple[ArrayLike, ArrayLike], n: tuple[ArrayLike, ArrayLike]) -> Floats:
    """Compute the p-value of a change: 1 less the level at which the interval's end is at 0.

    Parameters
    ----------
    rates, n : as in `change_interval`

    Returns
    -------
    array
        NaN where a rate is unknown.

    Examples
    --------
    >>> p = change_p_value((56 / 70, 48 / 80), (70, 80))
    >>> round(float(p), 4), bool(abs(change_interval((0.8, 0.6), (70, 80), 1 - p)[1]) < 1e-9)
    (0.0081, True)
    """
    change = np.asarray(rates[0], dtype=float) - np.asarray(rates[1], dtype=float)
    inside, beyond = np.zeros_like(change), np.full_like(change, 38.0)
    for _ in range(_STEPS):
        z = (inside + beyond) / 2
        _, low, high = _interval(rates, n, z)
        apart = np.where(change > 0, low > 0, high < 0)
        inside, beyond = np.where(apart, z, inside), np.where(apart, beyond, z)
    tail = np.array([2 * NormalDist().cdf(-z) for z in inside.ravel().tolist()]).reshape(change.shape)
    unknown = np.isnan(_interval(rates, n, np.ones_like(change))[1])
    return np.where(unknown, np.nan, np.where(change == 0, 1.0, tail))


def holm_levels(p_values: ArrayLike, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Find the level at which each of a family of tests is judged, so that all of them together err with 1 - level.

    Parameters
    ----------
    p_values : array
        NaN where there is no test.
    level : float

    Returns
    -------
    tuple of arrays
        (levels, clear): the level of each test's interval (NaN without a test), and whether it excludes 0.

    Notes
    -----
    Holm 1979: the smallest of m p-values is judged at (1 - level) / m, the next at (1 - level) / (m - 1), until one
    fails; that one and all larger ones are judged at its level. So interval and verdict agree in every row.

    Examples
    --------
    >>> levels, clear = holm_levels([0.04, 0.001, 0.9])
    >>> levels.round(4).tolist(), clear.tolist()
    ([0.975, 0.9833, 0.975], [False, True, False])
    """
    p = np.asarray(p_values, dtype=float)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    allowed = (1 - level) / np.arange(len(order), 0, -1)
    passed = np.cumprod(p[order] < allowed).astype(bool)
    stop = int(passed.sum())
    levels, clear = np.full(p.shape, np.nan), np.zeros(p.shape, dtype=bool)
    levels[order] = 1 - allowed[np.minimum(np.arange(len(order)), min(stop, len(order) - 1))]
    clear[order] = passed
    return levels, clear
